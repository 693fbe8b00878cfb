//! The repository has help texts, man pages and completions as the flags generate them.

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
    let update =
        "`UPDATE_SNAPSHOTS=1 cargo test -p flowtop --test program` makes the new text the expected one";
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

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = output(&["--help"]);
    let lines = stdout(&help).lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

/// The arguments that print each page, and its name.
fn pages() -> Vec<(Vec<String>, String)> {
    let commands =
        commands().into_iter().map(|name| (vec!["man".to_owned(), name.clone()], format!("flowtop-{name}")));
    std::iter::once((vec!["man".to_owned()], "flowtop".to_owned())).chain(commands).collect()
}

/// The lines of all pages, with their names.
fn page_lines() -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (args, name) in pages() {
        let page = flowtop(&[]).args(args).output().unwrap();
        lines.extend(stdout(&page).lines().map(|line| (name.clone(), line.to_owned())));
    }
    lines
}

#[test]
fn man_pages() {
    assert!(pages().len() >= 7, "{:?}", pages());
    for (args, name) in pages() {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        assert_snapshot(&args, &format!("flowtop/doc/{name}.8"));
    }
}

#[test]
fn every_man_page_is_in_the_package_and_in_see_also() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let names: Vec<_> = pages().into_iter().map(|(_, name)| name).collect();
    let lines = page_lines();
    for name in &names {
        let asset = format!("[\"doc/{name}.8\", \"usr/share/man/man8/{name}.8\", \"644\"]");
        assert!(manifest.contains(&asset), "{asset} is no asset of the package");
        for other in names.iter().filter(|other| *other != name) {
            let reference = format!(".BR {} (8)", other.replace('-', "\\-"));
            let its = lines.iter().filter(|(page, _)| page == name);
            assert!(
                its.clone().any(|(_, line)| line.trim_end_matches(',') == reference),
                "{name} does not refer to {other}"
            );
        }
    }
}

/// Groff reads an empty line as a paragraph of its own, and a line that begins with an apostrophe as a request.
#[test]
fn man_pages_use_only_macros_of_man() {
    const MACROS: [&str; 16] =
        ["B", "BI", "BR", "I", "IP", "IR", "PP", "RE", "RS", "SH", "SS", "TH", "TP", "fi", "ie", "nf"];
    for (page, line) in page_lines() {
        let request = line.strip_prefix('.').map(|rest| rest.split(' ').next().unwrap_or_default());
        let is_known = request.is_none_or(|name| MACROS.contains(&name) || name == "el");
        assert!(is_known && !line.is_empty() && !line.starts_with('\''), "{page}: {line:?}");
    }
}

#[test]
fn man_pages_say_what_each_option_does() {
    for (page, lines) in page_lines().windows(3).map(|lines| (&lines[0].0, [0, 1, 2].map(|at| &*lines[at].1)))
    {
        let is_described =
            !lines[0].starts_with(".TP") || !lines[2].starts_with(".TP") && !lines[2].starts_with(".SH");
        assert!(is_described, "{page}: {lines:?}");
    }
}

#[test]
fn a_page_of_no_command_is_wrong_usage() {
    let output = output(&["man", "nosuch"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    for name in commands() {
        assert!(stderr(&output).contains(&name), "{name} is not offered: {}", stderr(&output));
    }
}

/// A flag that is renamed must not stay in a text that was written by hand.
#[test]
fn man_pages_mention_only_flags_that_exist() {
    let mut help: Vec<_> = commands().into_iter().map(|name| vec![name, "--help".to_owned()]).collect();
    help.push(vec!["--help".to_owned()]);
    let help = help.into_iter().map(|args| flowtop(&[]).args(args).output().unwrap());
    let help: String = help.map(|output| stdout(&output).to_owned()).collect();
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flags: HashSet<_> = lines.flat_map(flags_in).collect();
    assert!(flags.len() > 50, "{flags:?}");
    for (page, line) in page_lines() {
        let line = line.replace("\\-", "-");
        for flag in flags_in(&line) {
            assert!(flags.contains(flag), "{page} mentions --{flag}, which no command has: {line}");
        }
    }
}

/// The long flags in a line.
fn flags_in(line: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    line.split("--")
        .skip(1)
        .map(move |rest| rest.split(ends).next().unwrap_or_default())
        .filter(|flag| !flag.is_empty())
}

#[test]
fn groff_has_no_warnings_about_the_man_pages() {
    let Some(groff) = tools::find("groff") else { return };
    for (args, name) in pages() {
        let page = flowtop(&[]).args(args).output().unwrap();
        let mut command = Command::new(&groff);
        command.args(["-man", "-ww", "-z", "-Tutf8"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&page.stdout).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {}", stderr(&output));
    }
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
