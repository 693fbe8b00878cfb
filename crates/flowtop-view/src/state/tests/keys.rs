//! iftop's keys say what the reference page says, and every key of the table does something.

use std::fmt::Write as _;

use super::super::keys::{Action, TABLE, UNKNOWN_KEY, binding};
use super::*;

/// Keys one after the other, and the message of the last one; from the reference page.
const IFTOP: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/iftop/keys.tsv"));

/// The page is written by hand, except between these markers.
const REFERENCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference.md"));
const MARKERS: [&str; 2] = ["<!-- keys -->\n", "<!-- /keys -->"];

#[test]
fn the_table_in_the_reference_is_this_one() {
    let mut table = "| about | keys |\n|---|---|\n".to_owned();
    for section in super::super::keys::Section::ALL {
        let keys = TABLE.iter().filter(|binding| binding.section == section);
        let keys: Vec<_> = keys.map(|binding| format!("`{}` {}", binding.name, binding.help)).collect();
        writeln!(table, "| {} | {} |", section.title(), keys.join("; ")).unwrap();
    }
    let written = REFERENCE.split_once(MARKERS[0]).and_then(|(_, rest)| rest.split_once(MARKERS[1]));
    assert_eq!(
        written.map(|(table, _)| table),
        Some(table.as_str()),
        "docs/reference.md must have this table:\n{table}"
    );
}

fn key_of(name: &str) -> Press {
    match name {
        "Space" => Press::Char(' '),
        "Esc" => Press::Esc,
        "^L" => Press::Ctrl('l'),
        _ => Press::Char(name.chars().next().unwrap()),
    }
}

#[test]
fn iftops_keys_have_iftops_messages() {
    let mut compared = 0;
    for line in IFTOP.lines().filter(|line| !line.starts_with('#')) {
        let [keys, message] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let mut state = screen(3, (80, 24));
        for name in keys.split(' ') {
            press(&mut state, &[key_of(name)]);
        }
        // A prompt stands where the message would.
        let said = state.prompt.as_ref().map(|prompt| prompt.ask.label().trim_end().to_owned());
        let said = said.or(state.message().map(str::to_owned)).unwrap_or_default();
        assert_eq!(said, message, "{keys}");
        compared += 1;
    }
    assert_eq!(compared, 46);
}

#[test]
fn persistent_messages_stay_and_others_go() {
    let mut state = screen(3, (80, 24));
    for (key, persistent) in [('o', Some("Order frozen")), ('n', Some("Order frozen")), ('o', None)] {
        press(&mut state, &[Press::Char(key)]);
        assert!(state.message().is_some());
        let at_s = state.ledger.at_ns() / 1_000_000_000;
        for at_s in at_s + 1..at_s + 5 {
            tick(&mut state, 3, at_s);
        }
        assert_eq!(state.message(), persistent, "{key}");
    }
}

#[test]
fn the_greeting_names_the_interfaces() {
    let session = |names: &[&str]| SessionInfo {
        interfaces: names.iter().map(|name| (*name).to_owned()).collect(),
        ..SessionInfo::default()
    };
    let greeting = |session| {
        let state = State::new(&Settings::default(), session, Ledger::new(1, 0), Duration::from_secs(1));
        state.message().unwrap().to_owned()
    };
    assert_eq!(greeting(session(&[])), "Listening on any");
    assert_eq!(greeting(session(&["eth0", "lo"])), "Listening on eth0,lo");
}

#[test]
fn no_key_is_bound_twice_and_every_binding_is_complete() {
    for binding_of in TABLE {
        assert!(!binding_of.keys.is_empty() && !binding_of.name.is_empty() && !binding_of.help.is_empty());
        assert!(binding_of.help.chars().count() <= 29, "{}: too long for 80 columns", binding_of.help);
        for key in binding_of.keys {
            assert_eq!(binding(*key).unwrap().name, binding_of.name, "{key:?}");
        }
    }
}

#[test]
fn every_key_is_answered() {
    for binding in TABLE {
        for key in binding.keys {
            let mut state = screen(30, (80, 24));
            press(&mut state, &[Press::Down, Press::Down]);
            let reaction = press(&mut state, &[*key]);
            assert!(reaction.draw, "{}", binding.name);
            let effect = match binding.action {
                Action::Quit => Some(Effect::Quit),
                Action::Suspend => Some(Effect::Suspend),
                Action::Redraw => Some(Effect::Redraw),
                Action::Refresh { .. } => Some(Effect::Refresh),
                _ => None,
            };
            assert_eq!(reaction.effect, effect, "{}", binding.name);
        }
    }
}

#[test]
fn keys_without_a_meaning_name_the_help() {
    let mut state = screen(3, (80, 24));
    for key in [Press::Char('H'), Press::Char('R'), Press::Esc, Press::Other, Press::Delete] {
        press(&mut state, &[Press::Char('1'), key]);
        assert_eq!(state.message(), Some(UNKNOWN_KEY), "{key:?}");
    }
}

#[test]
fn in_a_prompt_letters_are_text_and_ctrl_c_still_quits() {
    let mut state = screen(3, (80, 24));
    press(&mut state, &[Press::Char('/'), Press::Char('q'), Press::Char('P')]);
    assert_eq!((state.prompt.as_ref().unwrap().text().as_str(), state.view.paused), ("qP", false));
    assert_eq!(press(&mut state, &[Press::Ctrl('c')]).effect, Some(Effect::Quit));
}
