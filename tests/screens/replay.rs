//! Screens of a replay.

use std::sync::Arc;

use flowtop_core::filter::Boundary;
use flowtop_core::group::Group;
use flowtop_core::owner::Identity;
use flowtop_core::record::{FlowRecord, Host, Record, Rest, Span};
use flowtop_core::window::Bytes;
use flowtop_recording::replay::caption::Caption;
use flowtop_recording::replay::player::{Moment, Player};
use flowtop_recording::replay::{RecordedOwners, labels};
use flowtop_view::state::replay::{Replay, Window};

use super::*;

/// 2026-11-02 08:00 UTC, in seconds since 1970.
const EIGHT_O_CLOCK_S: i64 = 1_793_606_400;

/// Minute `minute` of a host, with the connections of the other screens.
fn record(minute: u64) -> Record {
    let at_s = |minute: u64| EIGHT_O_CLOCK_S + i64::try_from(minute).unwrap() * 60;
    let flow = |connection: &Connection| {
        let Connection(_, _, _, name, tx, rx) = connection;
        let (key, last) = flow(connection, 60 * (minute + 1));
        let bytes = Bytes { tx: tx * 60, rx: rx * 60 };
        let identity = Identity { comm: Some((*name).to_owned()), ..Identity::default() };
        FlowRecord {
            key,
            flow: last,
            bytes,
            peak: bytes,
            identity: Some(Arc::new(identity)),
            users: 1,
            label: "public".into(),
            ..FlowRecord::default()
        }
    };
    let flows: Vec<_> = CONNECTIONS.iter().map(flow).collect();
    let span = Span {
        start_us: at_s(minute) * 1_000_000,
        end_us: at_s(minute + 1) * 1_000_000,
        start_ns: minute * 60 * S,
        end_ns: (minute + 1) * 60 * S,
    };
    let host = Host { name: "master-1".to_owned(), ..Host::default() };
    Record { host, span, flows, ..Record::default() }
}

/// An hour with some minutes missing, at minute `at`.
fn replay(size: (u16, u16), settings: &Settings, at: u64) -> State {
    let minutes = (0..60).filter(|minute| !(20..27).contains(minute) && *minute != 40);
    let mut shown = record(at);
    if at == 27 {
        let bytes = Bytes { tx: 3_000_000, rx: 0 };
        shown.rest = vec![Rest { comm: Some("curl".to_owned()), flows: 120, bytes, ..Rest::default() }];
    }
    let moments = minutes.map(record).map(|record| Moment { host: record.host.into(), span: record.span });
    let mut player = Player::new(moments.collect()).unwrap();
    player.jump(shown.span.start_us);
    let gap = player.gap_before(player.at());
    let replay = Replay::new(player, "2026-11-20T12:00:00+00:00[UTC]".parse().unwrap());
    let window = Window {
        ledger: Ledger::of_record(&shown, Boundary::default(), None),
        owners: Arc::new(RecordedOwners::of(&shown)),
        labels: Arc::new(labels(&shown)),
        caption: Caption::of(&shown, gap, replay.zone()),
        limits: "-f 'not port 9'".to_owned(),
    };
    let session = SessionInfo { hooks: "recorded".to_owned(), ..SessionInfo::default() };
    let mut state =
        State::new(settings, session, Ledger::new(1, 0), Duration::from_secs(1)).replaying(replay);
    state.update(Event::Resize(size.0, size.1), &NoNames);
    state.update(Event::Window(Ok(Box::new(window))), &NoNames);
    state
}

#[test]
fn a_replay_has_a_time_bar() {
    let settings = Settings::default();
    assert_screen("replay-80x24.txt", &replay((80, 24), &settings, 3));
    assert_screen("replay-behind-a-gap-120x24.txt", &replay((120, 24), &settings, 27));
    assert_screen("replay-plays-40x12.txt", &pressed(replay((40, 12), &settings, 59), &[Key::Char('r')]));
    assert_screen("replay-help-120x24.txt", &pressed(replay((120, 24), &settings, 3), &[Key::Char('h')]));
    assert_screen("replay-jump-80x24.txt", &typed(replay((80, 24), &settings, 3), "g08:30"));
    let mut ascii = Settings::default();
    ascii.ascii.value = true;
    assert_screen("replay-ascii-80x24.txt", &replay((80, 24), &ascii, 27));
}

#[test]
fn what_was_summed_up_is_a_row() {
    let mut settings = Settings::default();
    let mut keys = vec![Key::Down; 4];
    keys.push(Key::Enter);
    let state = pressed(replay((120, 24), &settings, 27), &keys);
    assert_screen("replay-summed-up-detail-120x24.txt", &state);
    // Its process is known.
    settings.by.value = Group::parse("process").unwrap();
    assert_screen("replay-summed-up-by-process-120x24.txt", &replay((120, 24), &settings, 27));
}

#[test]
fn a_replay_fits_on_any_screen() {
    let mut state = replay((80, 24), &Settings::default(), 27);
    for size in [(0, 0), (1, 1), (30, 8), (31, 9), (45, 13), (59, 16), (400, 200)] {
        state.update(Event::Resize(size.0, size.1), &NoNames);
        assert_eq!(drawn(&state, Choice::Dark, &NoNames).area.height, size.1);
    }
}
