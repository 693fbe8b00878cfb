use super::*;

fn parsed(line: &str) -> Result<Options, String> {
    parse(line.split_whitespace().map(str::to_owned))
}

#[test]
fn plans_are_a_list_of_names() {
    let options = parsed("--flowtop /flowtop --hooks fentry,auto --history-bytes 64_000").expect("valid");
    assert_eq!(options.plans, Plans::Named(vec!["fentry".to_owned(), "auto".to_owned()]));
    assert_eq!(options.history_bytes, 64_000);
}

#[test]
fn every_bad_argument_is_named() {
    for (line, named) in [
        ("", "--flowtop"),
        ("--flowtop", "--flowtop"),
        ("--dry-run --hooks fentry,uprobe", "uprobe"),
        ("--dry-run --short-connections many", "many"),
        ("--dry-run --fast", "--fast"),
    ] {
        let error = parsed(line).expect_err(line);
        assert!(error.contains(named), "{line}: {error}");
    }
}
