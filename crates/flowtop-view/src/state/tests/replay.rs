//! Records on a screen: each key of a replay, and that rows, groups and the selection are those of the record shown.

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use super::*;
use crate::state::replay::{Replay, Window as Shown};
use flowtop_core::filter::Boundary;
use flowtop_core::owner::Identity;
use flowtop_core::record::fixture::{flow as recorded, record};
use flowtop_core::record::{FlowRecord, Record};
use flowtop_recording::replay::caption::Caption;
use flowtop_recording::replay::player::{Moment, Player};
use flowtop_recording::replay::{RecordedOwners, labels};

/// Three minutes with one missing before the last: minute `n` has `n + 1` hosts of pod `pod-n`.
fn records() -> Vec<Record> {
    let flow = |minute: u64, host: u64| {
        let remote = format!("198.51.100.{host}:443");
        let bytes = Bytes { tx: 60_000 * host * (minute + 1), rx: 60 };
        let pod = Some(format!("pod-{minute}"));
        let identity = Some(Arc::new(Identity { pod, ..Identity::default() }));
        FlowRecord { identity, ..recorded(host, "nginx", ["192.0.2.1:40000", &remote], bytes, bytes) }
    };
    [0, 1, 3].map(|minute| record(minute, (1..=minute + 1).map(|host| flow(minute, host)).collect())).into()
}

fn window(record: &Record, replay: &Replay) -> Shown {
    Shown {
        ledger: Ledger::of_record(record, Boundary::default(), None),
        owners: Arc::new(RecordedOwners::of(record)),
        labels: Arc::new(labels(record)),
        caption: Caption::of(record, replay.player.gap_before(replay.player.at()), replay.zone()),
        limits: String::new(),
    }
}

/// Does what a shell does with effects.
fn carry_out(state: &mut State, reaction: &Reaction) {
    if let Some(Effect::Show(at)) = reaction.effect {
        let shown = window(&records()[at], state.replay.as_ref().unwrap());
        assert!(state.update(Event::Window(Ok(Box::new(shown))), &NoNames).draw);
    }
}

fn replay(size: (u16, u16)) -> State {
    let opened: ZonedDateTime = "2026-11-20T12:00:00+00:00[UTC]".parse().unwrap();
    let moments = records().into_iter().map(|record| Moment { host: record.host.into(), span: record.span });
    let replay = Replay::new(Player::new(moments.collect()).unwrap(), opened);
    assert_eq!(replay.zone(), &TimeZone::UTC);
    let state =
        State::new(&Settings::default(), SessionInfo::default(), Ledger::new(1, 0), Duration::from_secs(1));
    let mut state = state.replaying(replay);
    state.update(Event::Resize(size.0, size.1), &NoNames);
    carry_out(&mut state, &Reaction::effect(Effect::Show(0)));
    state
}

fn wind(state: &mut State, keys: &[Press]) {
    for key in keys {
        let reaction = press(state, &[*key]);
        carry_out(state, &reaction);
    }
}

/// Number of the record, its rows, and all bytes sent.
fn where_are_we(state: &State) -> (usize, usize, u64) {
    (state.replay.as_ref().unwrap().player.at(), state.table.len(), state.footer.shown.bytes.tx)
}

const FIRST: (usize, usize, u64) = (0, 1, 60_000);
const SECOND: (usize, usize, u64) = (1, 2, 2 * 3 * 60_000);
const THIRD: (usize, usize, u64) = (2, 4, 4 * 10 * 60_000);

#[test]
fn each_step_shows_its_record_and_a_step_back_the_one_before() {
    let mut state = replay((80, 24));
    assert_eq!((where_are_we(&state), state.time.as_str()), (FIRST, "08:01:00"));
    let mut seen = Vec::new();
    for key in [Press::Right, Press::Right, Press::Right, Press::Left, Press::Char('a'), Press::Char('e')] {
        wind(&mut state, &[key]);
        seen.push(where_are_we(&state));
    }
    assert_eq!(seen, [SECOND, THIRD, THIRD, SECOND, FIRST, THIRD]);
}

#[test]
fn gaps_times_and_hosts_are_gone_to_and_what_is_not_there_is_said() {
    let mut state = replay((80, 24));
    wind(&mut state, &[Press::Char(']')]);
    assert_eq!(where_are_we(&state), THIRD);
    let notes = &state.replay.as_ref().unwrap().caption.notes;
    assert_eq!(notes, &["60 s missing before"]);
    for (key, message) in [
        (']', "No gap there"),
        ('e', "No record there"),
        ('v', "No other host"),
        ('.', "300 times as fast as it was"),
        (',', "60 times as fast as it was"),
    ] {
        wind(&mut state, &[Press::Char(key)]);
        assert_eq!(state.message(), Some(message));
    }
    press(&mut state, &[Press::Char('g')]);
    type_text(&mut state, "08:01");
    wind(&mut state, &[Press::Enter]);
    assert_eq!((where_are_we(&state), state.prompt.is_none()), (SECOND, true));
    press(&mut state, &[Press::Char('g')]);
    type_text(&mut state, "soon");
    wind(&mut state, &[Press::Enter]);
    assert!(state.prompt.as_ref().unwrap().error.as_ref().unwrap().contains("\"soon\" is no time"));
}

#[test]
fn playing_shows_record_after_record_until_the_last() {
    let mut state = replay((80, 24));
    let quiet = state.frame_every();
    press(&mut state, &[Press::Char('r')]);
    assert!(state.frame_every() < quiet);
    let mut seen = vec![where_are_we(&state)];
    for _ in 0..40 {
        let reaction = state.update(Event::Pass(100_000_000), &NoNames);
        carry_out(&mut state, &reaction);
        if seen.last() != Some(&where_are_we(&state)) {
            seen.push(where_are_we(&state));
        }
    }
    assert_eq!(seen, [FIRST, SECOND, THIRD]);
    assert_eq!(state.frame_every(), quiet);
    // iftop's letter for a pause stops the time, not the drawing.
    press(&mut state, &[Press::Char('P'), Press::Char('P')]);
    assert!(!state.view.paused && !state.replay.as_ref().unwrap().player.is_playing());
}

#[test]
fn a_selected_row_stays_selected_and_groups_have_the_names_of_then() {
    let mut state = replay((80, 24));
    press(&mut state, &[Press::Down, Press::Enter]);
    let selected = state.selected.clone().unwrap();
    wind(&mut state, &[Press::Right]);
    assert_eq!(state.selected, Some(selected));
    assert!(state.detail.as_ref().unwrap().facts.contains(&("sent", "117KB".to_owned())));
    press(&mut state, &[Press::Enter]);
    let pods = |state: &State| {
        let labels = state.labels(&NoNames);
        let names = state.visible().map(|group| labels.source(group.key, 1).text());
        names.collect::<Vec<_>>()
    };
    while state.by() != flowtop_core::group::Group::parse("pod").unwrap() {
        press(&mut state, &[Press::Tab]);
    }
    assert_eq!(pods(&state), ["pod-1"]);
    wind(&mut state, &[Press::Right]);
    assert_eq!(pods(&state), ["pod-3"]);
}

#[test]
fn what_cannot_be_read_is_said_and_the_screen_stays() {
    let mut state = replay((80, 24));
    press(&mut state, &[Press::Right]);
    assert!(state.update(Event::Window(Err("a disk is gone".to_owned())), &NoNames).draw);
    assert_eq!((state.message(), state.table.len()), (Some("a disk is gone"), 1));
    for _ in 0..3 {
        state.update(Event::Pass(1_000_000_000), &NoNames);
    }
    assert_eq!(state.message(), None);
}

#[test]
fn outside_a_replay_its_keys_mean_nothing() {
    let mut state = screen(3, (80, 24));
    for key in [Press::Left, Press::Right, Press::Char('g'), Press::Char(']')] {
        press(&mut state, &[Press::Char('1'), key]);
        assert_eq!(state.message(), Some(super::super::keys::UNKNOWN_KEY), "{key:?}");
    }
}

proptest! {
    /// Whatever was pressed before, a record looks as if it had been opened first.
    #[test]
    fn how_a_record_was_reached_does_not_show(
        path in prop::collection::vec(prop::sample::select(vec![Press::Left, Press::Right, Press::Char('a'), Press::Char('e'), Press::Char('[')]), 0..20),
    ) {
        let mut state = replay((80, 24));
        wind(&mut state, &path);
        let expected = [FIRST, SECOND, THIRD][where_are_we(&state).0];
        prop_assert_eq!(where_are_we(&state), expected);
    }
}
