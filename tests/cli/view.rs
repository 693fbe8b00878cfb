//! The view where there is no terminal for it, and its demo as a report.

use super::rights::without_rights;
use super::*;

#[test]
fn without_a_terminal_there_is_a_sentence() {
    let sentence = "flowtop: the view needs a terminal on its input and output; use -t for reports\n";
    assert_eq!(all(&output(&[])), (Some(2), "", sentence));
    assert_eq!(all(&output(&["--demo"])), (Some(2), "", sentence));
}

#[test]
fn the_demo_needs_no_rights_for_a_report_either() {
    let output = without_rights(&["--demo", "-t", "-s", "1", "--format", "json"]);
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), "flowtop: making up the traffic of a demo\n")
    );
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(report["hooks"], "demo");
    assert!(report["flows"].as_array().unwrap().len() > 20);
}
