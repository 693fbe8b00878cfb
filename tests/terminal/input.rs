//! Terminal input other than plain keys while the view is open: pasted text, replies to queries, Alt.

use super::*;

/// Answers that have letters of commands in them: to quit, to pause, to hide the bars, to save.
const ANSWERS: [&[u8]; 6] = [
    b"\x1b]11;rgb:1c1c/1e1e/2626\x07",
    b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
    b"\x1bP>|XTerm(379)q\x1b\\",
    b"\x1b]52;c;cXVpdA==\x07",
    b"\x1bP!|7E565445\x1b\\",
    b"\x1b_Gi=31;bwPq\x1b\\",
];

/// Presses the keys that switch bars and pause, which say what was on before. The first one replaces what was said before.
fn assert_nothing_was_pressed(terminal: &Terminal) {
    for (key, message) in [
        ("L", "Logarithmic scale"),
        ("L", "Linear scale"),
        ("b", "Bars off"),
        ("b", "Bars on"),
        ("P", "Display paused"),
        ("P", "Display unpaused"),
    ] {
        terminal.press(&[key]);
        terminal.wait_for(message);
    }
}

/// Waits for so many frames; they come every second. Each has other totals.
fn wait_for_frames(terminal: &Terminal, frames: usize) {
    let totals = |screen: &str| screen.lines().last().map(str::to_owned);
    for _ in 0..frames {
        let before = totals(&terminal.screen());
        terminal.wait(|screen| is_drawn(screen) && totals(screen) != before);
    }
}

#[test]
fn an_answer_of_the_terminal_presses_no_key() {
    let Some((mut terminal, before)) = demo("answers") else { return };
    for answer in ANSWERS {
        terminal.send(answer);
        assert_nothing_was_pressed(&terminal);
    }
    terminal.press(&["q"]);
    terminal.wait_for("code=0");
    assert_restored(&mut terminal, &before);
}

/// Replies of the terminal that a program before flowtop asked for and did not read.
#[test]
fn what_tmux_answers_presses_no_key() {
    let Some(terminal) = Terminal::open("asked", SIZE) else { return };
    // Version, attributes, status, position of the cursor, colours.
    let questions = r"\033[>q\033[c\033[>c\033[5n\033[6n\033]10;?\007\033]11;?\033\\";
    terminal.run(&format!("printf '{questions}'; {FLOWTOP} --demo --theme mono; echo code=$?"));
    terminal.wait(|screen| is_drawn(screen) && screen.contains("=>"));
    assert_nothing_was_pressed(&terminal);
    // The `t` of its name is a key too.
    terminal.press(&["t"]);
    terminal.wait_for("One line per host");
    terminal.press(&["q"]);
    terminal.wait_for("code=0");
}

#[test]
fn pasted_text_is_text_in_a_prompt_and_no_key_elsewhere() {
    let Some((mut terminal, before)) = demo("paste") else { return };
    terminal.paste("bPq\nw\n");
    terminal.wait_for("Paste into a prompt");
    assert_nothing_was_pressed(&terminal);
    terminal.press(&["f"]);
    terminal.wait_for("Net filter>");
    terminal.paste("port 873\n");
    terminal.wait_for("Net filter> port 873");
    terminal.press(&["Enter"]);
    terminal.wait_for("filter port 873");
    terminal.press(&["q"]);
    terminal.wait_for("code=0");
    assert_restored(&mut terminal, &before);
}

#[test]
fn a_pasted_text_may_come_in_parts_and_one_without_an_end_is_given_up() {
    let Some((terminal, _)) = demo("parts") else { return };
    terminal.press(&["/"]);
    terminal.wait_for("Search>");
    terminal.send(b"\x1b[200~no such h");
    wait_for_frames(&terminal, 1);
    terminal.send(b"ost\x1b[20");
    wait_for_frames(&terminal, 1);
    terminal.send(b"1~");
    terminal.wait_for("Search> no such host");
    terminal.send(b"\x1b[200~q");
    terminal.wait_for("the end of the pasted text is missing");
    terminal.press(&["Escape"]);
    terminal.wait(|screen| !screen.contains("Search>"));
    assert_nothing_was_pressed(&terminal);
}

#[test]
fn after_an_answer_without_an_end_keys_are_keys_again() {
    let Some((terminal, _)) = demo("cut-off") else { return };
    terminal.send(b"\x1b]11;rgb:1c1c/bP");
    // Longer than it is waited for.
    wait_for_frames(&terminal, 3);
    assert_nothing_was_pressed(&terminal);
    // Another key ends it at once.
    terminal.send(b"\x1bP>|bPq\x1b[B");
    assert_nothing_was_pressed(&terminal);
}

#[test]
fn alt_and_function_keys_are_not_other_keys() {
    let Some((terminal, _)) = demo("alt") else { return };
    for keys in [&["M-q", "M-b", "M-P"][..], &["F1", "F2", "F5", "F12", "M-Up", "M-F4"]] {
        for key in keys {
            terminal.press(&[key]);
            terminal.wait_for("Press H or ? for help");
            assert_nothing_was_pressed(&terminal);
        }
    }
}
