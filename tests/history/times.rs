//! Hours that a clock shows twice or never, and records of a flowtop of the future.

use super::*;

/// Central European time, also where no file of time zones is installed.
const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// 2026-10-25 00:00 UTC: the clock shows the hour from 02:00 to 03:00 twice.
const BACK_S: i64 = 1_792_886_400;
/// 2027-03-28 00:00 UTC: at 02:00 the clock shows 03:00.
const AHEAD_S: i64 = 1_806_192_000;

/// Records two hours of one connection that sends 1,000 bytes a minute.
fn two_hours(recorded: &Recorded, from_s: i64) -> PathBuf {
    let ends = ["192.0.2.1:443", "198.51.100.7:50000"];
    let per_minute = Bytes { tx: 1000, rx: 0 };
    let connection = [Connection { id: 1, comm: "nginx", ends, life: 0..120, per_minute }];
    let minute = |minute| {
        let mut record = record("node-1", minute, &connection);
        for us in [&mut record.span.start_us, &mut record.span.end_us] {
            *us += (from_s - EIGHT_S) * 1_000_000;
        }
        record
    };
    recorded.write("node-1", (0..120).map(minute))
}

fn flowtop(command: &str, args: &[&str], dir: &Path) -> Output {
    let mut flowtop = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    flowtop.arg(command).args(args).arg(dir).env("TZ", ZONE).env("HOME", "/nonexistent").output().unwrap()
}

/// Bytes sent, and what is said above the rows.
fn asked(from: &str, to: &str, dir: &Path) -> (u64, String) {
    let period = ["--from", from, "--to", to];
    let of = |more: &[&str]| {
        let output = flowtop("report", &[&period[..], more].concat(), dir);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
        output
    };
    let json: Value = serde_json::from_str(stdout(&of(&["--format", "json"]))).unwrap();
    let text = of(&[]);
    let above: Vec<_> = stdout(&text).lines().take_while(|line| !line.starts_with('-')).collect();
    (json["total"]["tx_bytes"].as_u64().unwrap(), above.join("\n"))
}

#[test]
fn an_hour_that_came_twice_is_two_hours() {
    let recorded = Recorded::new();
    let dir = two_hours(&recorded, BACK_S);
    let (sent, said) = asked("2026-10-25 02:00", "2026-10-25 03:00", &dir);
    assert_eq!(sent, 120_000);
    assert_eq!(
        said,
        "2026-10-25 02:00:00 +02:00 to 2026-10-25 03:00:00 +01:00 (local time)\n\
         node-1: 120 records cover 100.0 % (2 h 0 min)\n\
         the clock showed 2026-10-25 02:00:00 twice; --from is the first time"
    );
    let (sent, said) = asked("2026-10-25 02:15", "2026-10-25 02:45", &dir);
    assert_eq!(sent, 90_000);
    assert!(said.ends_with("the clock showed 2026-10-25 02:45:00 twice; --to is the second time"), "{said}");
    // Each of the two hours by itself.
    for [from, to] in [["02:00:00+02:00", "02:00:00+01:00"], ["02:00:00+01:00", "03:00:00+01:00"]] {
        let [from, to] = [from, to].map(|time| format!("2026-10-25T{time}"));
        let (sent, said) = asked(&from, &to, &dir);
        assert_eq!((sent, said.lines().count()), (60_000, 2), "{said}");
    }
    let replayed = flowtop("replay", &["-t", "--at", "2026-10-25T02:59:00+02:00"], &dir);
    let caption = "node-1, 2026-10-25 02:59:00 +02:00 to 2026-10-25 02:00:00 +01:00, means over 60 s\n";
    assert!(stdout(&replayed).starts_with(caption), "{}{}", stdout(&replayed), stderr(&replayed));
}

#[test]
fn an_hour_that_never_came_is_no_time() {
    let recorded = Recorded::new();
    let dir = two_hours(&recorded, AHEAD_S);
    let (sent, said) = asked("2027-03-28 01:00", "2027-03-28 04:00", &dir);
    assert_eq!(sent, 120_000);
    assert_eq!(
        said,
        "2027-03-28 01:00:00 +01:00 to 2027-03-28 04:00:00 +02:00 (local time)\n\
         node-1: 120 records cover 100.0 % (2 h 0 min)"
    );
    let (sent, said) = asked("2027-03-28 01:30", "2027-03-28 02:30", &dir);
    assert_eq!(sent, 30_000);
    assert!(said.ends_with("the clock never showed 2027-03-28 02:30:00; --to is when it jumped"), "{said}");
    let nothing = flowtop("report", &["--from", "2027-03-28 02:10", "--to", "2027-03-28 02:50"], &dir);
    let said = stderr(&nothing);
    assert_eq!((nothing.status.code(), stdout(&nothing), said.lines().count()), (Some(2), "", 1), "{said}");
    assert!(said.contains("is not before --to"), "{said}");
}

/// A frame as a flowtop writes it that uses another format.
fn of_the_future(record: &Record) -> Vec<u8> {
    let mut frame = encode(record);
    let head_bytes = usize::from(u16::from_le_bytes([frame[10], frame[11]]));
    frame[8] = 99;
    let crc = crc32fast::hash(&frame[..head_bytes - 4]);
    frame[head_bytes - 4..head_bytes].copy_from_slice(&crc.to_le_bytes());
    frame
}

#[test]
fn records_of_a_newer_flowtop_are_told_and_the_others_are_read() {
    let recorded = Recorded::new();
    let connections = quiet_hour_with_a_burst();
    let minutes = [0, 1, 2].map(|minute| record("node-1", minute, &connections));
    let frames = [encode(&minutes[0]), of_the_future(&minutes[1]), encode(&minutes[2])];
    let [mixed, newer] = ["mixed", "newer"].map(|name| recorded.dir(name));
    let file = "flowtop-20261120T08Z.rec";
    for (dir, bytes) in [(&mixed, frames.concat()), (&newer, frames[1].clone())] {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join(file), bytes).unwrap();
    }
    let (start, end) = (frames[0].len(), frames[0].len() + frames[1].len());
    let needs = |dir: &Path, start: usize, end: usize| {
        let file = dir.join(file);
        format!(
            "{}: bytes {start} to {end} are a record in format 99, which needs a newer flowtop",
            file.display()
        )
    };
    let report = json(&[], &[&mixed]);
    assert_eq!(report["damage"], serde_json::json!([needs(&mixed, start, end)]));
    // Its bytes come from the counters of the record behind it.
    assert_eq!(report["total"]["tx_bytes"].as_u64(), Some(3 * 2 * 9_000));
    let replayed = flowtop("replay", &["-t", "--format", "json"], &mixed);
    assert_eq!((replayed.status.code(), stdout(&replayed).lines().count()), (Some(0), 2));
    let said = format!("flowtop: {}; all other records are shown\n", needs(&mixed, start, end));
    assert_eq!(stderr(&replayed), said);
    for command in [&["report"][..], &["replay", "-t"]] {
        let output = flowtop(command[0], &command[1..], &newer);
        let why = needs(&newer, 0, frames[1].len());
        let said = format!("flowtop: there is no record that can be read: {why}\n");
        assert_eq!((output.status.code(), stdout(&output), stderr(&output)), (Some(1), "", &said[..]));
    }
}

/// The period in a report made with this `TZ`, and its stderr.
fn in_zone(zone: &str, dir: &Path) -> (String, String) {
    let mut flowtop = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    flowtop
        .args(["report", "--from", "2026-10-25 00:00", "--to", "2026-10-25 09:00"])
        .arg(dir)
        .env("HOME", "/nonexistent");
    let output = flowtop.env("TZ", zone).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (stdout(&output).lines().next().unwrap().to_owned(), stderr(&output).to_owned())
}

#[test]
fn a_zone_that_is_unknown_is_told_and_all_others_are_taken() {
    let recorded = Recorded::new();
    let dir = two_hours(&recorded, BACK_S);
    let link = recorded.dir("localtime");
    fs::write(&link, tzif()).unwrap();
    let (path, colon) = (link.to_str().unwrap().to_owned(), format!(":{}", link.display()));
    // The forms that POSIX and the C library have; none of these needs a file of time zones but those that name one.
    for (zone, offset) in [
        ("", "+00:00"),
        ("UTC", "+00:00"),
        (":UTC", "+00:00"),
        ("Etc/UTC", "+00:00"),
        ("UTC0", "+00:00"),
        ("IST-5:30", "+05:30"),
        ("<+0530>-5:30", "+05:30"),
        (ZONE, "+02:00"),
        (&path, "+01:00"),
        (&colon, "+01:00"),
    ] {
        let (period, said) = in_zone(zone, &dir);
        assert!(period.contains(offset) && said.is_empty(), "{zone}: {period} {said}");
    }
    for zone in ["Asia/Nowhere", ":Asia/Nowhere", "IST", "/nonexistent/zone", "5:30", "\u{1b}[2J"] {
        let (period, said) = in_zone(zone, &dir);
        let shown = zone.escape_debug();
        assert!(period.contains("+00:00"), "{zone}: {period}");
        let expected =
            format!("flowtop: this system does not know the time zone \"{shown}\" of TZ, times are in UTC; ");
        assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said}");
    }
    // Whoever names the zone does not ask for that of the environment.
    let mut flowtop = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    flowtop.args(["report", "--timezone", "UTC", "--from", "2026-10-25 00:00"]).arg(&dir);
    let output = flowtop.env("TZ", "Asia/Nowhere").output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

/// A file of a zone that is always one hour ahead of UTC (RFC 9636): a block of 32-bit times, the same with 64 bits, and
/// the rule from then on.
fn tzif() -> Vec<u8> {
    let counts = [0, 0, 0, 0, 1, 4_u32].map(u32::to_be_bytes).concat();
    let block = [&b"TZif2"[..], &[0; 15], &counts, &3600_i32.to_be_bytes(), &[0, 0], b"CET\0"].concat();
    [&block[..], &block, b"\nCET-1\n"].concat()
}
