use proptest::prelude::*;

use super::*;
use crate::settings::{Reading, Settings, key};

/// Settings and warnings of a file: the lines of `--print-config` that are not defaults, without their padding.
fn outcome(text: &str, taken: &[&str]) -> (Vec<String>, Vec<String>) {
    let taken: Vec<_> = taken.iter().map(|name| key(name).unwrap()).collect();
    let found = parse(text, "rc", &taken);
    let reading = Reading { lenient: false, check: &|_, _| Ok(()) };
    let (settings, _) = Settings::resolve(&found.assignments, &reading).unwrap();
    let printed = settings.print();
    let set = printed.lines().filter(|line| !line.ends_with("# default"));
    (set.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect(), found.warnings)
}

#[test]
fn every_directive_sets_what_its_flag_sets() {
    let cases = [
        ("interface: eth0", "interface = [\"eth0\"]"),
        ("dns-resolution: no", "numeric = true"),
        ("dns-resolution: yes", "numeric = false"),
        ("port-resolution: no", "numeric-ports = true"),
        ("filter-code: port 80 or 443", "filter = \"port 80 or 443\""),
        ("show-bars: no", "no-bars = true"),
        ("promiscuous: true", "promiscuous = true"),
        ("hide-source: yes", "hide-source = true"),
        ("hide-destination: yes", "hide-destination = true"),
        ("use-bytes: yes", "unit = \"bytes\""),
        ("use-bytes: no", "unit = \"bits\""),
        ("bandwidth-unit: packets", "unit = \"packets\""),
        ("sort: destination", "sort = \"destination\""),
        ("line-display: one-line-sent", "line-display = \"one-line-sent\""),
        ("show-totals: yes", "show-totals = true"),
        ("log-scale: yes", "log-scale = true"),
        ("max-bandwidth: 100M", "max-bandwidth = 104857600"),
        ("net-filter: 10.0.0.0/255.0.0.0", "net = [\"10.0.0.0/255.0.0.0\"]"),
        ("net-filter6: fd00::/8", "net6 = [\"fd00::/8\"]"),
        ("link-local: true", "link-local = true"),
        ("port-display: source-only", "ports = \"source-only\""),
        ("timed-output: 60", "seconds = 60"),
        ("no-curses: true", "text = true"),
        ("num-lines: 20", "rows = 20"),
        ("screen-filter: ^10", "screen-filter = \"^10\""),
    ];
    let mut seen: Vec<_> = cases.iter().map(|(line, _)| line.split(':').next().unwrap()).collect();
    for (line, set) in cases {
        assert_eq!(outcome(line, &[]), (vec![format!("{set} # rc:1")], vec![]), "{line}");
    }
    seen.dedup();
    assert_eq!(seen.len(), KEYS.iter().map(|key| key.directives.len()).sum::<usize>());
}

#[test]
fn only_yes_and_true_are_yes() {
    for word in ["yes", "true"] {
        assert_eq!(outcome(&format!("link-local: {word}"), &[]).0, ["link-local = true # rc:1"], "{word}");
    }
    for word in ["Yes", "TRUE", "1", "on", "", "y", "no", "true yes"] {
        assert_eq!(outcome(&format!("link-local: {word}"), &[]).0, ["link-local = false # rc:1"], "{word}");
    }
}

#[test]
fn lines_are_read_as_iftop_reads_them() {
    let cases = [
        ("", ""),
        ("just words\n", ""),
        (": 2s", ""),
        ("  \t: 2s", ""),
        ("# sort: 2s", ""),
        ("sort # : 2s", ""),
        ("sort:2s", "sort = \"2s\" # rc:1"),
        (" \tsort \t:\t 2s \t", "sort = \"2s\" # rc:1"),
        ("sort: 2s#40s", "sort = \"2s\" # rc:1"),
        ("\n\nsort: 2s", "sort = \"2s\" # rc:3"),
        ("sort: 2s\r\n", "sort = \"2s\" # rc:1"),
        ("sort of: 2s", "sort = \"2s\" # rc:1"),
        ("\nso\\\nrt: 2\\\ns", "sort = \"2s\" # rc:2"),
        ("sort: 2s\\", "sort = \"2s\" # rc:1"),
        ("# comment \\\nsort: 2s", ""),
        ("filter-code: net fd00::/8", "filter = \"net fd00::/8\" # rc:1"),
    ];
    for (text, set) in cases {
        let set = Vec::from_iter((!set.is_empty()).then(|| set.to_owned()));
        assert_eq!(outcome(text, &[]), (set, vec![]), "{text:?}");
    }
}

#[test]
fn the_first_directive_holds() {
    let (set, warnings) = outcome("sort: 2s\nuse-bytes: yes\nsort: 40s\nuse-bytes: no\n", &[]);
    assert_eq!(set, ["unit = \"bytes\" # rc:2", "sort = \"2s\" # rc:1"]);
    assert_eq!(
        warnings,
        ["rc:3: warning: repeated directive \"sort\"", "rc:4: warning: repeated directive \"use-bytes\""]
    );
}

#[test]
fn the_command_line_holds() {
    let (set, warnings) = outcome("sort: 2s\nlink-local: yes", &["sort", "numeric"]);
    assert_eq!(set, ["link-local = true # rc:2"]);
    assert_eq!(warnings, ["rc:1: warning: repeated directive \"sort\""]);
}

#[test]
fn an_unknown_directive_is_a_warning() {
    let (set, warnings) = outcome("sorted: 2s\nSort : 2s\nnumeric: yes", &[]);
    assert_eq!(set, Vec::<String>::new());
    assert_eq!(
        warnings,
        [
            "rc:1: warning: unknown directive \"sorted\"",
            "rc:2: warning: unknown directive \"Sort\"",
            "rc:3: warning: unknown directive \"numeric\""
        ]
    );
}

proptest! {
    #[test]
    fn no_text_upsets_the_parser(text in "(\\PC|[\\x00-\\x7f]|\\\\\n|#|:|sort|hide-source)*") {
        let found = parse(&text, "rc", &[]);
        let lines = text.split('\n').count();
        prop_assert!(found.assignments.len() + found.warnings.len() <= lines);
    }
}
