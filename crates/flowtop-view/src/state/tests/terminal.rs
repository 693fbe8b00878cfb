//! Bytes of a terminal that are no commands: its answers, Alt, function keys, pasted text.

use super::super::input::{Decoder, PasteError};
use super::super::keys::{PASTE_WITHOUT_PROMPT, UNKNOWN_KEY};
use super::*;

/// Sends bytes; whether anything is to be drawn, and the last thing to be done outside.
fn send(state: &mut State, bytes: &[u8]) -> Reaction {
    let mut decoder = Decoder::default();
    let inputs = [decoder.feed(bytes), decoder.flush()].concat();
    let reactions = inputs.into_iter().map(|input| state.update(Event::Input(input), &NoNames));
    reactions.fold(Reaction::NOTHING, |all, next| Reaction {
        draw: all.draw || next.draw,
        effect: next.effect.or(all.effect),
    })
}

/// All that a key can change, as text.
fn settings(state: &State) -> String {
    format!(
        "{:?}",
        (
            (&state.view, &state.look, &state.refresh, &state.own_cost, &state.selected, &state.pinned),
            (state.offset, &state.help, &state.detail, &state.prompt, &state.filters.screen),
            (&state.filters.net, &state.filters.search, state.filters.threshold),
        )
    )
}

#[test]
fn an_answer_of_the_terminal_changes_nothing() {
    let mut state = screen(9, (80, 24));
    let (before, message) = (settings(&state), state.message().map(str::to_owned));
    for answer in [
        &b"\x1b]11;rgb:1c1c/1e1e/2626\x07"[..],
        b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
        b"\x1bP>|XTerm(379)\x1b\\",
        b"\x1b]52;c;cXVpdA==\x07",
        b"\x1bP!|7E565445\x1b\\",
        b"\x1b[?62;22c\x1b[24;80R\x1b[?2026;2$y\x1b[I\x1b[O",
    ] {
        assert_eq!(send(&mut state, answer), Reaction::NOTHING, "{}", answer.escape_ascii());
        assert_eq!(settings(&state), before, "{}", answer.escape_ascii());
        assert_eq!(state.message().map(str::to_owned), message);
    }
}

#[test]
fn alt_and_function_keys_do_nothing_but_say_so() {
    for c in (' '..='~').filter(|c| *c != '[' && *c != 'O') {
        let mut state = screen(9, (80, 24));
        let before = settings(&state);
        assert_eq!(send(&mut state, format!("\x1b{c}").as_bytes()), Reaction::DRAW, "{c}");
        assert_eq!((settings(&state), state.message()), (before, Some(UNKNOWN_KEY)), "{c}");
    }
    for bytes in [&b"\x1bOP"[..], b"\x1b[15~", b"\x1b[24;5~", b"\x1b[[B", b"\x1b[1;3A", b"\x1b\x03"] {
        let mut state = screen(9, (80, 24));
        let before = settings(&state);
        assert_eq!(send(&mut state, bytes), Reaction::DRAW, "{}", bytes.escape_ascii());
        assert_eq!(
            (settings(&state), state.message()),
            (before, Some(UNKNOWN_KEY)),
            "{}",
            bytes.escape_ascii()
        );
        // Nor in a prompt.
        press(&mut state, &[Press::Char('f')]);
        let before = settings(&state);
        send(&mut state, bytes);
        assert_eq!(settings(&state), before, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_pasted_text_is_text_in_a_prompt_and_nothing_elsewhere() {
    let mut state = screen(9, (80, 24));
    let before = settings(&state);
    assert_eq!(send(&mut state, b"\x1b[200~bPq\r\x03\x1b[201~"), Reaction::DRAW);
    assert_eq!((settings(&state), state.message()), (before, Some(PASTE_WITHOUT_PROMPT)));
    press(&mut state, &[Press::Char('f')]);
    assert_eq!(send(&mut state, b"\x1b[200~port 443\r\x1b[201~").effect, None);
    assert_eq!(state.prompt.as_ref().unwrap().text(), "port 443");
    assert_eq!(send(&mut state, b"\r").effect, Some(Effect::Filter("port 443".to_owned())));
}

#[test]
fn a_search_follows_a_pasted_text() {
    let mut state = screen(9, (80, 40));
    press(&mut state, &[Press::Char('/')]);
    send(&mut state, b"\x1b[200~51.0.7\x1b[201~");
    assert_eq!(shown(&state), ["198.51.0.7"]);
}

#[test]
fn a_pasted_text_that_cannot_be_taken_is_told() {
    let mut state = screen(9, (80, 24));
    press(&mut state, &[Press::Char('f')]);
    for (bytes, error) in [
        (format!("\x1b[200~{}\x1b[201~", "q".repeat(70_000)).into_bytes(), PasteError::TooLong),
        (b"\x1b[200~q".to_vec(), PasteError::CutOff),
    ] {
        assert_eq!(send(&mut state, &bytes), Reaction::DRAW);
        let prompt = state.prompt.as_ref().unwrap();
        assert_eq!((prompt.text().as_str(), prompt.error.as_deref()), ("", Some(error.to_string().as_str())));
    }
}

#[test]
fn a_key_of_another_script_is_a_command_outside_a_prompt_and_text_in_it() {
    let mut state = screen(9, (80, 24));
    let russian = "\x1b[1081::113u".as_bytes();
    press(&mut state, &[Press::Char('/')]);
    assert_eq!(send(&mut state, russian).effect, None);
    assert_eq!(state.prompt.as_ref().unwrap().text(), "й");
    press(&mut state, &[Press::Esc]);
    assert_eq!(send(&mut state, russian).effect, Some(Effect::Quit));
}
