//! Every letter, from every state that matters to it.

use proptest::prelude::*;

use super::*;

/// Letters in a row and what each of them prints.
const CONVERSATIONS: [(&str, &[&str]); 10] = [
    ("nn", &["DNS resolution is ON.\n\n", "DNS resolution is OFF.\n\n"]),
    ("NN", &["Port resolution is ON.\n\n", "Port resolution is OFF.\n\n"]),
    ("ss", &["Hide source host\n\n", "Show source host\n\n"]),
    ("dd", &["Hide destination host\n\n", "Show destination host\n\n"]),
    (
        "SDSD",
        &[
            "Showing ports: src.\n\n",
            "Showing ports: both.\n\n",
            "Showing ports: dest.\n\n",
            "Showing ports: none.\n\n",
        ],
    ),
    ("DSD", &["Showing ports: dest.\n\n", "Showing ports: both.\n\n", "Showing ports: src.\n\n"]),
    ("pp", &["Showing ports: both.\n\n", "Showing ports: none.\n\n"]),
    ("oo", &["Order frozen.\n\n", "Order unfrozen.\n\n"]),
    ("PP", &["Pausing... press 'P' again to continue.\n", "Continuing.\n\n"]),
    (
        "123<>",
        &[
            "Sorting by column 1.\n\n",
            "Sorting by column 2.\n\n",
            "Sorting by column 3.\n\n",
            "Sorting by column source.\n\n",
            "Sorting by column destination.\n\n",
        ],
    ),
];

#[test]
fn each_letter_says_what_it_did() {
    for (letters, messages) in CONVERSATIONS {
        let mut view = View::default();
        assert_eq!(letters.len(), messages.len());
        for (letter, message) in letters.bytes().zip(messages) {
            let pressed = view.press(letter);
            assert_eq!(pressed.message, Some(*message), "{letters}");
            assert_eq!(pressed.reprint, !view.paused, "{letters}");
            assert!(!pressed.quit);
        }
    }
}

#[test]
fn letters_change_the_view() {
    let after = |letters: &str| {
        let mut view = View::default();
        for letter in letters.bytes() {
            view.press(letter);
        }
        view
    };
    let plain = View::default();
    let grouped = |grouping| View { grouping, ..plain };
    assert_eq!(after("n"), View { host_names: true, ..plain });
    assert_eq!(after("N"), View { service_names: true, ..plain });
    assert_eq!(after("s"), grouped(Grouping { hide_source: true, ..Grouping::default() }));
    assert_eq!(after("d"), grouped(Grouping { hide_destination: true, ..Grouping::default() }));
    assert_eq!(after("S"), grouped(Grouping { ports: PortDisplay::SourceOnly, ..Grouping::default() }));
    // From one shown port `p` goes to none, not to both.
    assert_eq!(after("Sp"), plain);
    assert_eq!(after("Dp"), plain);
    assert_eq!(after("o"), View { order_frozen: true, ..plain });
    for (letter, sort) in [
        ("1", Sort::Last2s),
        ("2", Sort::Last10s),
        ("3", Sort::Last40s),
        ("<", Sort::Source),
        (">", Sort::Destination),
    ] {
        assert_eq!(after(letter), View { sort, ..plain });
    }
}

#[test]
fn u_reports_q_quits_and_neither_says_anything() {
    let mut view = View::default();
    assert_eq!(view.press(b'u'), Pressed { reprint: true, ..Pressed::default() });
    assert_eq!(view.press(b'q'), Pressed { quit: true, ..Pressed::default() });
    assert_eq!(view, View::default());
}

#[test]
fn nothing_is_printed_in_a_pause_but_messages() {
    let mut view = View::default();
    view.press(b'P');
    assert_eq!(view.press(b'u'), Pressed::default());
    let pressed = view.press(b'1');
    assert_eq!((pressed.message, pressed.reprint), (Some("Sorting by column 1.\n\n"), false));
    assert!(view.press(b'P').reprint);
}

proptest! {
    #[test]
    fn other_letters_do_nothing(letter: u8) {
        prop_assume!(!b"nNsdSDpoP123<>uq".contains(&letter));
        let mut view = View::default();
        prop_assert_eq!(view.press(letter), Pressed::default());
        prop_assert_eq!(view, View::default());
    }
}
