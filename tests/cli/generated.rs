//! What is made from the flags is what the repository has: help, man page, completions.

use super::*;

/// Compares what flowtop prints with a file of the repository, or writes it there.
fn assert_snapshot(args: &[&str], file: &str) {
    let output = output(args);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, stdout(&output)).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let update = "`UPDATE_SNAPSHOTS=1 cargo test -p flowtop --test cli` makes the new text the expected one";
    assert!(
        stdout(&output) == expected,
        "{file} is not what {args:?} prints; {update}:\n{}",
        stdout(&output)
    );
}

#[test]
fn help() {
    assert_snapshot(&["-h"], "tests/snapshots/help-short.txt");
    assert_snapshot(&["--help"], "tests/snapshots/help.txt");
    assert_snapshot(&["doctor", "--help"], "tests/snapshots/help-doctor.txt");
    assert_snapshot(&["report", "--help"], "tests/snapshots/help-report.txt");
    assert_snapshot(&["replay", "--help"], "tests/snapshots/help-replay.txt");
    assert_snapshot(&["watch", "--help"], "tests/snapshots/help-watch.txt");
    assert_snapshot(&["top", "--help"], "tests/snapshots/help-top.txt");
}

#[test]
fn print_config() {
    assert_snapshot(&["-nPB", "-s5", "-i", "eth0", "--print-config"], "tests/snapshots/print-config.txt");
}

#[test]
fn man_page() {
    assert_snapshot(&["man"], "flowtop/doc/flowtop.8");
}

#[test]
fn completions() {
    assert_snapshot(&["completions", "bash"], "flowtop/doc/flowtop.bash");
    assert_snapshot(&["completions", "zsh"], "flowtop/doc/_flowtop");
    assert_snapshot(&["completions", "fish"], "flowtop/doc/flowtop.fish");
}

/// For whoever reads it on a terminal of the usual width.
#[test]
fn the_short_help_is_one_screen() {
    let output = output(&["-h"]);
    let (lines, chars) = (stdout(&output).lines().count(), stdout(&output).lines().map(str::len).max());
    assert!(lines <= 60 && chars <= Some(100), "{lines} lines, {chars:?} columns");
}
