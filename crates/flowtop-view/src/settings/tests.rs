use proptest::prelude::*;

use super::*;
use crate::config_toml;

const STRICT: Reading<'_> = Reading { lenient: false, check: &|_, _| Ok(()) };
const LENIENT: Reading<'_> = Reading { lenient: true, check: &|_, _| Ok(()) };

fn assigned(name: &str, texts: &[&str], origin: Origin) -> Assignment {
    let texts = texts.iter().map(|&text| text.to_owned()).collect();
    Assignment { key: key(name).unwrap(), texts, origin }
}

fn flag(name: &str, text: &str) -> Assignment {
    assigned(name, &[text], Origin::Flag(format!("--{name}")))
}

fn line(name: &str, text: &str, line: usize) -> Assignment {
    let origin = Origin::Line { file: "file".to_owned(), line, word: name.to_owned() };
    assigned(name, &[text], origin)
}

/// How the value of one setting is shown after one assignment, with the warnings or the error.
fn outcome(name: &str, text: &str, reading: &Reading<'_>) -> Result<(String, Vec<String>), String> {
    let (settings, warnings) =
        Settings::resolve(&[flag(name, text)], reading).map_err(|bad| bad.to_string())?;
    Ok(((key(name).unwrap().show)(&settings).0, warnings))
}

#[test]
fn right_values_are_read_and_shown() {
    let cases = [
        ("sort", "source", "\"source\""),
        ("ports", "destination-only", "\"destination-only\""),
        ("unit", "packets", "\"packets\""),
        ("line-display", "one-line-both", "\"one-line-both\""),
        ("format", "csv", "\"csv\""),
        ("hooks", "kprobe", "\"kprobe\""),
        ("hooks", "auto", "\"auto\""),
        ("seconds", "60", "60"),
        ("rows", "0", "0"),
        ("rows", "1000", "1000"),
        ("rows", "auto", "\"auto\""),
        ("interval", "0.25", "0.25"),
        ("max-flows", "16777216", "16777216"),
        ("max-bandwidth", "100", "100"),
        ("max-bandwidth", "100B", "100"),
        ("max-bandwidth", "1k", "1024"),
        ("max-bandwidth", "10M", "10485760"),
        ("max-bandwidth", "2g", "2147483648"),
        ("max-bandwidth", "5.5G", "5905580032"),
        ("max-bandwidth", "1T", "1099511627776"),
        ("numeric", "true", "true"),
        ("filter", "host \"a\" or\tb", "\"host \\\"a\\\" or\\tb\""),
        ("interface", "eth0", "[\"eth0\"]"),
    ];
    for (name, text, shown) in cases {
        assert_eq!(outcome(name, text, &STRICT), Ok((shown.to_owned(), Vec::new())), "{name} {text}");
    }
}

#[test]
fn wrong_values_say_what_would_be_right() {
    let seconds = "give whole seconds as 60, 90s or 5m, 0 for reports without end";
    let interval = "give 0.1 to 86400 seconds, or a time as 500ms or 5m";
    let rows = "give a number of rows, 0 for all";
    let rate = "give bits per second: a number with at most one of K, M, G, T, P in steps of 1024, as 500M or 1.5G, or with its unit in steps of 1000, as 5Gbit";
    let cases = [
        ("sort", "5s", "give one of 2s, 10s, 40s, cumulative, tx, rx, source, destination"),
        ("ports", "Both", "give one of off, source-only, destination-only, on"),
        ("format", "xml", "give one of text, json, csv"),
        ("numeric", "yes", "give true or false"),
        ("seconds", "2x", seconds),
        ("seconds", "-1", seconds),
        ("seconds", "+1", seconds),
        ("seconds", "", seconds),
        ("seconds", "4294967296", seconds),
        ("seconds", "1.5", seconds),
        ("seconds", "1500ms", seconds),
        ("seconds", "-5m", seconds),
        ("seconds", "5m ago", seconds),
        ("seconds", "50000d", seconds),
        ("rows", "abc", rows),
        ("rows", "-1", rows),
        ("interval", "0", interval),
        ("interval", "nan", interval),
        ("interval", "99ms", interval),
        ("interval", "25h", interval),
        ("interval", "+1s", interval),
        ("max-flows", "0", "give 1 to 16777216 connections"),
        ("max-bandwidth", "1.5", rate),
        ("max-bandwidth", "10Mx", rate),
        ("max-bandwidth", "10X", rate),
        ("max-bandwidth", "M", rate),
        ("max-bandwidth", "", rate),
        ("max-bandwidth", "9223372036854775807k", rate),
    ];
    for (name, text, right) in cases {
        let said = format!("invalid value \"{text}\" for --{name}: {right}");
        assert_eq!(outcome(name, text, &STRICT), Err(said));
    }
}

/// Messages and values as seen from iftop 1.0pre4.
#[test]
fn a_lenient_reading_does_as_iftop_does() {
    let cases = [
        ("sort", "5s", "\"10s\"", "Invalid enumeration value \"5s\" for directive \"sort\""),
        ("ports", "Both", "\"off\"", "Invalid enumeration value \"Both\" for directive \"port-display\""),
        ("max-bandwidth", "10X", "\"auto\"", "Invalid units in value: 10X"),
        ("max-bandwidth", "1.5X", "\"auto\"", "Invalid units in value: 1.5X"),
        ("max-bandwidth", "M", "\"auto\"", "Error reading rate: "),
        ("max-bandwidth", "", "\"auto\"", "Error reading rate: "),
        ("seconds", "2x", "2", ""),
        ("seconds", "abc", "0", ""),
        ("seconds", "-5", "1", ""),
        ("seconds", " 7", "7", ""),
        ("rows", "1x", "1", ""),
        ("rows", "abc", "-1", ""),
        ("rows", "-3", "-1", ""),
    ];
    for (name, text, shown, warning) in cases {
        let warnings = Vec::from_iter((!warning.is_empty()).then(|| warning.to_owned()));
        assert_eq!(outcome(name, text, &LENIENT), Ok((shown.to_owned(), warnings)), "{name} {text}");
    }
}

#[test]
fn what_iftop_does_not_know_is_an_error_to_a_lenient_reading_too() {
    for (name, text) in [("interval", "0"), ("max-flows", "no"), ("numeric", "1")] {
        assert!(outcome(name, text, &LENIENT).is_err(), "{name} {text}");
    }
}

#[test]
fn without_rows_there_are_none_and_0_is_all() {
    let rows = |limit: Option<&str>, format: &str| {
        let typed: Vec<_> = limit.into_iter().map(|text| flag("rows", text)).collect();
        let format = flag("format", format);
        Settings::resolve(typed.iter().chain([&format]), &LENIENT).unwrap().0.max_rows()
    };
    assert_eq!([rows(None, "text"), rows(None, "json"), rows(None, "csv")], [Some(10), None, None]);
    assert_eq!(
        [rows(Some("0"), "text"), rows(Some("3"), "json"), rows(Some("x"), "text")],
        [None, Some(3), Some(0)]
    );
}

#[test]
fn a_report_has_names_only_if_they_are_asked_for() {
    let names = |flags: &[&str]| {
        let typed: Vec<_> = flags.iter().map(|name| flag(name, "true")).collect();
        let view = Settings::resolve(&typed, &STRICT).unwrap().0.view();
        (view.host_names, view.service_names)
    };
    assert_eq!(names(&[]), (true, true));
    assert_eq!(names(&["numeric"]), (false, true));
    assert_eq!(names(&["text"]), (false, false));
    assert_eq!(names(&["text", "names"]), (true, true));
    assert_eq!(names(&["text", "names", "numeric-ports"]), (true, false));
}

#[test]
fn the_last_layer_holds_and_is_named() {
    let layers =
        [line("sort", "2s", 1), line("sort", "40s", 2), flag("sort", "source"), line("unit", "bytes", 3)];
    let (settings, _) = Settings::resolve(&layers, &STRICT).unwrap();
    assert_eq!((settings.sort.value, settings.sort.origin.to_string()), (Sort::Source, "--sort".to_owned()));
    assert_eq!((settings.unit.value, settings.unit.origin.to_string()), (Unit::Bytes, "file:3".to_owned()));
    assert_eq!(settings.rows.origin.to_string(), "default");
}

#[test]
fn a_list_replaces_that_of_the_layer_below() {
    let below = assigned("interface", &["eth0", "eth1"], Origin::Default);
    let (settings, _) = Settings::resolve(&[below, flag("interface", "lo")], &STRICT).unwrap();
    assert_eq!(settings.interface.value, ["lo"]);
}

#[test]
fn a_bad_line_is_named_by_file_and_number() {
    let bad = Settings::resolve(&[line("sort", "5s", 7)], &STRICT).unwrap_err().to_string();
    let said = "file:7: invalid value \"5s\" for sort: give one of 2s, 10s, 40s, cumulative, tx, rx, source, destination";
    assert_eq!(bad, said);
    let two = assigned("sort", &["2s", "5s"], Origin::Flag("--sort".to_owned()));
    let bad = Settings::resolve(&[two], &STRICT).unwrap_err().to_string();
    assert_eq!(bad, "invalid value \"5s\" for --sort: give one value");
}

#[test]
fn another_module_can_judge_a_text() {
    let check = |name: &str, text: &str| {
        let warning = Some(format!("Could not parse net/mask: {text}"));
        let instead = (text == "a/9").then(|| "a/2".to_owned());
        let wrong = Wrong { right: "give an address".to_owned(), warning, instead, pointer: None };
        if name == "net" && !text.ends_with('8') { Err(wrong) } else { Ok(()) }
    };
    let nets =
        [assigned("net", &["10/8", "abc", "a/9"], Origin::Flag("--net".to_owned())), flag("filter", "abc")];
    let strict = Settings::resolve(&nets, &Reading { lenient: false, check: &check });
    assert_eq!(strict.unwrap_err().to_string(), "invalid value \"abc\" for --net: give an address");
    let (settings, warnings) = Settings::resolve(&nets, &Reading { lenient: true, check: &check }).unwrap();
    assert_eq!(settings.net.value, ["10/8", "a/2"]);
    assert_eq!(warnings, ["abc", "a/9"].map(|text| format!("Could not parse net/mask: {text}")));
}

#[test]
fn every_name_stands_once() {
    let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    let mut directives: Vec<_> =
        KEYS.iter().flat_map(|key| key.directives).map(|directive| directive.name()).collect();
    let counts = (names.len(), directives.len());
    names.sort_unstable();
    names.dedup();
    directives.sort_unstable();
    directives.dedup();
    assert_eq!((names.len(), directives.len()), counts);
}

/// Names of the settings whose values are any text.
fn free_text() -> impl Strategy<Value = Vec<Assignment>> {
    let name = prop::sample::select(vec!["filter", "screen-filter", "interface", "net", "net6", "fields"]);
    prop::collection::vec((name, "\\PC*|[\\x00-\\x7f]*").prop_map(|(name, text)| flag(name, &text)), 0..4)
}

proptest! {
    #[test]
    fn what_is_printed_is_a_config_toml_of_the_same_settings(layers in free_text()) {
        let (settings, _) = Settings::resolve(&layers, &STRICT).unwrap();
        let lines = config_toml::parse(&settings.print(), "printed").unwrap();
        let (again, _) = Settings::resolve(&lines, &STRICT).unwrap();
        for key in KEYS {
            prop_assert_eq!((key.show)(&settings).0, (key.show)(&again).0, "{}", key.name);
        }
    }

    #[test]
    fn no_text_upsets_a_setting(index in 0..KEYS.len(), text in "\\PC*|-?[0-9]*[a-zA-Z.]?", lenient: bool) {
        let reading = Reading { lenient, ..STRICT };
        let name = KEYS[index].name;
        let says = format!("\"{text}\" for --{name}: give ");
        match outcome(name, &text, &reading) {
            Ok((shown, _)) => prop_assert!(!shown.is_empty()),
            Err(said) => prop_assert!(said.contains(&says), "{}", said),
        }
    }
}
