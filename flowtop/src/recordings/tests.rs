use super::listing::MAX_SEARCHED_BYTES;
use super::*;
use flowtop_core::record::fixture::record;
use flowtop_recording::format::frame::{Damage, encode};
use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs;
use std::path::Path;

/// A file of a directory, with these minutes of a host in one of its lives.
fn write(dir: &Path, file: &str, host: &str, boot: u8, minutes: &[u64]) -> PathBuf {
    let frame = |minute: &u64| {
        let mut record = record(*minute, vec![]);
        record.host = Host { name: host.to_owned(), machine_id: [7; 16], boot_id: [boot; 16] };
        encode(&record)
    };
    fs::create_dir_all(dir).unwrap();
    let path = dir.join(file);
    fs::write(&path, minutes.iter().flat_map(frame).collect::<Vec<_>>()).unwrap();
    path
}

fn minutes(recordings: &Recordings) -> Vec<u64> {
    recordings.heads().iter().map(|at| at.head.span.start_ns / 60_000_000_000 - 60).collect()
}

#[test]
fn several_hosts_and_lives_are_read_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    write(&one, "flowtop-20261102T08Z.rec", "a", 2, &[3, 4]);
    write(&one, "flowtop-20261102T07Z.rec", "a", 1, &[1, 2]);
    fs::write(one.join("flowtop.lock"), "").unwrap();
    let again = write(&two, "flowtop-20261102T08Z.rec", "b", 3, &[0]);
    let recordings = open(&[one, two, again]).unwrap();
    assert_eq!(minutes(&recordings), [1, 2, 3, 4, 0]);
    let hosts: Vec<_> = recordings.hosts().map(|host| (&host.name[..], host.boot_id[0])).collect();
    assert_eq!(hosts, [("a", 1), ("a", 2), ("b", 3)]);
    let (first_us, last_us) = recordings.time_us();
    assert_eq!(last_us - first_us, 5 * 60_000_000);
    let of_a = recordings.records(|head| head.host.name == "a").map(|read| read.unwrap().span.start_ns);
    assert_eq!(of_a.count(), 4);
    assert_eq!(recordings.damage(), []);
}

#[test]
fn records_say_which_of_two_hosts_of_one_name_they_are_of() {
    let dir = tempfile::tempdir().unwrap();
    for id in [1, 2] {
        let mut record = record(0, vec![]);
        record.host = Host { name: "a".to_owned(), machine_id: [id; 16], boot_id: [id; 16] };
        fs::write(dir.path().join(format!("flowtop-{id}.rec")), encode(&record)).unwrap();
    }
    let recordings = open(&[dir.path().to_owned()]).unwrap();
    let names: Vec<_> = recordings.hosts().map(|host| &host.name[..]).collect();
    assert_eq!(names, ["a@01010101", "a@02020202"]);
    let of_records: Vec<_> = recordings.records(|_| true).map(|read| read.unwrap().host.name).collect();
    assert_eq!(of_records, names);
}

#[test]
fn damage_is_told_with_its_file_and_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "flowtop-1.rec", "a", 1, &[0, 1, 2]);
    let mut bytes = fs::read(&file).unwrap();
    let frame_bytes = bytes.len() / 3;
    bytes[frame_bytes + 3] ^= 1;
    let end = bytes.len() - 5;
    fs::write(&file, &bytes[..end]).unwrap();
    let recordings = open(&[dir.path().to_owned()]).unwrap();
    assert_eq!(minutes(&recordings), [0]);
    let lost = "not written by flowtop";
    let text = format!("{}: bytes {frame_bytes} to {end} are {lost}", file.display());
    assert_eq!(recordings.damage().iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
}

#[test]
fn damage_in_a_payload_is_told_when_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "flowtop-1.rec", "a", 1, &[0, 1]);
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let recordings = open(&[file]).unwrap();
    let read: Vec<_> = recordings.records(|_| true).collect();
    assert!(read[0].is_ok() && recordings.damage().is_empty());
    let error = read[1].as_ref().unwrap_err();
    assert!(
        matches!(error, Error::Damaged(_))
            && error.to_string().ends_with("are a record whose checksum is wrong")
    );
}

#[test]
fn a_file_that_has_been_removed_costs_its_records() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..OPEN_FILES as u64 + 2)
        .map(|number| write(dir.path(), &format!("flowtop-{number:02}.rec"), "a", 1, &[number]))
        .collect();
    let recordings = open(&[dir.path().to_owned()]).unwrap();
    assert!(recordings.records(|_| true).all(|read| read.is_ok()));
    // Those that were read last are still open.
    assert_eq!(recordings.open.lock().unwrap().len(), OPEN_FILES);
    for file in &files {
        fs::remove_file(file).unwrap();
    }
    let read: Vec<_> = recordings.heads().iter().rev().map(|at| recordings.read(at)).collect();
    assert!(read[..OPEN_FILES].iter().all(Result::is_ok));
    let error = read.last().unwrap().as_ref().unwrap_err();
    assert!(error.costs_one_record(), "{error}");
    let said = format!("{}: the file has been removed since its records were listed", files[0].display());
    assert_eq!(error.to_string(), said);
}

#[test]
fn records_of_one_host_share_its_name() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "flowtop-1.rec", "a", 1, &[0, 1]);
    write(dir.path(), "flowtop-2.rec", "a", 1, &[2]);
    let recordings = open(&[dir.path().to_owned()]).unwrap();
    let hosts = recordings.heads().windows(2).map(|pair| Arc::ptr_eq(&pair[0].head.host, &pair[1].head.host));
    assert_eq!(hosts.collect::<Vec<_>>(), [true, true]);
    assert!(size_of::<At>() <= 64);
}

#[test]
fn without_a_record_there_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("empty")).unwrap();
    fs::write(path("text"), "hello").unwrap();
    let said = |name: &str| open(&[path(name)]).unwrap_err().to_string();
    let here = dir.path().display();
    assert_eq!(
        said("none"),
        format!("there is no {here}/none; name a directory that `flowtop record` has written to")
    );
    assert_eq!(
        said("empty"),
        format!("there is no record in {here}/empty; `flowtop record -o DIR` makes one in DIR")
    );
    assert_eq!(
        said("text"),
        format!("there is no record that can be read: {here}/text: bytes 0 to 5 are not written by flowtop")
    );
}

#[test]
fn a_pipe_is_refused_and_one_in_a_directory_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "flowtop-1.rec", "a", 1, &[0]);
    let pipe = dir.path().join("flowtop-2.rec");
    mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
    assert_eq!(minutes(&open(&[dir.path().to_owned()]).unwrap()), [0]);
    let said = open(std::slice::from_ref(&pipe)).unwrap_err().to_string();
    assert_eq!(said, format!("{} is neither a file nor a directory; name a recording", pipe.display()));
}

#[test]
fn a_huge_foreign_file_is_not_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "flowtop-1.rec", "a", 1, &[0]);
    let frame_bytes = file.metadata().unwrap().len();
    let huge = 1 << 40;
    File::options().append(true).open(&file).unwrap().set_len(huge).unwrap();
    let recordings = open(&[file]).unwrap();
    assert_eq!(minutes(&recordings), [0]);
    let damage: Vec<_> = recordings.damage().iter().map(|damaged| damaged.damage).collect();
    let searched_to = frame_bytes + MAX_SEARCHED_BYTES;
    let foreign = Damage { offset: frame_bytes, bytes: MAX_SEARCHED_BYTES, cause: Cause::Foreign };
    let unsearched = Damage { offset: searched_to, bytes: huge - searched_to, cause: Cause::Unsearched };
    assert_eq!(damage, [foreign, unsearched]);
}
