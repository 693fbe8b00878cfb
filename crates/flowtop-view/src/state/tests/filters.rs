//! Filters that hide rows, the footer with them, and prompts with an invalid text.

use super::*;
use flowtop_core::scope::{Scope, Subject, Verdict};

/// Opens a prompt, types a text and accepts it.
fn answer(state: &mut State, key: char, text: &str) -> Reaction {
    press(state, &[Press::Char(key), Press::Ctrl('u')]);
    type_text(state, text);
    press(state, &[Press::Enter])
}

fn error(state: &State) -> Option<&str> {
    state.prompt.as_ref()?.error.as_deref()
}

#[test]
fn totals_follow_the_filter_and_the_rest_is_hidden() {
    let mut state = screen(9, (80, 40));
    assert!(!state.has_hidden());
    answer(&mut state, '/', "EVEN");
    assert_eq!(shown(&state), ["198.51.0.8", "198.51.0.6", "198.51.0.4", "198.51.0.2"]);
    let footer = state.footer;
    assert_eq!((footer.shown.bytes.tx, footer.hidden_bytes.tx), (20_000, 25_000));
    assert_eq!((footer.connections, footer.all_connections), (4, 9));
    assert!(state.has_hidden());
    tick(&mut state, 9, 2);
    let footer = state.footer;
    let bytes = footer.shown.bytes + footer.hidden_bytes;
    assert_eq!(bytes, state.ledger.totals().bytes);
    assert!((footer.shown.peak.tx_per_s - 20_000.0).abs() < 1e-6, "{:?}", footer.shown.peak);
}

#[test]
fn a_search_is_live_and_esc_brings_back_what_was() {
    let mut state = screen(9, (80, 40));
    press(&mut state, &[Press::Char('/')]);
    for (typed, rows) in [('0', 9), ('.', 9), ('7', 1)] {
        press(&mut state, &[Press::Char(typed)]);
        assert_eq!(state.table.len(), rows, "{typed}");
    }
    press(&mut state, &[Press::Esc]);
    assert_eq!((state.table.len(), state.prompt.is_some()), (9, false));
    for (text, rows) in [(":443", 9), ("198.51.0.3", 1), ("odd[10", 5), ("no such thing", 0)] {
        answer(&mut state, '/', text);
        assert_eq!(state.table.len(), rows, "{text}");
    }
}

#[test]
fn a_screen_filter_looks_at_both_cells_and_ignores_case() {
    let mut state = screen(9, (80, 40));
    answer(&mut state, 'l', r"\.[12]$");
    assert_eq!(shown(&state).len(), 9, "the left host ends in .1");
    answer(&mut state, 'l', r"51\.0\.[12]$");
    assert_eq!(shown(&state), ["198.51.0.2", "198.51.0.1"]);
    answer(&mut state, 'l', "");
    assert_eq!(state.table.len(), 9);
}

#[test]
fn a_bad_pattern_is_told_in_the_prompt_and_the_old_one_stays() {
    let mut state = screen(9, (80, 40));
    answer(&mut state, 'l', "0.3$");
    answer(&mut state, 'l', "(");
    assert!(error(&state).unwrap().starts_with("Invalid regexp: "), "{:?}", error(&state));
    assert_eq!(shown(&state), ["198.51.0.3"]);
    type_text(&mut state, ")");
    assert_eq!(error(&state), None, "typing on takes the message away");
    press(&mut state, &[Press::Esc]);
    assert_eq!(state.filters.screen.as_ref().unwrap().as_str(), "0.3$");
}

#[test]
fn rows_below_a_rate_are_hidden_but_for_pinned_ones() {
    let mut state = screen(9, (80, 40));
    press(&mut state, &[Press::End, Press::Char(' ')]);
    answer(&mut state, 'z', "70k");
    // Sent and received of 8 and 9: 8.8 and 9.9 kB a second.
    assert_eq!(shown(&state), ["198.51.0.1", "198.51.0.9"]);
    answer(&mut state, 'z', "1.5M");
    assert_eq!((error(&state), state.filters.threshold), (None, f64::from(3 << 19)));
    answer(&mut state, 'z', "15X");
    assert!(
        error(&state)
            .unwrap()
            .starts_with("give bits per second: a number with at most one of K, M, G, T, P")
    );
    press(&mut state, &[Press::Esc]);
    answer(&mut state, 'z', "0");
    assert_eq!(state.table.len(), 9);
}

/// A scope that counts nothing.
#[derive(Debug)]
struct Nothing;

impl Scope for Nothing {
    fn verdict(&self, _: &Subject<'_>) -> Verdict {
        Verdict::NONE
    }
}

#[test]
fn a_net_filter_is_made_outside_and_old_data_fades() {
    let mut state = screen(9, (80, 40));
    let reaction = answer(&mut state, 'f', "port 80");
    assert_eq!(reaction.effect, Some(Effect::Filter("port 80".to_owned())));
    state.update(Event::Filter("port 80".to_owned(), Ok(Some(Box::new(Nothing)))), &NoNames);
    assert_eq!((state.message(), state.filters.net.as_str()), (Some("Installed new filter"), "port 80"));
    let before = state.ledger.totals().bytes;
    tick(&mut state, 9, 2);
    assert_eq!(state.ledger.totals().bytes, before);
    assert_eq!((state.table.len(), state.footer.hidden_bytes.tx), (9, 45_000));
    assert!((state.footer.hidden_rates.tx_per_s(Window::S2) - 22_500.0).abs() < 1e-6);
}

#[test]
fn a_bad_net_filter_is_told_in_the_prompt_and_the_old_one_stays() {
    let mut state = screen(9, (80, 40));
    answer(&mut state, 'f', "tcp[13]");
    state.update(Event::Filter("tcp[13]".to_owned(), Err("not after counting".to_owned())), &NoNames);
    assert_eq!((error(&state), state.filters.net.as_str()), (Some("not after counting"), ""));
}

#[test]
fn a_file_that_is_there_is_told_in_the_prompt() {
    let mut state = screen(9, (80, 40));
    let reaction = answer(&mut state, 'w', "x.json");
    assert_eq!(reaction.effect, Some(Effect::Save("x.json".into())));
    state.update(Event::Saved(Err("x.json exists".to_owned())), &NoNames);
    assert_eq!(error(&state), Some("x.json exists"));
    state.update(Event::Saved(Ok("y.json".to_owned())), &NoNames);
    assert_eq!((state.message(), state.prompt.is_some()), (Some("Saved to y.json"), false));
}

#[test]
fn what_is_saved_as_json_is_what_is_shown() {
    let mut state = screen(30, (80, 24));
    answer(&mut state, '/', "even");
    let json: serde_json::Value = serde_json::from_str(&save::json(&state, &NoNames)).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), state.page());
    assert_eq!(json["rows"][0]["destination"], "198.51.0.30");
    assert_eq!(json["rows"][0]["comm"], "even");
    assert_eq!(json["shown"]["tx_bytes"], 240_000);
    assert_eq!(json["hidden"]["tx_bytes"], 225_000);
    assert_eq!(json["search"], "even");
}
