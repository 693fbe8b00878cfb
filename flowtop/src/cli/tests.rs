use super::*;
use std::time::Duration;

use crate::filter_names::HostNames;
use flowtop_recording::span;
use flowtop_view::config_toml;
use flowtop_view::iftoprc;
use flowtop_view::settings::quantity::BitsPerSecond;
use flowtop_view::settings::value::Value as _;
use flowtop_view::settings::{Reading, Settings};
use flowtop_view::watch::action::Action;
use flowtop_view::watch::condition::Condition;
use proptest::prelude::*;

/// Flags that are not settings of their own: they select files or are shorthand for another flag.
const NO_SETTINGS: [&str; 5] = ["config", "lenient", "print_config", "bytes", "demo"];

/// Settings of iftop's file that iftop has no flag for; each has a key of the screen.
const NO_FLAGS: [&str; 6] =
    ["hide-source", "hide-destination", "line-display", "show-totals", "log-scale", "screen-filter"];

fn typed(line: &[&str]) -> Typed {
    let matches = command().try_get_matches_from(line.iter().copied()).unwrap();
    Typed::of(&matches).unwrap()
}

/// The lines of `--print-config` that are not defaults, without their padding.
fn set(line: &[&str]) -> Vec<String> {
    let reading = Reading { lenient: false, check: &|_, _| Ok(()) };
    let (settings, _) = Settings::resolve(&typed(line).assignments, &reading).unwrap();
    let printed = settings.print();
    let set = printed.lines().filter(|line| !line.ends_with("# default"));
    set.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_flags_are_consistent() {
    command().debug_assert();
}

#[test]
fn every_flag_is_a_setting_and_every_setting_a_flag() {
    let command = super::command();
    let flags = command.get_arguments().map(|arg| arg.get_id().as_str());
    let mut flags: Vec<_> =
        flags.filter(|id| !NO_SETTINGS.contains(id)).map(|id| id.replace('_', "-")).collect();
    flags.sort_unstable();
    let mut names: Vec<_> = KEYS.iter().map(|key| key.name).filter(|name| !NO_FLAGS.contains(name)).collect();
    names.sort_unstable();
    assert_eq!(flags, names);
}

#[test]
fn help_tells_the_defaults_of_the_settings() {
    let command = super::command();
    let printed = Settings::default().print();
    let default = |name: &str| {
        let value = printed.lines().find(|line| line.split(' ').next() == Some(name))?.split(" = ").nth(1)?;
        Some(value.split("  #").next()?.trim().trim_matches('"').to_owned())
    };
    let with_values = command.get_arguments().filter(|arg| arg.get_action().takes_values());
    let mut told = 0;
    for (arg, value) in with_values.filter_map(|arg| Some((arg, arg.get_default_values().first()?.to_str()?)))
    {
        assert_eq!(default(arg.get_long().unwrap()).as_deref(), Some(value), "{}", arg.get_id());
        told += 1;
    }
    assert_eq!(told, 11);
}

#[test]
fn nothing_typed_sets_nothing() {
    assert_eq!(set(&["flowtop"]), Vec::<String>::new());
}

#[test]
fn clusters_and_glued_values() {
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["-nNPB"],
            &[
                "numeric = true # --numeric",
                "numeric-ports = true # --numeric-ports",
                "ports = \"on\" # --ports",
                "unit = \"bytes\" # --bytes",
            ],
        ),
        (&["-s5"], &["seconds = 5 # --seconds"]),
        (
            &["-nNpPi", "em0"],
            &[
                "interface = [\"em0\"] # --interface",
                "promiscuous = true # --promiscuous",
                "numeric = true # --numeric",
                "numeric-ports = true # --numeric-ports",
                "ports = \"on\" # --ports",
            ],
        ),
        (&["-Pt"], &["ports = \"on\" # --ports", "text = true # --text"]),
        (&["-tPs1"], &["ports = \"on\" # --ports", "text = true # --text", "seconds = 1 # --seconds"]),
        (&["-P", "-m10M"], &["ports = \"on\" # --ports", "max-bandwidth = 10485760 # --max-bandwidth"]),
        (&["-Flo/8", "-ilo"], &["interface = [\"lo\"] # --interface", "net = [\"lo/8\"] # --net"]),
    ];
    for (line, expected) in cases {
        assert_eq!(set(&[&["flowtop"], *line].concat()), *expected, "{line:?}");
    }
}

#[test]
fn the_last_one_wins_and_lists_grow() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["-s", "5", "-s", "7"], &["seconds = 7 # --seconds"]),
        (&["-o2s", "--sort=source"], &["sort = \"source\" # --sort"]),
        (&["-n", "-n"], &["numeric = true # --numeric"]),
        (&["-B", "-u", "bits"], &["unit = \"bits\" # --unit"]),
        (&["-u", "packets", "-B"], &["unit = \"bytes\" # --bytes"]),
        (&["-P", "--ports=off"], &["ports = \"off\" # --ports"]),
        (&["--ports=source-only", "-P"], &["ports = \"on\" # --ports"]),
        (&["-i", "a", "-i", "b"], &["interface = [\"a\", \"b\"] # --interface"]),
        (&["-G", "a/8", "--net6", "b/9"], &["net6 = [\"a/8\", \"b/9\"] # --net6"]),
        (&["--fields", "a,b", "--fields=c"], &["fields = [\"a\", \"b\", \"c\"] # --fields"]),
    ];
    for (line, expected) in cases {
        assert_eq!(set(&[&["flowtop"], *line].concat()), *expected, "{line:?}");
    }
}

/// Two different valid values of a flag.
fn two_values(value_name: &str) -> [&'static str; 2] {
    match value_name {
        "N" | "PID" | "INODE" | "DAYS" | "COUNT" => ["5", "7"],
        "TIME" => ["60s", "5m"],
        "BYTES" | "RATE" => ["1G", "2G"],
        "KEYS" => ["pod", "peer"],
        "FORM" => ["json", "csv"],
        "WHICH" => ["on", "off"],
        _ => ["one", "two"],
    }
}

/// Gives a flag twice. Returns clap's error, or the values that take effect.
fn given_twice(path: &[&str], needed: &[&str], arg: &clap::Arg) -> Result<Vec<String>, String> {
    let flag = format!("--{}", arg.get_long().unwrap());
    let name = arg.get_value_names().map_or("", |names| names[0].as_str());
    let values = two_values(name).map(|value| format!("{flag}={value}"));
    let both = values.iter().map(String::as_str);
    let line: Vec<&str> = path.iter().chain(needed).copied().chain(both).collect();
    let matches = command().try_get_matches_from(line).map_err(|error| error.to_string())?;
    let matches = matches.subcommand().map_or(&matches, |(_, of_command)| of_command);
    let found = matches.get_raw(arg.get_id().as_str()).unwrap();
    Ok(found.map(|value| value.to_str().unwrap().to_owned()).collect())
}

/// Long flags that take a value.
fn valued(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command.get_arguments().filter(|arg| arg.get_long().is_some() && arg.get_action().takes_values())
}

#[test]
fn no_flag_that_is_given_twice_loses_a_value_without_a_word() {
    let root = super::command();
    let mut seen = 0;
    let commands = root.get_subcommands().map(|command| (vec!["flowtop", command.get_name()], command));
    for (path, command) in std::iter::once((vec!["flowtop"], &root)).chain(commands) {
        for arg in valued(command) {
            let id = arg.get_id().as_str();
            let needed: &[&str] = match (path.last(), id) {
                (Some(&"watch"), "when") => &["--then=print"],
                (Some(&"watch"), "actions") => &["--when=x"],
                (Some(&"watch"), _) => &["--then=print", "--when=x"],
                _ => &[],
            };
            let is_iftops = path.last() != Some(&"report") && path.last() != Some(&"record");
            let [first, second] = two_values(arg.get_value_names().map_or("", |names| names[0].as_str()));
            let outcome = given_twice(&path, needed, arg);
            let what = format!("{path:?} --{}: {outcome:?}", arg.get_long().unwrap());
            match outcome {
                Ok(values) if matches!(arg.get_action(), clap::ArgAction::Append) => {
                    assert_eq!(values, [first, second], "{what}");
                }
                Ok(values) => {
                    assert!(is_iftops && LAST_HOLDS.contains(&id), "{what}");
                    assert_eq!(values, [second], "{what}");
                }
                Err(said) => {
                    let start = format!("error: the argument '--{} <", arg.get_long().unwrap());
                    assert!(said.starts_with(&start), "{what}");
                    assert!(said.contains(">' cannot be used multiple times\n"), "{what}");
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn switches_may_be_repeated() {
    let root = super::command();
    let commands = root.get_subcommands().map(|command| (vec!["flowtop", command.get_name()], command));
    for (path, command) in std::iter::once((vec!["flowtop"], &root)).chain(commands) {
        let switches = command.get_arguments().filter(|arg| !arg.get_action().takes_values());
        for flag in switches.filter_map(clap::Arg::get_long) {
            let flag = format!("--{flag}");
            let needed = if path.last() == Some(&"watch") { &["--then=print", "--when=x"][..] } else { &[] };
            let line = path.iter().copied().chain([flag.as_str(); 2]).chain(needed.iter().copied());
            super::command().try_get_matches_from(line).unwrap();
        }
    }
}

#[test]
fn values_may_look_like_flags_where_they_are_numbers() {
    let assignments = typed(&["flowtop", "-L", "-1", "-s-2", "--interval", "-3"]).assignments;
    let texts: Vec<_> = assignments.iter().map(|a| (a.key.name, a.texts.concat())).collect();
    let expected = [("rows", "-1"), ("seconds", "-2"), ("interval", "-3")];
    assert_eq!(texts, expected.map(|(name, text)| (name, text.to_owned())));
}

#[test]
fn what_is_no_flag_is_refused() {
    for line in [&["-Z"][..], &["-s"], &["-t", "operand"], &["-i", "lo", "doctor"], &["-L", "-x"], &["-t=1"]]
    {
        let error = command().try_get_matches_from([&["flowtop"], line].concat()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line:?}");
    }
}

/// Parses a value as the given flag does.
fn flag_value<T: Clone + Send + Sync + 'static>(line: &[&str], id: &str) -> Option<T> {
    let line = ["flowtop"].iter().chain(line);
    let matches = super::command().try_get_matches_from(line).ok()?;
    let (_, of_command) = matches.subcommand().unwrap();
    of_command.get_one::<T>(id).cloned()
}

/// Parses a rate as the setting `max-bandwidth` does, from a flag or a file.
fn max_bandwidth(assignments: &[Assignment]) -> Option<u64> {
    let reading = Reading { lenient: false, check: &|_, _| Ok(()) };
    Settings::resolve(assignments, &reading).ok()?.0.max_bandwidth.value.map(|rate| rate.0)
}

/// Every place that takes a rate or a size, with its parser.
fn quantities(text: &str) -> Vec<(&'static str, Option<u64>)> {
    let size = |flag: &str, id| flag_value::<u64>(&["record", &format!("{flag}={text}")], id);
    let watched = Condition::parse(&format!("tx > {text} for 1s"), &HostNames::read());
    let flag = ["flowtop".to_owned(), format!("-m{text}")];
    let flag =
        super::command().try_get_matches_from(flag).map(|matches| Typed::of(&matches).unwrap().assignments);
    let toml = config_toml::parse(&format!("max-bandwidth = \"{text}\""), "f").unwrap_or_default();
    let rc = iftoprc::parse(&format!("max-bandwidth: {text}"), "f", &[]).assignments;
    let limit = flag_value::<BitsPerSecond>(&["report", &format!("--limit={text}")], "limit");
    vec![
        ("--over", size("--over", "over")),
        ("--max-size", size("--max-size", "max_size")),
        ("--min-free", size("--min-free", "min_free")),
        ("--limit", limit.map(|rate| rate.0)),
        ("--when", watched.ok().map(|condition| condition.bits_per_s)),
        ("-m", flag.ok().and_then(|assignments| max_bandwidth(&assignments))),
        ("config.toml", max_bandwidth(&toml)),
        (".iftoprc", max_bandwidth(&rc)),
        ("z", BitsPerSecond::parse(text).ok().map(|rate| rate.0)),
    ]
}

/// Every place that takes a duration, with its parser.
fn spans(text: &str) -> Vec<(&'static str, Option<Duration>)> {
    let recorded = |flag: &str, id| flag_value::<Duration>(&["record", &format!("{flag}={text}")], id);
    let after = match Action::parse(&format!("record {text}")) {
        Ok(Action::Record(after)) => Some(after),
        _ => None,
    };
    let watched = Condition::parse(&format!("tx > 1 for {text}"), &HostNames::read());
    vec![
        ("--every", recorded("--every", "every")),
        ("--for", recorded("--for", "length")),
        ("--before and --hold-off", span::parse(text).ok()),
        ("record", after),
        ("--when", watched.ok().map(|condition| condition.held_for)),
    ]
}

/// Parses a duration as a report flag does, to milliseconds.
fn setting_ms(flag: &str, text: &str) -> Option<u128> {
    let line = ["flowtop".to_owned(), format!("{flag}={text}")];
    let matches = super::command().try_get_matches_from(line).ok()?;
    let reading = Reading { lenient: false, check: &|_, _| Ok(()) };
    let (settings, _) = Settings::resolve(&Typed::of(&matches).unwrap().assignments, &reading).ok()?;
    Some(match flag {
        "--seconds" => u128::from(settings.seconds.value.0) * 1000,
        _ => settings.interval.value.0.as_millis(),
    })
}

#[test]
fn every_spelling_of_a_time_is_taken_wherever_one_of_its_length_is() {
    for (text, seconds) in [
        ("60", 60),
        ("5s", 5),
        ("90 s", 90),
        ("5m", 300),
        ("5 minutes", 300),
        ("1m30s", 90),
        ("1m 30s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2h", 7200),
        ("1d", 86_400),
        ("PT5M", 300),
        ("1:30:00", 5400),
    ] {
        let expected = Duration::from_secs(seconds);
        // In a condition a time goes on behind a blank with a number alone.
        let goes_on = !text.split(' ').skip(1).any(|word| word.starts_with(char::is_alphabetic));
        for (place, time) in spans(text).into_iter().filter(|(place, _)| goes_on || *place != "--when") {
            assert_eq!(time, Some(expected), "{place} {text}");
        }
        for flag in ["--seconds", "--interval"] {
            assert_eq!(setting_ms(flag, text), Some(expected.as_millis()), "{flag} {text}");
        }
    }
    for (text, ms) in
        [("0.5", 500), (".5", 500), ("1e1", 10_000), ("500ms", 500), ("1.5s", 1500), ("0.1s", 100)]
    {
        assert_eq!(setting_ms("--interval", text), Some(ms), "{text}");
    }
    for (text, ms) in [("0", 0), ("0s", 0), ("30d", 2_592_000_000), ("4294967295", 4_294_967_295_000)] {
        assert_eq!(setting_ms("--seconds", text), Some(ms), "{text}");
    }
    assert_eq!(span::parse("30d"), Ok(Duration::from_hours(30 * 24)));
}

fn same_everywhere<T: PartialEq + std::fmt::Debug>(values: &[(&str, Option<T>)]) {
    assert!(values.iter().all(|(_, value)| *value == values[0].1), "{values:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_quantity_that_one_place_takes_is_the_same_in_every_place(
        text in "[0-9]{1,6}(\\.[0-9]{1,3})?[bBkKmMgGtTpPeE]?",
    ) {
        same_everywhere(&quantities(&text));
    }

    /// A record covers at most a day.
    #[test]
    fn a_span_of_a_day_at_most_is_the_same_in_every_place(
        text in "[0-9]{1,4}[smh]?|1d|[0-9]h ?[0-9]{1,2}m|[0-9]\\.5[mh]|[0-9]{1,3}(ms|us|w|x)|0s?",
    ) {
        let all = spans(&text);
        prop_assume!(all[2].1.is_none_or(|span| span <= Duration::from_hours(24)));
        same_everywhere(&all);
    }
}

#[test]
fn every_unit_and_a_fraction_are_taken_everywhere() {
    for (text, expected) in
        [("5.5G", 11 << 29), ("1T", 1 << 40), ("10M", 10 << 20), ("100", 100), ("2P", 2 << 50)]
    {
        for (place, value) in quantities(text) {
            assert_eq!(value, Some(expected), "{place} {text}");
        }
    }
}
