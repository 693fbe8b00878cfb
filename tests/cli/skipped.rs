//! A test that cannot have what it needs has not passed. Shown with one of its own, which the tests beside it run as
//! `cargo test` would.

use super::*;

#[test]
#[ignore = "always skipped: it is run by the tests beside it"]
fn without_what_it_needs() {
    tools::skip("nothing is here");
    tools::skip("nor there");
}

/// Runs the test above with an environment: the whole of stdout and stderr, and the list of skipped tests.
fn run(environment: &[(&str, &str)]) -> (Output, String) {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("skipped");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = concat!(module_path!(), "::without_what_it_needs").split_once("::").unwrap().1;
    command.args(["--ignored", "--exact", test]).env_remove("CI").env("FLOWTOP_TEST_SKIPPED", &list);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    (output, fs::read_to_string(list).unwrap_or_default())
}

#[test]
fn it_is_in_the_list_and_on_stderr_with_its_name_and_the_reason() {
    let (output, list) = run(&[]);
    let test = concat!(module_path!(), "::without_what_it_needs");
    let lines = format!("skipped: {test}: nothing is here\nskipped: {test}: nor there\n");
    assert_eq!((list.as_str(), stderr(&output)), (lines.as_str(), lines.as_str()));
    assert!(stdout(&output).contains("1 passed; 0 failed"), "{}", stdout(&output));
}

#[test]
fn under_ci_it_is_a_failure_with_the_reason() {
    let (output, list) = run(&[("CI", "true")]);
    let said = stdout(&output);
    assert!(said.contains("0 passed; 1 failed") && said.contains("nothing is here"), "{said}");
    assert_eq!((output.status.code(), list.as_str()), (Some(101), ""));
}
