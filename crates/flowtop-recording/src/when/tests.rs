use super::*;
use proptest::prelude::*;

/// Central European time without the system's zone files.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn at(text: &str) -> ZonedDateTime {
    text.parse::<DateTime>().unwrap().to_zoned_datetime(berlin()).unwrap()
}

fn utc(at: Timestamp) -> String {
    at.to_string()
}

fn start(text: &str, now: &ZonedDateTime) -> Result<Moment, Error> {
    start_at(text, Edge::From, now).map(|stated| stated.moment)
}

fn start_of(text: &str, now: &str) -> String {
    start(text, &at(now)).map_or_else(|error| error.to_string(), |moment| utc(moment.at))
}

#[test]
fn a_time_is_what_people_mean_by_it() {
    const NOW: &str = "2026-11-21 08:30:00";
    for (text, expected) in [
        ("now", "2026-11-21T07:30:00Z"),
        ("08:00", "2026-11-21T07:00:00Z"),
        ("8:00", "2026-11-21T07:00:00Z"),
        ("08:30:00", "2026-11-21T07:30:00Z"),
        ("08:30:01", "2026-11-20T07:30:01Z"),
        ("23:59", "2026-11-20T22:59:00Z"),
        ("00:00", "2026-11-20T23:00:00Z"),
        ("yesterday 08:00", "2026-11-20T07:00:00Z"),
        ("yesterday", "2026-11-19T23:00:00Z"),
        ("today", "2026-11-20T23:00:00Z"),
        ("today 10:00", "2026-11-21T09:00:00Z"),
        ("3m ago", "2026-11-21T07:27:00Z"),
        ("90 s ago", "2026-11-21T07:28:30Z"),
        ("1h30m ago", "2026-11-21T06:00:00Z"),
        ("2 days ago", "2026-11-19T07:30:00Z"),
        ("2026-11-20", "2026-11-19T23:00:00Z"),
        ("2026-11-20 08:00", "2026-11-20T07:00:00Z"),
        ("2026-11-20T08:00:15.5", "2026-11-20T07:00:15.5Z"),
        ("2026-07-20 08:00", "2026-07-20T06:00:00Z"),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
        ("2026-11-20T08:00:00-05:00", "2026-11-20T13:00:00Z"),
        (" 2026-11-20 08:00:00+02:00 ", "2026-11-20T06:00:00Z"),
    ] {
        assert_eq!(start_of(text, NOW), expected, "{text}");
    }
}

#[test]
fn what_is_no_time_is_told_what_is() {
    for text in [
        "",
        "8",
        "0800",
        "08:60",
        "25:00",
        "8 o'clock",
        "3m",
        "ago",
        "-3m ago ago",
        "tomorrow",
        "2026-13-01",
        "2026-11-20 25:00",
        "20261120",
        "2026-11-20T08:00[Europe/Berlin]",
        "08:00 CET",
        "yesterday 3m ago",
        "noon",
    ] {
        let error = start(text, &at("2026-11-21 08:30:00")).unwrap_err().to_string();
        assert!(
            error.starts_with("--from: \"") && error.contains("08:00, \"yesterday 08:00\""),
            "{text}: {error}"
        );
    }
}

#[test]
fn the_end_of_a_period_is_after_its_start() {
    let of = |from, to, now| {
        let asked = period(from, to, &at(now)).unwrap();
        (asked.from.map(utc).unwrap_or_default(), utc(asked.to.unwrap()))
    };
    let both = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let (morning, evening) = ("2026-11-21 08:30:00", "2026-11-21 22:00:00");
    let nine = both("2026-11-21T07:00:00Z", "2026-11-21T08:00:00Z");
    assert_eq!(of(Some("08:00"), Some("09:00"), evening), nine);
    // The period has begun and is not over.
    assert_eq!(of(Some("08:00"), Some("09:00"), morning), nine);
    assert_eq!(of(Some("yesterday 08:00"), Some("09:00"), evening).1, "2026-11-20T08:00:00Z");
    assert_eq!(of(Some("2026-11-02"), Some("09:00"), evening).1, "2026-11-02T08:00:00Z");
    assert_eq!(of(None, Some("09:00"), morning), both("", "2026-11-20T08:00:00Z"));
    assert_eq!(period(None, None, &at(morning)), Ok(Asked { from: None, to: None, notes: vec![] }));
    assert_eq!(of(Some("08:00"), None, morning), both("2026-11-21T07:00:00Z", "2026-11-21T07:30:00Z"));
}

#[test]
fn two_clock_times_are_of_one_day_and_swapped_ones_are_an_error() {
    let swapped =
        |from: &str, to: &str, now: &str| period(Some(from), Some(to), &at(now)).unwrap_err().to_string();
    for now in ["2026-11-21 08:30:00", "2026-11-21 00:30:00", "2026-11-21 23:30:00"] {
        assert_eq!(
            swapped("09:00", "08:00", now),
            "--from 09:00 --to 08:00: without a day both are times of one day, and 09:00 is not before 08:00; swap them, \
             or for a period over midnight name the day, as --from 'yesterday 09:00' --to 08:00"
        );
        assert!(swapped("08:00", "08:00", now).contains("08:00 is not before 08:00"));
        assert!(swapped("23:59:59", "0:00", now).contains("--from 'yesterday 23:59:59' --to 0:00"));
        assert_eq!(
            range("09:00..08:00", &at(now)).unwrap_err().to_string(),
            "09:00..08:00: without a day both are times of one day, and 09:00 is not before 08:00; swap them, or for a \
             period over midnight name the day, as 'yesterday 09:00..08:00'"
        );
    }
    // Nor is one that the clock showed twice behind itself.
    assert!(swapped("02:45", "02:15", "2026-10-25 12:00:00").contains("swap them"));
    assert!(swapped("02:15", "02:15", "2026-10-25 12:00:00").contains("swap them"));
}

#[test]
fn a_period_over_midnight_names_the_day_and_is_told_as_it_was_read() {
    let of = |from: &str, to: &str, now: &str| {
        let asked = period(Some(from), Some(to), &at(now))?;
        Ok::<_, Error>((utc(asked.to.unwrap()), asked.notes.concat()))
    };
    let told = |utc: &str, note: &str| Ok((utc.to_owned(), note.to_owned()));
    let (early, late) = ("2026-11-21 07:30:00", "2026-11-21 22:00:00");
    let next_day = "--to 08:00 is the first one after the start: 2026-11-21 08:00:00 +01:00";
    for now in [early, late] {
        assert_eq!(of("yesterday 09:00", "08:00", now), told("2026-11-21T07:00:00Z", next_day));
        assert_eq!(of("yesterday 08:00", "08:00", now), told("2026-11-21T07:00:00Z", next_day));
    }
    // The report begins with both ends, so of one day there is no more to say.
    assert_eq!(of("yesterday 08:00", "09:00", late), told("2026-11-20T08:00:00Z", ""));
    assert_eq!(of("today 08:00", "09:00", late), told("2026-11-21T08:00:00Z", ""));
    assert_eq!(of("1h ago", "21:30", late), told("2026-11-21T20:30:00Z", ""));
    assert_eq!(of("30h ago", "03:00", late).unwrap().0, "2026-11-21T02:00:00Z");
    // Tomorrow nothing has been recorded, so that is not what was meant.
    for (from, to) in [("today 09:00", "08:00"), ("1h ago", "20:00"), ("2026-11-21T20:00:00Z", "20:00")] {
        let wrong = of(from, to, late).unwrap_err().to_string();
        assert!(wrong.contains("the next one has not come (2026-11-22 "), "{from}: {wrong}");
    }
    let twice = of("2026-10-25 02:45", "02:15", late);
    assert_eq!(twice.unwrap().0, "2026-10-26T01:15:00Z");
}

#[test]
fn a_period_that_ends_before_it_starts_is_an_error_with_both_ends() {
    let wrong = |from: &str, to: Option<&str>| {
        period(Some(from), to, &at("2026-11-21 08:30:00")).unwrap_err().to_string()
    };
    let (nine, eight) = ("2026-11-20 09:00:00", "2026-11-20 08:00:00");
    assert_eq!(
        wrong("2026-11-20 09:00", Some("2026-11-20 08:00")),
        format!("--from {nine} +01:00 is not before --to {eight} +01:00; swap them")
    );
    assert_eq!(
        wrong("2026-11-20T09:00:00+01:00", Some("2026-11-20 08:00")),
        format!("--from {nine} +01:00 is not before --to {eight} +01:00; swap them")
    );
    assert_eq!(
        wrong("2026-11-20 08:00", Some("2026-11-20 08:00")),
        format!("--from {eight} +01:00 is not before --to {eight} +01:00; the period is empty")
    );
    assert_eq!(
        wrong("10m ago", Some("20m ago")),
        "--from 2026-11-21 08:20:00 +01:00 is not before --to 2026-11-21 08:10:00 +01:00; swap them"
    );
    let now = "2026-11-21 08:30:00 +01:00";
    assert_eq!(wrong("now", None), format!("--from {now} is not before now, {now}; give an earlier one"));
    assert!(wrong("2026-11-22", None).contains("is not before now"));
    assert_eq!(
        range("2026-11-20 09:00..2026-11-20 08:00", &at("2026-11-21 08:30:00")).unwrap_err().to_string(),
        format!("the start {nine} +01:00 is not before the end {eight} +01:00; swap them")
    );
    // As the clock shows them they are swapped, though the second 02:15 came after the first 02:45.
    assert_eq!(
        wrong("2026-10-25 02:45", Some("2026-10-25 02:15")),
        "--from 2026-10-25 02:45:00 is not before --to 2026-10-25 02:15:00; swap them"
    );
}

#[test]
fn a_range_is_both_ends_in_one_text() {
    let now = at("2026-11-21 08:30:00");
    let one = range("yesterday 08:00..09:00", &now).unwrap();
    assert_eq!(Ok(one), period(Some("yesterday 08:00"), Some("09:00"), &now));
    let over_midnight = range("yesterday 23:00..01:00", &now).unwrap();
    assert_eq!(
        over_midnight.notes,
        ["the end 01:00 is the first one after the start: 2026-11-21 01:00:00 +01:00"]
    );
    for text in ["08:00", "..", "08:00..", "..09:00"] {
        assert!(range(text, &now).unwrap_err().to_string().contains("write one like 08:00..09:00"), "{text}");
    }
}

#[test]
fn a_time_that_came_twice_is_the_first_as_start_and_the_second_as_end() {
    let now = at("2026-10-25 12:00:00");
    let asked = period(Some("02:15"), Some("02:45"), &now).unwrap();
    assert_eq!(
        (asked.from.map(utc), utc(asked.to.unwrap())),
        (Some("2026-10-25T00:15:00Z".into()), "2026-10-25T01:45:00Z".into())
    );
    assert_eq!(
        asked.notes,
        [
            "the clock showed 2026-10-25 02:15:00 twice; --from is the first time",
            "the clock showed 2026-10-25 02:45:00 twice; --to is the second time"
        ]
    );
    // At the first 02:30 the second one has not come.
    let first: Timestamp = "2026-10-25T00:35:00Z".parse().unwrap();
    assert_eq!(utc(start("02:30", &first.to_zoned_datetime(berlin())).unwrap().at), "2026-10-25T00:30:00Z");
}

#[test]
fn a_time_that_never_came_is_when_the_clock_jumped() {
    let now = at("2026-03-29 12:00:00");
    let asked = period(Some("02:30"), Some("03:30"), &now).unwrap();
    assert_eq!(
        (asked.from.map(utc), utc(asked.to.unwrap())),
        (Some("2026-03-29T01:00:00Z".into()), "2026-03-29T01:30:00Z".into())
    );
    assert_eq!(asked.notes, ["the clock never showed 2026-03-29 02:30:00; --from is when it jumped"]);
    // A day is a day of the calendar, not 24 hours.
    assert_eq!(start_of("1 day ago", "2026-03-29 12:00:00"), "2026-03-28T11:00:00Z");
    assert_eq!(start_of("24h ago", "2026-03-29 12:00:00"), "2026-03-28T10:00:00Z");
}

#[test]
fn a_zone_has_a_name_or_says_what_it_is() {
    assert_eq!(zone_name(&TimeZone::UTC), "UTC");
    assert_eq!(zone_name(&berlin()), "local time");
    assert_eq!(show(Timestamp::UNIX_EPOCH, &berlin()), "1970-01-01 01:00:00 +01:00");
}

/// Seconds of the years 2000 to 2100.
fn any_second() -> impl Strategy<Value = Timestamp> {
    (946_684_800..4_102_444_800_i64).prop_map(|s| Timestamp::from_second(s).unwrap())
}

/// A time as people write it, near to each other.
fn a_time() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..24_u8, 0..60_u8).prop_map(|(h, m)| format!("{h:02}:{m:02}")),
        (0..24_u8, 0..60_u8).prop_map(|(h, m)| format!("yesterday {h:02}:{m:02}")),
        (0..24_u8, 0..60_u8).prop_map(|(h, m)| format!("today {h:02}:{m:02}")),
        (0..3000_u16).prop_map(|m| format!("{m}m ago")),
        Just("now".to_owned()),
    ]
}

proptest! {
    #[test]
    fn a_moment_is_read_as_it_is_written(then in any_second(), now in any_second()) {
        let now = now.to_zoned_datetime(berlin());
        prop_assert_eq!(start(&then.to_string(), &now).unwrap().at, then);
        let local = then.to_zoned_datetime(berlin());
        prop_assert_eq!(start(&local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(), &now).unwrap().at, then);
        let read = start(&local.strftime("%Y-%m-%d %H:%M:%S").to_string(), &now).unwrap();
        prop_assert!(read.at == then || read.note.is_some());
        // As a start and as an end it encloses what was meant.
        let end = moment(local.datetime(), &berlin(), Edge::To).unwrap();
        prop_assert!(read.at <= then && then <= end.at);
    }

    #[test]
    fn a_clock_time_is_its_latest_occurrence(now in any_second(), h in 0..24_i8, m in 0..60_i8) {
        let now = now.to_zoned_datetime(berlin());
        let read = start(&format!("{h:02}:{m:02}"), &now).unwrap();
        let behind_s = now.timestamp().as_second() - read.at.as_second();
        prop_assert!((0..=25 * 3600).contains(&behind_s), "{}", behind_s);
        let local = read.at.to_zoned_datetime(berlin());
        prop_assert!((local.hour(), local.minute()) == (h, m) || read.note.is_some());
    }

    #[test]
    fn later_local_times_are_never_earlier(a in any_second(), s in 0..200_000_i64) {
        let first = a.to_zoned_datetime(TimeZone::UTC).datetime();
        let second = first.checked_add(s.seconds()).unwrap();
        let of = |local| moment(local, &berlin(), Edge::From).unwrap().at;
        prop_assert!(of(first) <= of(second));
    }

    #[test]
    fn what_is_taken_for_a_period_is_none_when_it_is_swapped(
        a in a_time(), b in a_time(), now in any_second(),
    ) {
        let now = now.to_zoned_datetime(berlin());
        let of = |from: &str, to: &str| period(Some(from), Some(to), &now);
        if let Ok(Asked { from: Some(from), to: Some(to), .. }) = of(&a, &b) {
            prop_assert!(from < to, "{} {}", from, to);
            let as_range = range(&format!("{a}..{b}"), &now).unwrap();
            prop_assert_eq!((as_range.from, as_range.to), (Some(from), Some(to)));
            // Only a day at the start can tell two periods apart: `yesterday 09:00` to 08:00, and the other way round.
            let only_one_has_a_day = a.contains(':') && a.len() == 5 || b.contains(':') && b.len() == 5;
            prop_assert!(only_one_has_a_day && a.len() != b.len() || of(&b, &a).is_err(), "{} {}", a, b);
        }
    }
}
