//! Recordings that earlier versions of flowtop have written say what they said then.

use std::collections::BTreeSet;

use flowtop_recording::format::frame::{Frame, VERSION, encode};

use super::format::{all_of, assert_read_alike, records_of};
use super::*;

/// A folder per version of the format.
fn folder() -> PathBuf {
    root().join("tests/data/recordings")
}

/// The recordings, each with what it says beside it, as `.jsonl`.
fn files() -> Vec<PathBuf> {
    let versions =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files =
        versions.flat_map(|version| fs::read_dir(version).unwrap().map(|entry| entry.unwrap().path()));
    let mut recordings: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "rec")).collect();
    recordings.sort();
    recordings
}

/// Content of a recording, a line of JSON for each record.
fn said(recording: &[u8]) -> Vec<String> {
    records_of(recording).iter().map(|record| all_of(record).to_string()).collect()
}

#[test]
fn every_golden_file_says_what_it_said() {
    for file in files() {
        let expected = fs::read_to_string(file.with_extension("jsonl")).unwrap();
        let now = said(&fs::read(&file).unwrap());
        for (place, (now, then)) in now.iter().zip(expected.lines()).enumerate() {
            assert_eq!(now, then, "{}: record {place}", file.display());
        }
        assert_eq!(now.len(), expected.lines().count(), "{}", file.display());
    }
}

/// Nothing is lost where this version writes what an earlier one has recorded.
#[test]
fn every_golden_file_can_be_written_anew() {
    for file in files() {
        let records = records_of(&fs::read(&file).unwrap());
        let anew: Vec<u8> = records.iter().flat_map(encode).collect();
        assert_eq!(records_of(&anew), records, "{}", file.display());
    }
}

#[test]
fn every_version_has_its_golden_files() {
    let mut versions = BTreeSet::new();
    for file in files() {
        let bytes = fs::read(&file).unwrap();
        let version = Frame::parse(&bytes, 0).unwrap().head().version;
        assert!(file.parent().unwrap().ends_with(format!("v{version}")), "{}", file.display());
        versions.insert((version, file.file_stem().unwrap().to_str().unwrap().to_owned()));
    }
    for version in 1..=VERSION {
        for (name, _) in samples::all() {
            assert!(versions.contains(&(version, name.to_owned())), "v{version} has no {name}.rec");
        }
    }
    for early in ["first-writer", "without-gaps"] {
        assert!(versions.contains(&(1, early.to_owned())), "{early}.rec is gone");
    }
}

#[test]
fn the_reader_in_python_reads_every_golden_file() {
    let Some(python) = tools::find_python_with("zstandard") else { return };
    for file in files() {
        assert_read_alike(&python, &file);
    }
}

#[test]
#[ignore = "writes the golden files of a new version; those that are there stay as they are"]
fn write_missing_golden_files() {
    let version = folder().join(format!("v{VERSION}"));
    fs::create_dir_all(&version).unwrap();
    for (name, records) in samples::all() {
        write_new(&version.join(format!("{name}.rec")), &records.iter().flat_map(encode).collect::<Vec<_>>());
    }
    for file in files() {
        let lines: String = said(&fs::read(&file).unwrap()).into_iter().map(|line| line + "\n").collect();
        write_new(&file.with_extension("jsonl"), lines.as_bytes());
    }
}

/// Writes a file if there is none.
fn write_new(file: &Path, bytes: &[u8]) {
    match fs::File::create_new(file) {
        Ok(mut new) => new.write_all(bytes).unwrap(),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists, "{}", file.display()),
    }
}
