//! Bytes of real terminals, and any bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Decodes bytes with nothing to follow.
fn decoded(bytes: &[u8]) -> Vec<Input> {
    let mut decoder = Decoder::default();
    let mut inputs = decoder.feed(bytes);
    inputs.extend(decoder.flush());
    inputs
}

/// The same, taken apart behind each of these places.
fn decoded_in_parts(bytes: &[u8], cuts: &[usize]) -> Vec<Input> {
    let mut decoder = Decoder::default();
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
    ends.sort_unstable();
    let mut inputs = Vec::new();
    let mut at = 0;
    for end in ends {
        inputs.extend(decoder.feed(&bytes[at..end]));
        at = end;
    }
    inputs.extend(decoder.flush());
    inputs
}

fn key(key: Key) -> Vec<Input> {
    vec![Input::Key(key)]
}

fn alt(key: Key) -> Vec<Input> {
    vec![Input::Alt(key)]
}

fn text(text: &str) -> Vec<Input> {
    text.chars().map(|c| Input::Key(Key::Char(c))).collect()
}

/// Bytes that are one key in any of the usual terminals.
const KEYS: &[(&[u8], Key)] = &[
    (b"a", Key::Char('a')),
    ("é".as_bytes(), Key::Char('é')),
    ("数".as_bytes(), Key::Char('数')),
    ("😀".as_bytes(), Key::Char('😀')),
    (b"\r", Key::Enter),
    (b"\n", Key::Enter),
    (b"\t", Key::Tab),
    (b"\x7f", Key::Backspace),
    (b"\x08", Key::Backspace),
    (b"\x03", Key::Ctrl('c')),
    (b"\x0c", Key::Ctrl('l')),
    (b"\x1a", Key::Ctrl('z')),
    (b"\x00", Key::Other),
    (b"\x1b", Key::Esc),
    (b"\x1b[A", Key::Up),
    (b"\x1bOA", Key::Up),
    (b"\x1b[1;5D", Key::Left),
    (b"\x1b[1;2C", Key::Right),
    (b"\x1b[5B", Key::Down),
    (b"\x1b[a", Key::Up),
    (b"\x1bOd", Key::Left),
    (b"\x1b[H", Key::Home),
    (b"\x1b[1~", Key::Home),
    (b"\x1b[7~", Key::Home),
    (b"\x1b[7$", Key::Home),
    (b"\x1b[7^", Key::Home),
    (b"\x1b[7@", Key::Home),
    (b"\x1bOF", Key::End),
    (b"\x1b[4~", Key::End),
    (b"\x1b[5~", Key::PageUp),
    (b"\x1b[6;5~", Key::PageDown),
    (b"\x1b[2~", Key::Other),
    (b"\x1b[3~", Key::Delete),
    (b"\x1b[Z", Key::BackTab),
    (b"\x1bOM", Key::Enter),
    (b"\x1bOk", Key::Char('+')),
    (b"\x1bOp", Key::Char('0')),
    (b"\x1bOy", Key::Char('9')),
    (b"\x1b[E", Key::Other),
];

/// Function keys from F1 on, in each form that terminals have for them.
const FUNCTION_KEYS: [&[&[u8]]; 5] = [
    &[b"\x1bOP", b"\x1bOQ", b"\x1bOR", b"\x1bOS"],
    &[b"\x1b[P", b"\x1b[Q", b"\x1b[R", b"\x1b[S"],
    &[b"\x1b[1;2P", b"\x1b[1;5Q", b"\x1bO1;2R", b"\x1bO5S"],
    &[b"\x1b[[A", b"\x1b[[B", b"\x1b[[C", b"\x1b[[D", b"\x1b[[E"],
    &[
        b"\x1b[11~",
        b"\x1b[12~",
        b"\x1b[13~",
        b"\x1b[14~",
        b"\x1b[15~",
        b"\x1b[17~",
        b"\x1b[18~",
        b"\x1b[19~",
        b"\x1b[20~",
        b"\x1b[21~",
        b"\x1b[23~",
        b"\x1b[24;5~",
        b"\x1b[25~",
        b"\x1b[26~",
        b"\x1b[28~",
        b"\x1b[29~",
        b"\x1b[31~",
        b"\x1b[32~",
        b"\x1b[33~",
        b"\x1b[34~",
    ],
];

fn table_of_keys() -> Vec<(&'static [u8], Key)> {
    let function_keys = FUNCTION_KEYS.iter().flat_map(|form| form.iter().copied().zip((1..).map(Key::F)));
    KEYS.iter().copied().chain(function_keys).collect()
}

#[test]
fn keys_are_what_terminals_send() {
    for (bytes, expected) in table_of_keys() {
        assert_eq!(decoded(bytes), key(expected), "{}", bytes.escape_ascii());
    }
}

#[test]
fn esc_in_front_of_a_key_at_once_is_alt() {
    for (bytes, expected) in table_of_keys() {
        let with_alt = [b"\x1b", bytes].concat();
        // Nothing tells Alt with Esc from Esc twice, nor Alt with `[` or `O` from the beginning of a sequence.
        if !matches!(bytes, [ESC]) {
            assert_eq!(decoded(&with_alt), alt(expected), "{}", with_alt.escape_ascii());
        }
    }
    for c in ' '..='~' {
        assert_eq!(decoded(format!("\x1b{c}").as_bytes()), alt(Key::Char(c)), "{c}");
    }
    for (bytes, expected) in [
        (&b"\x1b[1;3A"[..], Key::Up),
        (b"\x1b[1;7H", Key::Home),
        (b"\x1b[5;3~", Key::PageUp),
        (b"\x1b[1;3P", Key::F(1)),
        (b"\x1b[97;3u", Key::Char('a')),
        (b"\x1b[27;3;113~", Key::Char('q')),
        (b"\x1b[99;7u", Key::Ctrl('c')),
    ] {
        assert_eq!(decoded(bytes), alt(expected), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_lone_esc_is_the_key_only_when_nothing_follows() {
    let mut decoder = Decoder::default();
    assert_eq!((decoder.feed(b"\x1b"), decoder.awaits()), (vec![], Some(Awaited::Key)));
    assert_eq!((decoder.flush(), decoder.awaits()), (key(Key::Esc), None));
    assert_eq!(decoder.feed(b"q"), text("q"));
    assert_eq!(decoded(b"\x1b\x1b"), [Input::Key(Key::Esc), Input::Key(Key::Esc)]);
    assert_eq!(
        decoded(b"\x1b\x1bq"),
        [Input::Key(Key::Esc), Input::Alt(Key::Char('q'))],
        "the second one may be Alt's"
    );
    // Esc, and then something that is no key came at once.
    for rest in [&b"\x1b]11;rgb:0/0/0\x07"[..], b"\x1b[I", b"\x1b[?1u", b"\x1bP>|q\x1b\\"] {
        assert_eq!(decoded(&[b"\x1b", rest].concat()), key(Key::Esc), "{}", rest.escape_ascii());
    }
    assert_eq!(decoded(b"\x1b\x1b[<0;10;3M"), [Input::Key(Key::Esc), Input::Click { column: 9, line: 2 }]);
    assert_eq!(
        decoded(b"\x1b\x1b[200~q\x1b[201~"),
        [key(Key::Esc), vec![Input::Paste(Ok("q".to_owned()))]].concat()
    );
}

#[test]
fn alt_and_what_sequences_begin_with_waits_no_longer_than_esc() {
    for introducer in ['[', 'O', ']', 'P', 'X', '^', '_'] {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.feed(format!("\x1b{introducer}").as_bytes()), []);
        assert_eq!(decoder.awaits(), Some(Awaited::Key), "{introducer}");
        assert_eq!(decoder.flush(), alt(Key::Char(introducer)));
        assert_eq!(decoder.feed(b"q"), text("q"));
    }
}

#[test]
fn what_has_lost_its_end_is_given_up_and_what_follows_is_not() {
    for (bytes, awaited) in [
        (&b"\x1b[1;5"[..], Awaited::Sequence),
        (b"\x1b[[", Awaited::Sequence),
        (b"\x1bO1", Awaited::Sequence),
        (b"\x1b]11;rgb:", Awaited::Sequence),
        (b"\x1bP1$r0m\x1b", Awaited::Sequence),
        (b"\x1b[Mq", Awaited::Sequence),
        (b"\x1b[200~q", Awaited::Paste),
    ] {
        let given_up =
            if awaited == Awaited::Paste { vec![Input::Paste(Err(PasteError::CutOff))] } else { vec![] };
        let mut decoder = Decoder::default();
        assert_eq!(
            (decoder.feed(bytes), decoder.awaits()),
            (vec![], Some(awaited)),
            "{}",
            bytes.escape_ascii()
        );
        assert_eq!((decoder.flush(), decoder.awaits()), (given_up, None), "{}", bytes.escape_ascii());
        assert_eq!(decoder.feed(b"q"), text("q"), "{}", bytes.escape_ascii());
    }
    // Another key begins. All but a text can be told from it.
    for bytes in
        [&b"\x1b[1;5"[..], b"\x1b[[", b"\x1bO1", b"\x1b]11;rgb:", b"\x1bPx\x1b", b"\x1b[Mq", b"\xe2\x82"]
    {
        assert_eq!(decoded(&[bytes, b"\x1b[A"].concat()), key(Key::Up), "{}", bytes.escape_ascii());
    }
    assert_eq!(decoded(b"\x1b[\x1b[A"), [alt(Key::Char('[')), key(Key::Up)].concat());
    assert_eq!(decoded(b"\x1b]\x1b[A"), [alt(Key::Char(']')), key(Key::Up)].concat());
    assert_eq!(decoded(b"\x1bO\r"), [alt(Key::Char('O')), key(Key::Enter)].concat());
    assert_eq!(decoded("\x1b[数".as_bytes()), [alt(Key::Char('[')), text("数")].concat());
    // Esc and Alt with half a character of UTF-8.
    assert_eq!(decoded(b"\x1b\xc3\x1bq"), alt(Key::Char('q')));
    assert_eq!(decoded(b"\x1b\xc3q"), text("q"));
}

#[test]
fn answers_of_a_terminal_are_no_keys() {
    for answer in [
        &b"\x1b]11;rgb:1c1c/1e1e/2626\x07"[..],
        b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
        b"\x1b]52;c;cXVpdA==\x07",
        b"\x1b]4;1;rgb:cdcd/0000/0000\x1b\\",
        b"\x1b]lwatch q\x1b\\",
        b"\x1bP>|XTerm(379)\x1b\\",
        b"\x1bP!|7E565445\x1b\\",
        b"\x1bP1+r544e=787465726d\x1b\\",
        b"\x1bP1$r0 q\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b^q\x1b\\",
        b"\x1bXq\x1b\\",
        b"\x1b]\x07",
        b"\x1bP\x1b\\",
        // Attributes, version, status, modes, position and size in cells and pixels.
        b"\x1b[?62;22;52c",
        b"\x1b[>41;379;0c",
        b"\x1b[0n",
        b"\x1b[?997;1n",
        b"\x1b[?2026;2$y",
        b"\x1b[4;2$y",
        b"\x1b[24;80R",
        b"\x1b[1;1R",
        b"\x1b[?24;80;1R",
        b"\x1b[8;24;80t",
        b"\x1b[4;600;800t",
        b"\x1b[3;0x",
        b"\x1b[?1u",
        // Focus, and the end of a pasted text that has not begun.
        b"\x1b[I",
        b"\x1b[O",
        b"\x1b[201~",
    ] {
        assert_eq!(decoded(&[b"a", answer, b"b"].concat()), text("ab"), "{}", answer.escape_ascii());
    }
}

#[test]
fn the_keyboard_protocol_of_kitty_is_read() {
    for (bytes, expected) in [
        ("\x1b[27u", key(Key::Esc)),
        ("\x1b[13;5u", key(Key::Enter)),
        ("\x1b[9u", key(Key::Tab)),
        ("\x1b[9;2u", key(Key::BackTab)),
        ("\x1b[127u", key(Key::Backspace)),
        ("\x1b[97u", text("a")),
        ("\x1b[97;2u", text("A")),
        ("\x1b[97:65;2u", text("A")),
        ("\x1b[97;65u", text("A")),
        ("\x1b[97;66u", text("a")),
        ("\x1b[97;1;97u", text("a")),
        ("\x1b[47:63;2u", text("?")),
        ("\x1b[47:63;66u", text("?")),
        ("\x1b[32;2u", text(" ")),
        ("\x1b[33;2u", text("!")),
        // Above the 1 there is another character in each layout.
        ("\x1b[49;2u", key(Key::Other)),
        ("\x1b[99;5u", key(Key::Ctrl('c'))),
        ("\x1b[67;5u", key(Key::Ctrl('c'))),
        ("\x1b[105;5u", key(Key::Tab)),
        ("\x1b[91;5u", key(Key::Esc)),
        ("\x1b[99;6u", key(Key::Other)),
        ("\x1b[49;5u", key(Key::Other)),
        // Super, Hyper, Meta.
        ("\x1b[113;9u", key(Key::Other)),
        ("\x1b[113;17u", key(Key::Other)),
        ("\x1b[1;9A", key(Key::Other)),
        // Pressed, repeated, released.
        ("\x1b[113;1:1u", text("q")),
        ("\x1b[113;1:2u", text("q")),
        ("\x1b[113;1:3u", vec![]),
        ("\x1b[113;3:3u", vec![]),
        ("\x1b[1;1:2A", key(Key::Up)),
        ("\x1b[1;1:3A", vec![]),
        ("\x1b[3;1:3~", vec![]),
        // Modifiers by themselves, keys of the keypad, and others.
        ("\x1b[57441;2u", vec![]),
        ("\x1b[57358u", vec![]),
        ("\x1b[57399u", text("0")),
        ("\x1b[57408u", text("9")),
        ("\x1b[57413u", text("+")),
        ("\x1b[57414u", key(Key::Enter)),
        ("\x1b[57421u", key(Key::PageUp)),
        ("\x1b[57376u", key(Key::F(13))),
        ("\x1b[57398u", key(Key::F(35))),
        ("\x1b[57428u", key(Key::Other)),
        // Text that no key stands for, as of an input method.
        ("\x1b[0;;229:97u", text("åa")),
        ("\x1b[0u", vec![]),
        ("\x1b[u", vec![]),
        // Larger than the parser counts.
        ("\x1b[128512u", key(Key::Other)),
    ] {
        assert_eq!(decoded(bytes.as_bytes()), expected, "{}", bytes.escape_default());
    }
}

#[test]
fn a_key_of_another_script_says_where_it_is() {
    let layout = |typed, latin| key(Key::Layout { typed, latin });
    for (bytes, expected) in [
        ("\x1b[1081::113u", layout('й', 'q')),
        ("\x1b[1081:1049:113;2u", layout('Й', 'Q')),
        ("\x1b[1081::113;2u", layout('Й', 'Q')),
        ("\x1b[1081::113;1;1081u", layout('й', 'q')),
        ("\x1b[1102:1070:46;2u", layout('Ю', '>')),
        ("\x1b[961::114u", layout('ρ', 'r')),
        ("\x1b[1089::99;5u", key(Key::Ctrl('c'))),
        ("\x1b[1081::113;3u", alt(Key::Layout { typed: 'й', latin: 'q' })),
        ("\x1b[1081u", text("й")),
        // Layouts of Latin letters mean what they write: AZERTY, and the ö of German.
        ("\x1b[97::113u", text("a")),
        ("\x1b[233::50u", text("é")),
        ("\x1b[246::59u", text("ö")),
        ("\x1b[97::113;5u", key(Key::Ctrl('a'))),
    ] {
        assert_eq!(decoded(bytes.as_bytes()), expected, "{}", bytes.escape_default());
    }
}

#[test]
fn keys_of_modify_other_keys_are_those_of_kitty() {
    for (bytes, expected) in [
        ("\x1b[27;5;99~", key(Key::Ctrl('c'))),
        ("\x1b[27;2;65~", text("A")),
        ("\x1b[27;2;32~", text(" ")),
        ("\x1b[27;2;9~", key(Key::BackTab)),
        ("\x1b[27;5;13~", key(Key::Enter)),
        ("\x1b[27;5;27~", key(Key::Esc)),
        ("\x1b[27;9;113~", key(Key::Other)),
    ] {
        assert_eq!(decoded(bytes.as_bytes()), expected, "{}", bytes.escape_default());
    }
}

#[test]
fn the_mouse_counts_from_one() {
    let click = |column, line| vec![Input::Click { column, line }];
    for (bytes, expected) in [
        (&b"\x1b[<0;10;3M"[..], click(9, 2)),
        (b"\x1b[<0;10;3m", vec![]),
        (b"\x1b[<2;10;3M", vec![]),
        (b"\x1b[<4;10;3M", vec![]),
        (b"\x1b[<35;10;3M", vec![]),
        (b"\x1b[<64;1;1M", vec![Input::Wheel { down: false }]),
        (b"\x1b[<65;1;1M", vec![Input::Wheel { down: true }]),
        (b"\x1b[<0;0;0M\x1b[<0;99999;1M", vec![]),
        (b"\x1b[M *#", click(9, 2)),
        (b"\x1b[M\x20\xff\x80", click(222, 95)),
        (b"\x1b[M#qq", vec![]),
        (b"\x1b[M`!!", vec![Input::Wheel { down: false }]),
        (b"\x1b[M\x20\x00\x00", vec![]),
        (b"\x1b[32;10;3M", click(9, 2)),
        (b"\x1b[97;10;3M", vec![Input::Wheel { down: true }]),
        (b"\x1b[35;10;3M", vec![]),
    ] {
        assert_eq!(
            decoded(&[bytes, b"q"].concat()),
            [expected, text("q")].concat(),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn a_pasted_text_is_one_input_whatever_is_in_it() {
    let pasted = |text: &str| vec![Input::Paste(Ok(text.to_owned()))];
    for (content, expected) in [
        (&b"port 80\r"[..], "port 80\r"),
        (b"", ""),
        (b"q\x03\x1a", "q\x03\x1a"),
        (b"\x1b[A\x1b[200~\x1b", "\x1b[A\x1b[200~\x1b"),
        (b"\x1b[20\x1b[201", "\x1b[20\x1b[201"),
        (b"\x1b]11;q", "\x1b]11;q"),
        ("数é".as_bytes(), "数é"),
        (b"a\xff\xc3b", "ab"),
    ] {
        let bytes = [b"\x1b[200~", content, b"\x1b[201~q"].concat();
        assert_eq!(decoded(&bytes), [pasted(expected), text("q")].concat(), "{}", bytes.escape_ascii());
    }
    for (length, expected) in [
        (paste::MAX_BYTES, Ok("x".repeat(paste::MAX_BYTES))),
        (paste::MAX_BYTES + 1, Err(PasteError::TooLong)),
        (3 * paste::MAX_BYTES, Err(PasteError::TooLong)),
    ] {
        let bytes = format!("\x1b[200~{}\x1b[201~q", "x".repeat(length));
        assert_eq!(decoded(bytes.as_bytes()), [vec![Input::Paste(expected)], text("q")].concat(), "{length}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_swallowed() {
    for bytes in
        [&b"\x80"[..], b"\x9b", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80", b"\xe2\x82", b"\xc2\x9b"]
    {
        assert_eq!(decoded(&[b"a", bytes, b"b"].concat()), text("ab"), "{}", bytes.escape_ascii());
    }
}

/// Parts of what terminals send, complete or not.
fn any_part() -> impl Strategy<Value = Vec<u8>> {
    let keys: Vec<&[u8]> = table_of_keys().into_iter().map(|(bytes, _)| bytes).collect();
    let others: Vec<&[u8]> = vec![
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x1b]11;",
        b"\x1bP",
        b"\x1b\\",
        b"\x07",
        b"\x1b[<",
        b"0;1;2M",
        b"\x1b[M",
        b"\x1b[",
        b"\x1bO",
        b"1081::113u",
        b"\x1b[1;3",
        b"\xe2\x82",
        b"\x9c",
        b"\x18",
        b"\xff",
        b"\x1b[[",
    ];
    prop_oneof![
        4 => proptest::sample::select([keys, others].concat()).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..6),
    ]
}

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    vec(any_part(), 0..20).prop_map(|parts| parts.concat())
}

/// The beginnings of control strings, and whether BEL ends them too.
const CONTROL_STRINGS: [(u8, bool); 5] =
    [(b']', true), (b'P', false), (b'X', false), (b'^', false), (b'_', false)];

proptest! {
    #[test]
    fn any_bytes_end_and_need_no_more_room_than_they_are(bytes in prop_oneof![vec(any::<u8>(), 0..200), any_input()]) {
        let inputs = decoded(&bytes);
        prop_assert!(inputs.len() <= bytes.len());
    }

    #[test]
    fn how_reads_are_split_does_not_matter(bytes in any_input(), cuts in vec(any::<usize>(), 0..8)) {
        prop_assert_eq!(decoded_in_parts(&bytes, &cuts), decoded(&bytes));
    }

    #[test]
    fn one_byte_at_a_time_does_not_matter(bytes in any_input()) {
        prop_assert_eq!(decoded_in_parts(&bytes, &(0..bytes.len()).collect::<Vec<_>>()), decoded(&bytes));
    }

    #[test]
    fn a_control_string_yields_nothing(
        kind in proptest::sample::select(CONTROL_STRINGS.to_vec()),
        content in vec(any::<u8>(), 0..300),
        is_ended_by_bel: bool,
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let (introducer, has_bel) = kind;
        let content: Vec<u8> =
            content.into_iter().filter(|byte| *byte != ESC && !(has_bel && *byte == BEL)).collect();
        let end: &[u8] = if is_ended_by_bel && has_bel { b"\x07" } else { b"\x1b\\" };
        let string = [&[b'a', ESC, introducer], &content[..], end, b"b"].concat();
        prop_assert_eq!(decoded_in_parts(&string, &cuts), text("ab"));
        // Without an end, until nothing more comes.
        let begun = [&[b'a', ESC, introducer, b'.'], &content[..]].concat();
        prop_assert_eq!(decoded_in_parts(&begun, &cuts), text("a"));
    }

    #[test]
    fn a_pasted_text_yields_no_key(content in any_input(), cuts in vec(any::<usize>(), 0..8)) {
        // No text has the end in it: terminals leave it out.
        let end = content.windows(6).position(|six| six == b"\x1b[201~").unwrap_or(content.len());
        let bytes = [b"\x1b[200~", &content[..end], b"\x1b[201~q"].concat();
        let inputs = decoded_in_parts(&bytes, &cuts);
        prop_assert_eq!(inputs.len(), 2, "{:?}", inputs);
        prop_assert!(matches!(&inputs[..], [Input::Paste(Ok(_)), Input::Key(Key::Char('q'))]), "{:?}", inputs);
        // Without an end, until nothing more comes.
        let begun = &bytes[..bytes.len() - 7];
        prop_assert_eq!(decoded_in_parts(begun, &cuts), [Input::Paste(Err(PasteError::CutOff))]);
    }

    #[test]
    fn text_stays_text(typed in "[^\\x00-\\x1f\\x7f-\\x9f\u{fffd}]{0,40}", cuts in vec(any::<usize>(), 0..8)) {
        prop_assert_eq!(decoded_in_parts(typed.as_bytes(), &cuts), text(&typed));
    }
}
