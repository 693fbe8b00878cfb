use super::*;
use proptest::prelude::*;

/// Characters that move the cursor, turn text around, hide or annotate it, spelled out: the table comes from
/// elsewhere.
const DECEPTIVE: [(char, char); 19] = [
    ('\0', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{f0000}', '\u{ffffd}'),
    ('\u{100000}', '\u{10fffd}'),
];

/// Names as people, companies and places have them.
const ORDINARY: [&str; 22] = [
    "nginx: worker process (2)",
    "größe-Ærø_Łódź",
    "naïve cafe\u{301}",
    "Ελληνικά",
    "русский",
    "Հայերեն",
    "עברית",
    "العربية",
    "\u{600}١٢٣",
    "فارسی",
    "हिन्दी",
    "বাংলা",
    "தமிழ்",
    "ไทย",
    "བོད་ཡིག",
    "ქართული",
    "አማርኛ",
    "ខ្មែរ",
    "日本語\u{3000}カタカナ",
    "中文（简体）",
    "한국어",
    "🦀 1 € → 2 £ ½ ™",
];

fn deceptive() -> impl Strategy<Value = char> {
    proptest::sample::select(&DECEPTIVE[..]).prop_flat_map(|(first, last)| proptest::char::range(first, last))
}

/// Texts in which deceptive characters are common.
fn hostile() -> impl Strategy<Value = String> {
    let c = prop_oneof![any::<char>(), deceptive(), Just('\u{1b}'), Just('a'), Just('é')];
    proptest::collection::vec(c, 0..40).prop_map(String::from_iter)
}

fn charset() -> impl Strategy<Value = Charset> {
    proptest::sample::select(&[Charset::Unicode, Charset::Ascii, Charset::AsciiWord][..])
}

fn is_deceptive(c: char) -> bool {
    DECEPTIVE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[test]
fn every_deceptive_character_breaks_a_screen() {
    let all = DECEPTIVE.iter().flat_map(|(first, last)| *first..=*last);
    let found: Vec<_> = all.filter(|c| !breaks_a_screen(*c)).map(char::escape_unicode).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn unassigned_characters_and_noncharacters_break_a_screen() {
    for c in ['\u{378}', '\u{fdd0}', '\u{ffff}', '\u{1fffe}', '\u{40000}', char::MAX] {
        assert!(breaks_a_screen(c), "{}", c.escape_unicode());
    }
}

#[test]
fn ordinary_names_of_all_scripts_are_untouched() {
    for name in ORDINARY {
        let expected = Sanitized { text: name.to_owned(), replaced: false, cut: false };
        assert_eq!(sanitize(name.as_bytes(), Charset::Unicode, 40), expected);
        assert_eq!(harmless(name), name);
    }
}

#[test]
fn what_is_deceptive_is_replaced_and_what_is_long_is_cut() {
    let shown = sanitize(b"a\x1b[2J\n\xff", Charset::Unicode, 40);
    assert_eq!((shown.text.as_str(), shown.replaced), ("a\u{fffd}[2J\u{fffd}\u{fffd}", true));
    assert_eq!(harmless("\u{61c}1\u{fff9}2\u{fffb}\u{202e}"), "\u{fffd}1\u{fffd}2\u{fffd}\u{fffd}");
    let long = sanitize(b"abcdef", Charset::Unicode, 4);
    assert_eq!((long.text.as_str(), long.replaced, long.cut), ("abc…", false, true));
    assert_eq!(sanitize(b"abcdef", Charset::Ascii, 4).text, "abc~");
    assert!(sanitize(&vec![b'x'; 1 << 20], Charset::Unicode, 10).cut);
    assert_eq!(sanitize(b"a", Charset::Unicode, 0).text, "");
}

#[test]
fn reports_of_words_and_ascii_screens_have_question_marks() {
    assert_eq!(printable("gate.example"), "gate.example");
    assert_eq!(printable("a b\x1b[2Jc\u{202e}ü"), "a?b?[2Jc??");
    assert_eq!(to_ascii("a b\x1b[2Jc\u{202e}ü"), "a b?[2Jc??");
}

#[test]
fn our_own_line_breaks_stay() {
    assert_eq!(harmless_lines("flowtop: a\n"), Cow::Borrowed("flowtop: a\n"));
    assert_eq!(harmless_lines("a\r\nb\x1b\n"), "a\u{fffd}\nb\u{fffd}\n");
}

proptest! {
    #[test]
    fn nothing_deceptive_comes_through(text in hostile(), charset in charset(), max_chars in 0..50_usize) {
        let shown = sanitize(text.as_bytes(), charset, max_chars);
        prop_assert!(!shown.text.chars().any(is_deceptive), "{:?}", shown.text);
        prop_assert!(shown.text.chars().count() <= max_chars);
        prop_assert_eq!(shown.cut, text.chars().count() > max_chars);
        prop_assert!(charset == Charset::Unicode || shown.text.is_ascii());
        prop_assert!(charset != Charset::AsciiWord || !shown.text.contains(' '));
    }

    #[test]
    fn any_bytes_come_out_fit(bytes: Vec<u8>, charset in charset(), max_chars in 0..40_usize) {
        let shown = sanitize(&bytes, charset, max_chars);
        prop_assert!(!shown.text.chars().any(breaks_a_screen));
        prop_assert!(shown.text.chars().count() <= max_chars);
    }

    #[test]
    fn twice_is_the_same_as_once(text in hostile(), charset in charset(), max_chars in 0..50_usize) {
        let once = sanitize(text.as_bytes(), charset, max_chars).text;
        let twice = sanitize(once.as_bytes(), charset, max_chars);
        prop_assert_eq!((&twice.text, twice.cut), (&once, false));
    }

    #[test]
    fn short_forms_are_the_one_function(text in hostile()) {
        let of = |charset| sanitize(text.as_bytes(), charset, usize::MAX).text;
        prop_assert_eq!(harmless(&text), of(Charset::Unicode));
        prop_assert_eq!(clean(text.as_bytes(), 9), sanitize(text.as_bytes(), Charset::Unicode, 9));
        prop_assert_eq!(printable(&text), of(Charset::AsciiWord));
        prop_assert_eq!(to_ascii(&text), of(Charset::Ascii));
        prop_assert_eq!(harmless_lines(&text).replace('\n', "\u{fffd}"), harmless(&text));
    }

    #[test]
    fn letters_marks_numbers_and_signs_stay(text in "[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} --\\p{Default_Ignorable_Code_Point}\u{fffd}]{0,30}") {
        let shown = sanitize(text.as_bytes(), Charset::Unicode, 30);
        prop_assert_eq!(shown, Sanitized { text, replaced: false, cut: false });
    }
}
