//! Bytes of real terminals, and any bytes.

use proptest::prelude::*;

use super::*;

fn decoded(bytes: &[u8]) -> Vec<Input> {
    let mut decoder = Decoder::default();
    let mut inputs = decoder.feed(bytes);
    inputs.extend(decoder.flush());
    inputs
}

#[test]
fn keys_are_what_terminals_send() {
    for (bytes, key) in [
        (&b"a"[..], Key::Char('a')),
        ("é".as_bytes(), Key::Char('é')),
        ("数".as_bytes(), Key::Char('数')),
        (b"\r", Key::Enter),
        (b"\t", Key::Tab),
        (b"\x7f", Key::Backspace),
        (b"\x0c", Key::Ctrl('l')),
        (b"\x1a", Key::Ctrl('z')),
        (b"\x1b", Key::Esc),
        (b"\x1b[A", Key::Up),
        (b"\x1bOA", Key::Up),
        (b"\x1b[1;5D", Key::Left),
        (b"\x1b[H", Key::Home),
        (b"\x1b[1~", Key::Home),
        (b"\x1b[7~", Key::Home),
        (b"\x1bOF", Key::End),
        (b"\x1b[4~", Key::End),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6;5~", Key::PageDown),
        (b"\x1b[3~", Key::Delete),
        (b"\x1b[Z", Key::BackTab),
        (b"\x1b[15~", Key::Other),
        (b"\x1b[[A", Key::Other),
    ] {
        assert_eq!(decoded(bytes), [Input::Key(key)], "{bytes:?}");
    }
}

#[test]
fn the_mouse_counts_from_one() {
    assert_eq!(decoded(b"\x1b[<0;10;3M"), [Input::Click { column: 9, line: 2 }]);
    assert_eq!(decoded(b"\x1b[<0;10;3m"), []);
    assert_eq!(decoded(b"\x1b[<2;10;3M"), []);
    assert_eq!(decoded(b"\x1b[<64;1;1M"), [Input::Wheel { down: false }]);
    assert_eq!(decoded(b"\x1b[<65;1;1M"), [Input::Wheel { down: true }]);
    assert_eq!(decoded(b"\x1b[<0;0;0M\x1b[<0;99999;1M"), []);
}

#[test]
fn a_key_may_come_in_pieces() {
    let mut decoder = Decoder::default();
    for byte in b"\x1b[6" {
        assert_eq!(decoder.feed(&[*byte]), []);
        assert!(decoder.is_waiting());
    }
    assert_eq!(decoder.feed(b"~q"), [Input::Key(Key::PageDown), Input::Key(Key::Char('q'))]);
    assert!(!decoder.is_waiting());
}

#[test]
fn esc_twice_is_twice_esc() {
    assert_eq!(decoded(b"\x1b\x1b"), [Input::Key(Key::Esc), Input::Key(Key::Esc)]);
}

#[test]
fn esc_and_a_key_at_once_are_both() {
    assert_eq!(decoded(b"\x1bq"), [Input::Key(Key::Esc), Input::Key(Key::Char('q'))]);
}

proptest! {
    #[test]
    fn any_bytes_end(bytes: Vec<u8>) {
        let mut decoder = Decoder::default();
        let inputs = decoder.feed(&bytes).len();
        prop_assert!(inputs <= bytes.len());
        prop_assert!(decoder.pending.len() <= 2 + MAX_SEQUENCE);
    }

    #[test]
    fn text_stays_text(text in "[^\\x00-\\x1f\\x7f]{0,40}", cut in 0..40_usize) {
        let cut = cut.min(text.len());
        let mut decoder = Decoder::default();
        let mut inputs = decoder.feed(&text.as_bytes()[..cut]);
        inputs.extend(decoder.feed(&text.as_bytes()[cut..]));
        let expected: Vec<_> = text.chars().map(|c| Input::Key(Key::Char(c))).collect();
        prop_assert_eq!(inputs, expected);
    }
}
