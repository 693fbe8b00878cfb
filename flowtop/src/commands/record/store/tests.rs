//! Tests with directories that another run holds, that are full, or that an interrupted run has left.

use super::*;
use crate::recordings;
use flowtop_core::record::fixture;
use flowtop_recording::format::frame::encode;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const NOW_US: i64 = 1_793_606_400_000_000;

fn open(dir: &Path, limits: Limits) -> (Store, Vec<String>) {
    Store::open(dir, limits, NOW_US).unwrap().expect("nobody else writes")
}

fn minutes(dir: &Path) -> Vec<u64> {
    let recordings = recordings::open(&[dir.to_owned()]).unwrap();
    assert_eq!(recordings.damage(), []);
    recordings.heads().iter().map(|at| at.head.span.start_ns / 60_000_000_000 - 60).collect()
}

fn write(store: &mut Store, minute: u64) -> Written {
    store.append(&mut fixture::record(minute, vec![])).unwrap()
}

#[test]
fn each_hour_has_a_file_that_only_its_owner_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("made/for/it");
    let (mut store, notes) = open(&below, Limits::default());
    for minute in [0, 59, 60] {
        write(&mut store, minute);
    }
    assert_eq!((minutes(&below), notes), (vec![0, 59, 60], vec![]));
    let files = ["flowtop-20261102T08Z.rec", "flowtop-20261102T09Z.rec", LOCK];
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(files.map(|file| mode(&below.join(file))), [0o600; 3]);
    assert_eq!(mode(&below), 0o700);
}

#[test]
fn a_clock_that_is_set_back_goes_on_in_the_hour_it_shows() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path(), Limits::default());
    for minute in [60, 61, 2, 62] {
        write(&mut store, minute);
    }
    assert_eq!(minutes(dir.path()), [2, 60, 61, 62]);
}

#[test]
fn a_torn_tail_is_cut_at_any_byte_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flowtop-20261102T08Z.rec");
    let frames = [0, 1].map(|minute| encode(&fixture::record(minute, vec![])));
    for length in 1..frames[1].len() {
        fs::write(&file, [&frames[0][..], &frames[1][..length]].concat()).unwrap();
        let (mut store, notes) = open(dir.path(), Limits::default());
        let told =
            format!("{}: the last record is not complete, its {length} bytes are cut off", file.display());
        assert_eq!(notes, [told]);
        write(&mut store, 2);
        assert_eq!(minutes(dir.path()), [0, 2]);
    }
}

#[test]
fn what_is_no_part_of_a_record_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flowtop-20261102T08Z.rec");
    let mut flipped = encode(&fixture::record(0, vec![]));
    *flipped.last_mut().unwrap() ^= 1;
    for (rest, number) in [(&b"notes of somebody"[..], 1), (&flipped, 2)] {
        fs::write(&file, rest).unwrap();
        let (mut store, notes) = open(dir.path(), Limits::default());
        assert_eq!(notes, Vec::<String>::new());
        write(&mut store, number);
        drop(store);
        assert_eq!(fs::read(&file).unwrap(), rest);
        assert_eq!(minutes(dir.path().join("flowtop-20261102T08Z-1.rec").as_path()).last(), Some(&number));
    }
    // Zeros after a power failure.
    fs::write(&file, [0; 4096]).unwrap();
    fs::remove_file(dir.path().join("flowtop-20261102T08Z-1.rec")).unwrap();
    let (mut store, notes) = open(dir.path(), Limits::default());
    assert!(notes[0].ends_with("its 4096 bytes are cut off"), "{notes:?}");
    write(&mut store, 3);
    assert_eq!(minutes(dir.path()), [3]);
}

/// Entries that have the name of a segment but are something else, and hard links.
#[test]
fn what_has_the_name_of_a_segment_and_is_none_neither_counts_nor_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let victim = tempfile::NamedTempFile::new().unwrap();
    fs::write(victim.path(), vec![7; 1 << 20]).unwrap();
    let (mut store, _) = open(dir.path(), Limits { max_bytes: Some(20_000), ..Limits::default() });
    write(&mut store, 0);
    // Root may hard-link a segment to keep it.
    fs::hard_link(path("flowtop-20261102T08Z.rec"), path("kept.rec")).unwrap();
    std::os::unix::fs::symlink(victim.path(), path("flowtop-20261101T08Z.rec")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path("flowtop-20261101T09Z.rec"), rustix::fs::Mode::RWXU).unwrap();
    write(&mut store, 60);
    assert_eq!(store.segments().unwrap().len(), 2);
    let kept = |name: &str| path(name).symlink_metadata().is_ok();
    assert!(kept("flowtop-20261101T08Z.rec") && kept("flowtop-20261101T09Z.rec"));
    let error = store.append(&mut fixture::record(0, vec![])).unwrap_err().to_string();
    assert!(error.contains("has 2 names (hard links)"), "{error}");
    drop(store);
    let said = Store::open(dir.path(), Limits::default(), NOW_US).unwrap_err().to_string();
    assert!(said.contains("is a symbolic link") || said.contains("is a pipe"), "{said}");
    assert_eq!(fs::read(victim.path()).unwrap(), vec![7; 1 << 20]);
}

#[test]
fn what_a_newer_flowtop_has_written_stays() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flowtop-20261102T08Z.rec");
    let mut frame = encode(&fixture::record(0, vec![]));
    let head_bytes = usize::from(u16::from_le_bytes([frame[10], frame[11]]));
    frame[8] = 99;
    let crc = crc32fast::hash(&frame[..head_bytes - 4]);
    frame[head_bytes - 4..head_bytes].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, &frame).unwrap();
    let (mut store, notes) = open(dir.path(), Limits::default());
    assert_eq!(notes, Vec::<String>::new());
    let written = write(&mut store, 1).bytes;
    assert_eq!(fs::metadata(&file).unwrap().len(), frame.len() as u64 + written);
}

#[test]
fn who_finds_it_locked_leaves_a_mark_for_the_next_record() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path(), Limits::default());
    assert!(Store::open(dir.path(), Limits::default(), NOW_US + 5).unwrap().is_none());
    let mut record = fixture::record(0, vec![]);
    store.append(&mut record).unwrap();
    assert_eq!(record.lock_conflicts_us, [NOW_US + 5]);
    let mut record = fixture::record(1, vec![]);
    store.append(&mut record).unwrap();
    assert!(record.lock_conflicts_us.is_empty());
    drop(store);
    open(dir.path(), Limits::default());
}

#[test]
fn no_more_bytes_than_allowed_are_there_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let one = encode(&fixture::record(0, vec![])).len() as u64;
    let max_bytes = one * 20;
    let limits = Limits { max_bytes: Some(max_bytes), ..Limits::default() };
    let (mut store, _) = open(dir.path(), limits);
    for minute in 0..200 {
        write(&mut store, minute);
        let bytes: u64 = store.segments().unwrap().iter().map(|(_, bytes)| bytes).sum();
        assert!(bytes <= max_bytes, "{bytes} bytes after minute {minute}");
    }
    let kept = minutes(dir.path());
    assert_eq!(kept.last(), Some(&199));
    assert!(kept.is_sorted() && kept.len() >= 15, "{} records are left", kept.len());
    drop(store);

    let limits = Limits { max_bytes: Some(one - 1), ..Limits::default() };
    let (mut store, _) = open(dir.path(), limits);
    let error = store.append(&mut fixture::record(200, vec![])).unwrap_err();
    assert!(error.to_string().contains("--max-size"), "{error}");
}

/// A record of minute `minute` of a boot, with a wall clock that is off by `wrong_us`.
fn at(minute: u64, boot: u8, wrong_us: i64) -> Record {
    let mut record = fixture::record(minute, vec![]);
    record.host.boot_id = [boot; 16];
    record.span.start_us += wrong_us;
    record.span.end_us += wrong_us;
    record
}

#[test]
fn a_clock_that_was_set_back_does_not_make_fresh_records_the_oldest() {
    const YEAR_US: i64 = 365 * 24 * 3600 * 1_000_000;
    let dir = tempfile::tempdir().unwrap();
    let one = encode(&fixture::record(0, vec![])).len() as u64;
    let limits = Limits { max_bytes: Some(one * 20), ..Limits::default() };
    let (mut store, _) = open(dir.path(), limits);
    // A wall clock a year ahead, in this boot and in the previous one.
    for (minutes, boot, wrong_us) in [(0..8, 1, YEAR_US), (8..16, 2, YEAR_US), (16..200, 2, 0)] {
        for minute in minutes {
            store.append(&mut at(minute, boot, wrong_us)).unwrap();
            let kept = minutes_of(dir.path());
            let last = kept.len() as u64;
            assert!(last > minute.min(14) && kept.into_iter().eq(minute + 1 - last..=minute), "{minute}");
        }
    }
    drop(store);
    // Segments of other runs count too.
    let (mut store, _) = open(dir.path(), limits);
    store.append(&mut at(200, 2, -YEAR_US)).unwrap();
    store.append(&mut at(201, 2, 0)).unwrap();
    assert_eq!(minutes_of(dir.path()).iter().rev().take(3).collect::<Vec<_>>(), [&201, &200, &199]);
}

/// Segments are ordered by the monotonic clock, which cannot be set.
fn minutes_of(dir: &Path) -> Vec<u64> {
    let mut minutes = minutes(dir);
    minutes.sort_unstable();
    minutes
}

#[test]
fn a_clock_that_is_set_for_the_first_time_does_not_make_fresh_records_old() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { keep_us: Some(2 * 3600 * 1_000_000), ..Limits::default() };
    let (mut store, _) = open(dir.path(), limits);
    // A board without a battery starts in 1970.
    for (minute, wrong_us) in [(0, -NOW_US), (1, -NOW_US), (2, 0), (3, 0)] {
        store.append(&mut at(minute, 2, wrong_us)).unwrap();
    }
    assert_eq!(minutes_of(dir.path()), [0, 1, 2, 3]);
    store.append(&mut at(122, 2, 0)).unwrap();
    assert_eq!(minutes_of(dir.path()), [2, 3, 122]);
}

#[test]
fn what_is_too_old_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { keep_us: Some(2 * 3600 * 1_000_000), ..Limits::default() };
    let (mut store, _) = open(dir.path(), limits);
    for minute in [0, 60, 240] {
        write(&mut store, minute);
    }
    assert_eq!(minutes(dir.path()), [240]);
}
