//! No text upsets the parser: none panics, none takes the stack, and the time grows with the length.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::parse::MAX_LEVELS;
use super::*;

/// Stack of a thread. A recursion for each of a million characters would need fifty times as much.
const STACK_BYTES: usize = 2 << 20;

const MEGABYTE: usize = 1 << 20;

/// Does with a text all that is ever done with one.
fn exercise(text: &str) -> Result<Filter, FilterError> {
    let parsed = parse(text);
    match &parsed {
        Ok(filter) => {
            let tuple = tuple("10.0.0.5:80", "[2001:db8::5]:443");
            let subject = Subject { pid: Some(1), comm: Some("a"), state: 1, netns: 1, ..Subject::of(tuple) };
            let verdict = filter.verdict(&subject);
            let admitted = filter.pushdown().admits(&tuple);
            assert!(admitted || verdict == Verdict::NONE, "{text:?}");
            let printed = filter.to_string();
            assert_eq!(parse(&printed).as_ref(), Ok(filter), "{text:?} as {printed:?}");
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.column()), "{text:?}: {error}");
            assert!(error.pointer(text).contains('^'), "{text:?}: {error}");
        }
    }
    // What can be said without names must not refuse what is right with them.
    assert!(parsed.is_err() || check(text).is_ok(), "{text:?}");
    parsed
}

/// Runs on a small stack; an overflow would end the tests.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap();
}

/// Pieces of the language, and some that are not.
#[rustfmt::skip]
const PIECES: [&str; 60] = [
    "host", "net", "port", "portrange", "src", "dst", "ip", "ip6", "tcp", "udp", "proto", "pid", "comm",
    "state", "netns", "inbound", "outbound", "and", "or", "not", "&&", "||", "!", "(", ")", "/", "mask",
    "10.1.2.3", "10.0.0.0/8", "10.1", "::1", "2001:db8::/32", "::ffff:10.0.0.1", "80", "443", "0x50", "0120",
    "99999999999", "80-90", "http", "self", "established", "nginx*", "\"a b\"", "'", "\"", "\\port", "\\",
    "database.internal", "ether", "less", "len", "tcp[13]", "&", "7", "ü", "\u{202e}", "\0", "\n", "-",
];

fn soup() -> impl Strategy<Value = String> {
    let separator = select(vec![" ", " ", " ", "", "\t"]);
    vec((select(PIECES.to_vec()), separator), 0..60).prop_map(|pieces| {
        pieces.into_iter().map(|(piece, separator)| piece.to_owned() + separator).collect()
    })
}

/// Expressions that are right, to be damaged.
const RIGHT: [&str; 6] = [
    "port 80 or 443",
    "src net 10.0.0.0/8 and not dst host 192.0.2.1",
    "ip6 and (portrange 8000-8100 or host 2001:db8::5)",
    "comm \"a b\" or comm nginx* and state established",
    "not (udp or arp) and tcp and netns self",
    "net 10.0.0.0 mask 255.0.0.0 or dst port domain or host database.internal",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_text_upsets_it(text: String) {
        let _ = exercise(&text);
    }

    #[test]
    fn no_bytes_upset_it(bytes in vec(any::<u8>(), 0..200)) {
        let _ = exercise(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_order_of_words_upsets_it(text in soup()) {
        let _ = exercise(&text);
    }

    #[test]
    fn no_damaged_byte_upsets_it(
        right in select(RIGHT.to_vec()), damage in vec((any::<Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut bytes = right.as_bytes().to_vec();
        for (at, byte, kind) in damage {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let _ = exercise(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn what_is_right_is_right() {
    for text in RIGHT {
        exercise(text).unwrap_or_else(|error| panic!("{error}\n{}", error.pointer(text)));
    }
}

/// Each of them a megabyte.
#[test]
fn a_megabyte_is_refused_or_taken() {
    on_a_small_stack(|| {
        for piece in
            ["(", "not ", "port ((80)) or ", "port 80 or (", "port 80 and port 81 or ", "\"", "a-", "1:"]
        {
            let _ = exercise(&("port 80 or ".to_owned() + &piece.repeat(MEGABYTE / piece.len())));
        }
    });
}

/// Alone, before and behind what is right.
#[test]
fn repetitions_are_refused_or_taken() {
    on_a_small_stack(|| {
        for piece in [
            ")",
            "!",
            "not (",
            "port (",
            "src ",
            "src or dst ",
            "ip ",
            "tcp and not ",
            "\\",
            "'a' ",
            "\"\\",
            "a",
            "-",
            ":",
            ".",
            "1.",
            "0",
            "9",
            "0x",
            "/",
            "*",
            "?*",
            "[",
            "ü",
            " ",
            "\0",
            "host a or ",
            "comm *a* or ",
        ] {
            let text = piece.repeat(MEGABYTE / 32 / piece.len());
            let _ = exercise(&text);
            let _ = exercise(&(text.clone() + "port 80"));
            let _ = exercise(&("port 80 or ".to_owned() + &text));
        }
    });
}

#[test]
fn a_megabyte_that_is_right_is_taken() {
    on_a_small_stack(|| {
        for (first, more, close) in [("port 80", " or 81", ""), ("host (10.0.0.1", " or not 10.0.0.2", ")")] {
            let text = first.to_owned() + &more.repeat(MEGABYTE / more.len()) + close;
            assert!(exercise(&text).is_ok(), "{first}{more}…");
        }
    });
}

#[test]
fn the_deepest_nesting_is_safe() {
    on_a_small_stack(|| {
        for (open, middle, close) in [
            ("(", "port 80", ")"),
            ("not ", "port 80", ""),
            ("(port 1 or ", "port 80", ")"),
            ("port 1 and (", "port 80", ")"),
            ("port 1 or port 2 and (", "port 80", ")"),
        ] {
            let nested = |levels: usize| open.repeat(levels) + middle + &close.repeat(levels);
            let deepest = (1..=MAX_LEVELS + 1).take_while(|&levels| exercise(&nested(levels)).is_ok()).last();
            let deepest = deepest.unwrap_or_else(|| panic!("{open}"));
            assert!(deepest >= MAX_LEVELS / 2, "{open}: {deepest}");
            let error = exercise(&nested(deepest + 1)).unwrap_err().to_string();
            assert!(error.contains(&format!("more than {MAX_LEVELS} ")), "{open}: {error}");
        }
    });
}

#[test]
fn and_and_or_may_take_turns_a_hundred_times() {
    on_a_small_stack(|| {
        let chain = |turns: usize| "port 1 and port 2 or ".repeat(turns / 2) + "port 3";
        assert!(exercise(&chain(MAX_LEVELS)).is_ok());
        let error = exercise(&chain(MAX_LEVELS + 4)).unwrap_err().to_string();
        assert!(error.ends_with("put what belongs together in parentheses"), "{error}");
        let together = "(port 1 and port 2) or ".repeat(MAX_LEVELS) + "port 3";
        assert!(exercise(&together).is_ok());
    });
}
