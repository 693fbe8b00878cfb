//! Reports with nothing in them: the reason is said on stderr, and it is the right one.

use super::*;

/// Conditions that keep all of the made-up traffic out, and how each is named.
const CONDITIONS: &[(&[&str], &str)] = &[
    (&["-f", "port 1"], "-f 'port 1'"),
    (&["-f", "user nosuchuser"], "-f 'user \"nosuchuser\"'"),
    (&["--pid", "999999"], "--pid 999999"),
    (&["-F", "198.18.0.0/15", "-G", "2001:2::/48"], "-F 198.18.0.0/15 -G 2001:2::/48"),
];

fn kept_out(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let line = stderr(output).lines().find(|line| line.contains("kept out: "));
    line.unwrap_or_else(|| panic!("{}", stderr(output)))
}

#[test]
fn an_empty_report_says_which_condition_kept_out_how_much() {
    for (args, name) in CONDITIONS {
        for format in ["text", "json", "csv"] {
            let output = output(&[&["-t", "--demo", "-s", "1", "--format", format], *args].concat());
            let line = kept_out(&output);
            let by = line.strip_prefix("flowtop: nothing that counts here was moved in ").unwrap();
            assert!(by.ends_with(&format!("B by {name}")), "{line}");
        }
    }
}

#[test]
fn each_condition_has_what_it_kept_out_first() {
    let output = output(&["-t", "--demo", "-s", "1", "-f", "port 1", "-F", "198.18.0.0/15"]);
    let line = kept_out(&output);
    let parts: Vec<_> = line.split_once("kept out: ").unwrap().1.split(", ").collect();
    let ends = ["B by -F 198.18.0.0/15", "B by -f 'port 1'"];
    assert!(parts.len() == 2 && parts.iter().zip(ends).all(|(part, end)| part.ends_with(end)), "{line}");
}

#[test]
fn top_and_its_count_say_it_too() {
    kept_out(&output(&["top", "0.5", "2", "--demo", "-f", "port 1"]));
}

#[test]
fn what_counts_needs_no_reason() {
    let output = output(&["-t", "--demo", "-s", "1", "-f", "port 443 or not port 1"]);
    assert!(
        !stderr(&output).contains("kept out") && !stderr(&output).contains("no TCP"),
        "{}",
        stderr(&output)
    );
}

/// A process, interface or cgroup that is asked for and absent is a warning at the start, not an error.
#[test]
fn what_is_absent_is_a_warning() {
    if !can_count() {
        return;
    }
    let absent: &[(&[&str], &str)] = &[
        (&["--pid", "4194999"], "flowtop: --pid 4194999: there is no such process now\n"),
        (
            &["--cgroup", "/typo/x"],
            "flowtop: --cgroup /typo/x: there is no such cgroup now; the nearest above it is /\n",
        ),
        (&["--mntns", "5"], "flowtop: --mntns 5: no process"),
        (&["-f", "user nosuchuser"], "flowtop: --filter: user nosuchuser: /etc/passwd has no such user\n"),
        (&["-f", "netns 5"], "flowtop: --filter: netns 5: no process"),
        (
            &["-f", "not host fe80::1%eth0"],
            "flowtop: --filter: %eth0 is not looked at: sockets are told apart by address alone, so a link-local address matches on every interface\n",
        ),
    ];
    for (args, sentence) in absent {
        let output = output(&[&["-t", "-s", "1"], *args].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(stderr(&output).starts_with(sentence), "{}", stderr(&output));
    }
}
