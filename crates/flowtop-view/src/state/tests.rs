//! Any keys, samples and sizes: the selection stays inside the rows, a pause holds the rows and not the counting.

mod filters;
mod groups;
mod keys;
mod replay;
mod terminal;

use proptest::prelude::*;

use super::effect::{Effect, Reaction};
use super::input::{Input, Key as Press};
use super::update::Event;
use super::*;
use flowtop_common::Flow;
use flowtop_core::fixture::{CONNECTED, flow, key, sample};
use flowtop_core::names::NoNames;
use flowtop_core::window::Bytes;
use flowtop_core::wire::Sample;

/// A screen with rows of so many hosts after `at_s` seconds; each sends as many bytes a second as its number.
pub(super) fn screen(hosts: u64, size: (u16, u16)) -> State {
    let settings = Settings::default();
    let mut state =
        State::new(&settings, SessionInfo::default(), Ledger::new(10_000, 0), Duration::from_secs(1));
    state.update(Event::Resize(size.0, size.1), &NoNames);
    state.update(Event::Sample(&Sample::default()), &NoNames);
    tick(&mut state, hosts, 1);
    state
}

/// Advances to second `at_s`, with one flow per host.
pub(super) fn tick(state: &mut State, hosts: u64, at_s: u64) {
    let flows: Vec<_> = (1..=hosts).map(|host| connection(host, at_s * host * 1000)).collect();
    state.update(Event::Sample(&sample(at_s, &flows)), &NoNames);
    state.update(Event::Frame(format!("00:00:{at_s:02}")), &NoNames);
}

fn connection(host: u64, sent: u64) -> (flowtop_common::FlowKey, Flow) {
    let remote = format!("198.51.{}.{}:443", host / 250, host % 250);
    let mut comm = [0; 16];
    comm[..4].copy_from_slice(if host.is_multiple_of(2) { b"even" } else { b"odd\0" });
    let flow = Flow { pid: 100 + u32::try_from(host).unwrap(), comm, ..flow(CONNECTED, sent, sent / 10) };
    (key(1, "192.0.2.1:40000", &remote, host), flow)
}

pub(super) fn press(state: &mut State, keys: &[Press]) -> Reaction {
    let mut reaction = Reaction::NOTHING;
    for key in keys {
        reaction = state.update(Event::Input(Input::Key(*key)), &NoNames);
    }
    reaction
}

pub(super) fn type_text(state: &mut State, text: &str) {
    press(state, &text.chars().map(Press::Char).collect::<Vec<_>>());
}

pub(super) fn shown(state: &State) -> Vec<String> {
    let labels = state.labels(&NoNames);
    state.visible().map(|group| labels.destination(group.key, group.sum.connections).text()).collect()
}

#[test]
fn arrows_select_and_bring_the_row_onto_the_screen() {
    let mut state = screen(30, (80, 24));
    let page = state.page();
    press(&mut state, &[Press::Down]);
    assert_eq!(state.table.position(state.selected.as_ref().unwrap()), Some(0));
    press(&mut state, &[Press::PageDown, Press::PageDown]);
    assert_eq!(state.table.position(state.selected.as_ref().unwrap()), Some(2 * page));
    assert_eq!(state.offset, page + 1);
    press(&mut state, &[Press::End]);
    assert_eq!((state.table.position(state.selected.as_ref().unwrap()), state.offset), (Some(29), 30 - page));
    press(&mut state, &[Press::Home, Press::Up]);
    assert_eq!((state.table.position(state.selected.as_ref().unwrap()), state.offset), (Some(0), 0));
}

#[test]
fn the_selection_is_of_a_row_and_not_of_a_place() {
    let mut state = screen(5, (80, 40));
    press(&mut state, &[Press::Down, Press::Down]);
    let selected = state.selected.clone().unwrap();
    press(&mut state, &[Press::Char('>')]);
    assert_eq!((state.selected.as_ref(), state.table.position(&selected)), (Some(&selected), Some(3)));
}

#[test]
fn a_frozen_order_keeps_its_rows_and_their_values_go_on() {
    let mut state = screen(3, (80, 24));
    press(&mut state, &[Press::Char('o')]);
    let before = shown(&state);
    for at_s in 2..5 {
        tick(&mut state, 5, at_s);
    }
    press(&mut state, &[Press::Char('>'), Press::Char('s'), Press::Tab]);
    assert_eq!(shown(&state), before);
    assert_eq!(state.visible().next().unwrap().sum.bytes.tx, 4 * 3 * 1000);
    // New flows are in the totals all the same.
    assert_eq!(state.footer.shown.bytes.tx, 4 * (1 + 2 + 3 + 4 + 5) * 1000);
    press(&mut state, &[Press::Char('o')]);
    assert_eq!(state.table.len(), 5);
}

#[test]
fn while_the_order_is_frozen_peaks_are_those_since_then() {
    let mut state = screen(1, (80, 24));
    press(&mut state, &[Press::Char('o')]);
    for at_s in 2..4 {
        tick(&mut state, 1, at_s);
    }
    let peak = state.footer.shown.peak.tx_per_s;
    assert!(peak >= 1000.0);
    for at_s in 4..60 {
        // Nothing moves any more.
        state.update(Event::Sample(&sample(at_s, &[connection(1, 3000)])), &NoNames);
        state.update(Event::Frame(String::new()), &NoNames);
    }
    assert!((state.footer.shown.peak.tx_per_s - peak).abs() < 1e-9);
    press(&mut state, &[Press::Char('o')]);
    assert!(state.footer.shown.peak.tx_per_s < 1e-9);
}

#[test]
fn a_pinned_row_is_first_whatever_it_moves() {
    let mut state = screen(9, (80, 40));
    press(&mut state, &[Press::End, Press::Char(' ')]);
    assert_eq!(state.message(), Some("Row pinned"));
    assert_eq!(shown(&state)[0], "198.51.0.1");
    tick(&mut state, 9, 2);
    assert_eq!(shown(&state)[..2], ["198.51.0.1", "198.51.0.9"]);
    press(&mut state, &[Press::Char(' ')]);
    assert_eq!((state.message(), shown(&state)[0].as_str()), (Some("Row unpinned"), "198.51.0.9"));
}

#[test]
fn the_pane_follows_the_selection() {
    let mut state = screen(9, (100, 50));
    press(&mut state, &[Press::Enter]);
    let title = |state: &State| state.detail.as_ref().unwrap().title.clone();
    assert_eq!(title(&state), "192.0.2.1 => 198.51.0.9");
    press(&mut state, &[Press::Down]);
    assert_eq!(title(&state), "192.0.2.1 => 198.51.0.8");
    let facts = &state.detail.as_ref().unwrap().facts;
    assert!(facts.contains(&("owner", "even[108]".to_owned())), "{facts:?}");
    assert!(facts.contains(&("sent", "7.81KB".to_owned())), "{facts:?}");
    press(&mut state, &[Press::Esc]);
    assert_eq!(state.detail, None);
}

#[test]
fn refresh_goes_in_steps_from_half_a_second_to_ten() {
    let mut state = screen(1, (80, 24));
    let reaction = press(&mut state, &[Press::Char('+')]);
    assert_eq!((reaction.effect, state.refresh.as_millis()), (Some(Effect::Refresh), 500));
    assert_eq!(state.message(), Some("Refresh every 0.5 s"));
    press(&mut state, &[Press::Char('+')]);
    assert_eq!(state.refresh.as_millis(), 500);
    press(&mut state, &[Press::Char('-'); 9]);
    assert_eq!(state.refresh.as_secs(), 10);
}

/// Every key of the table, and some that only a prompt knows.
fn any_key() -> impl Strategy<Value = Press> {
    let keys: Vec<Press> =
        super::keys::TABLE.iter().flat_map(|binding| binding.keys.iter().copied()).collect();
    let more =
        [Press::Backspace, Press::Left, Press::Delete, Press::Ctrl('w'), Press::Char('8'), Press::Other];
    proptest::sample::select([keys, more.to_vec()].concat())
}

#[derive(Clone, Debug)]
enum Step {
    Key(Press),
    Tick(u64),
    Size(u16, u16),
    Click(u16, u16),
    Wheel(bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_key().prop_map(Step::Key),
        2 => (0..40_u64).prop_map(Step::Tick),
        1 => (0..200_u16, 0..60_u16).prop_map(|(width, height)| Step::Size(width, height)),
        1 => (0..200_u16, 0..60_u16).prop_map(|(column, line)| Step::Click(column, line)),
        1 => any::<bool>().prop_map(Step::Wheel),
    ]
}

fn take(state: &mut State, step: &Step, at_s: &mut u64) {
    match step {
        Step::Key(key) => drop(press(state, &[*key])),
        Step::Tick(hosts) => {
            *at_s += 1;
            tick(state, *hosts, *at_s);
        }
        Step::Size(width, height) => drop(state.update(Event::Resize(*width, *height), &NoNames)),
        Step::Click(column, line) => {
            let click = Input::Click { column: *column, line: *line };
            state.update(Event::Input(click), &NoNames);
        }
        Step::Wheel(down) => drop(state.update(Event::Input(Input::Wheel { down: *down }), &NoNames)),
    }
}

proptest! {
    #[test]
    fn the_selection_stays_inside_the_rows(steps in proptest::collection::vec(any_step(), 0..80)) {
        let (mut state, mut at_s) = (screen(20, (80, 24)), 1);
        for step in &steps {
            take(&mut state, step, &mut at_s);
            let rows = state.table.len();
            prop_assert!(state.offset < rows.max(1));
            prop_assert!(state.selected.as_ref().is_none_or(|key| state.table.position(key).is_some_and(|at| at < rows)));
            // What is on the screen is in order, as far as the rows go.
            prop_assert_eq!(state.visible().count(), match state.layout() {
                Some(_) => state.page_or_none().min(rows - state.offset.min(rows)),
                None => 0,
            });
            prop_assert!(state.detail.as_ref().is_none_or(|detail| Some(&detail.key) == state.selected.as_ref()));
        }
    }

    #[test]
    fn a_pause_holds_the_rows_and_not_the_counting(steps in proptest::collection::vec(any_step(), 0..60)) {
        let (mut state, mut at_s) = (screen(20, (80, 24)), 1);
        state.view.paused = true;
        let rows = |state: &State| {
            let mut rows: Vec<_> = state.table.all().map(|row| (row.key.clone(), row.sum)).collect();
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
            rows
        };
        let before = rows(&state);
        let mut counted = Bytes::default();
        for step in &steps {
            if !matches!(step, Step::Key(Press::Char('P') | Press::Ctrl(_))) {
                take(&mut state, step, &mut at_s);
            }
            prop_assert_eq!(&rows(&state), &before);
            let now = state.ledger.totals().bytes;
            prop_assert!(now.tx >= counted.tx);
            counted = now;
        }
        at_s += 1;
        tick(&mut state, 30, at_s);
        prop_assert!(state.ledger.totals().bytes.tx > counted.tx);
        if !state.filters.hide_rows() {
            prop_assert_eq!(state.footer.shown.bytes, state.ledger.totals().bytes);
        }
    }
}
