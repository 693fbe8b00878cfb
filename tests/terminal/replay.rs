//! Records in a real terminal.

use super::*;

use crate::recorded;

#[test]
fn a_replay_goes_where_its_keys_say() {
    let Some(mut terminal) = Terminal::open("replay", SIZE) else { return };
    let before = terminal.modes();
    recorded::write(&terminal.folder().join("a.rec"));
    terminal.run(&format!("TZ=UTC {FLOWTOP} replay a.rec --theme mono --at 08:01:30; echo code=$?"));
    terminal.wait_for("stopped  2026-11-02 08:01:00 +00:00  means over 60 s  record 2 of 3");
    terminal.press(&["Right"]);
    terminal.wait_for("2026-11-02 08:03:00 +00:00  means over 60 s  60 s missing before  record 3 of 3");
    terminal.wait_for("203.0.113.9");
    terminal.press(&["Right"]);
    terminal.wait_for("No record there");
    terminal.press(&["a"]);
    let screen = terminal.wait(|screen| screen.contains("record 1 of 3") && screen.contains("198.51.100.7"));
    assert!(screen.contains("TX:             cum:   5.72MB"), "{screen}");
    terminal.press(&["f"]);
    terminal.enter("pod db-*");
    terminal.press(&["Enter"]);
    terminal.wait(|screen| screen.contains("hidden by filter") && !screen.contains("198.51.100.7"));
    terminal.press(&["."]);
    terminal.wait_for("300 times as fast");
    terminal.press(&["r"]);
    terminal.wait(|screen| screen.contains("stopped") && screen.contains("record 3 of 3"));
    terminal.press(&["g"]);
    terminal.wait_for("Go to (");
    terminal.enter("08:00");
    terminal.press(&["Enter"]);
    terminal.wait_for("record 1 of 3");
    terminal.press(&["q"]);
    terminal.wait_for("code=0");
    assert_restored(&mut terminal, &before);
}
