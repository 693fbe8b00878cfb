use super::*;
use proptest::prelude::*;

const S: u64 = 1_000_000_000;

/// Records of a host: start and end in seconds of both clocks.
fn moments(name: &str, boot: u8, spans: &[(u64, u64)]) -> Vec<Moment> {
    let host = Arc::new(Host { name: name.to_owned(), machine_id: [1; 16], boot_id: [boot; 16] });
    let us = |s: u64| i64::try_from(s).unwrap() * US_PER_S;
    let moment = |&(start, end): &(u64, u64)| Moment {
        host: Arc::clone(&host),
        span: Span { start_us: us(start), end_us: us(end), start_ns: start * S, end_ns: end * S },
    };
    spans.iter().map(moment).collect()
}

/// Four minutes with one missing, and another one after a restart.
fn player() -> Player {
    let mut all = moments("a", 1, &[(0, 60), (60, 120), (180, 240), (240, 300)]);
    all.extend(moments("a", 2, &[(400, 460)]));
    Player::new(all).unwrap()
}

#[test]
fn without_records_there_is_nothing_to_play() {
    assert!(Player::new(Vec::new()).is_none());
}

#[test]
fn steps_end_at_the_ends() {
    let mut player = player();
    assert!(!player.step(false));
    assert!(player.step(true) && player.at() == 1);
    assert!(player.go_to_end(true) && player.at() == 4 && !player.step(true));
    assert!(player.step(false) && player.at() == 3);
    assert!(player.go_to_end(false) && player.at() == 0 && !player.go_to_end(false));
}

#[test]
fn a_jump_finds_the_record_of_a_time_or_the_next_one() {
    let mut player = player();
    for (s, expected) in
        [(-5, 0), (0, 0), (59, 0), (60, 1), (130, 2), (180, 2), (299, 3), (300, 4), (9999, 4)]
    {
        player.jump(s * US_PER_S);
        assert_eq!(player.at(), expected, "{s}");
    }
}

#[test]
fn gaps_are_found_and_named() {
    let mut player = player();
    let gaps: Vec<_> = (0..5).map(|at| player.gap_before(at)).collect();
    assert_eq!(gaps, [None, None, Some(Gap::Missing(60 * S)), None, Some(Gap::Reboot)]);
    assert!(player.go_to_gap(true) && player.at() == 2);
    assert!(player.go_to_gap(true) && player.at() == 4 && !player.go_to_gap(true));
    assert!(player.go_to_gap(false) && player.at() == 2 && !player.go_to_gap(false));
}

#[test]
fn one_host_is_shown_at_a_time() {
    let mut all = moments("a", 1, &[(0, 60), (60, 120), (120, 180)]);
    all.extend(moments("b", 3, &[(50, 110), (110, 170), (300, 360)]));
    let mut player = Player::new(all).unwrap();
    assert_eq!((player.of_host(), player.gap_before(3)), (0..3, None));
    player.go_to_end(true);
    assert!(!player.step(true) && player.at() == 2);
    // The middle at 150 s is nearest to that at 140 s.
    assert!(player.turn() && player.at() == 4);
    assert_eq!(player.of_host(), 3..6);
    assert!(player.turn() && player.at() == 2);
    assert!(player.jump(310 * US_PER_S) && player.at() == 5);
    player.toggle();
    assert!(!player.pass(1000 * S) && !player.is_playing());
}

#[test]
fn a_host_alone_has_no_other() {
    assert!(!player().turn());
}

#[test]
fn playing_shows_each_record_for_its_time_and_stops_at_the_end() {
    let mut player = player();
    assert!(!player.pass(1000 * S));
    player.toggle();
    assert_eq!((player.speed(), player.pass(S / 2)), (60, false));
    assert!(player.pass(S / 2) && player.at() == 1);
    assert!(player.change_speed(true) && player.speed() == 300);
    // 600 s of the recording: the rest of it has 240.
    assert!(player.pass(2 * S));
    assert_eq!((player.at(), player.is_playing()), (4, false));
}

#[test]
fn speeds_have_a_first_and_a_last() {
    let mut player = player();
    while player.change_speed(false) {}
    assert_eq!(player.speed(), 1);
    while player.change_speed(true) {}
    assert_eq!(player.speed(), 3600);
}

#[test]
fn the_track_shows_what_was_recorded_and_where_we_are() {
    let mut player = Player::new(moments("a", 1, &[(0, 60), (60, 120), (180, 240)])).unwrap();
    player.go_to_end(true);
    assert_eq!(player.track(4), (vec![1.0, 1.0, 0.0, 1.0], 3));
    assert_eq!(player.track(2), (vec![1.0, 0.5], 1));
    assert_eq!(player.track(0).0.len(), 0);
}

proptest! {
    #[test]
    fn whatever_is_pressed_there_is_a_record(
        spans in prop::collection::vec((any::<i64>(), any::<i64>(), any::<u64>(), any::<u64>(), 0..3_u8), 1..8),
        presses in prop::collection::vec((0..10_u8, any::<i64>()), 0..30),
        cells in 0..50_usize,
    ) {
        let moment = |&(start_us, end_us, start_ns, end_ns, boot): &(i64, i64, u64, u64, u8)| Moment {
            host: Arc::new(Host { machine_id: [boot / 2; 16], boot_id: [boot; 16], ..Host::default() }),
            span: Span { start_us, end_us, start_ns, end_ns },
        };
        let mut player = Player::new(spans.iter().map(moment).collect()).unwrap();
        for (press, number) in presses {
            let before = player.at();
            let moved = match press {
                0 => player.step(true),
                1 => player.step(false),
                2 => player.jump(number),
                3 => player.go_to_gap(number > 0),
                4 => player.go_to_end(number > 0),
                5 => player.pass(number.unsigned_abs() % (100 * S)),
                6 => player.turn(),
                7 => { player.toggle(); false }
                _ => { player.change_speed(number > 0); false }
            };
            prop_assert_eq!(moved, player.at() != before);
            prop_assert!(player.at() < spans.len());
            let (covered, at) = player.track(cells);
            prop_assert!(covered.len() == cells && (cells == 0 || at < cells));
            prop_assert!(covered.iter().all(|part| (0.0..=1.0 + 1e-9).contains(part)));
        }
    }

    /// Step by step or in one go, the same time shows the same record.
    #[test]
    fn playing_does_not_depend_on_how_often_it_is_looked_at(parts in prop::collection::vec(0..3_000_000_000_u64, 1..20)) {
        let (mut often, mut once) = (player(), player());
        often.toggle();
        once.toggle();
        let all: u64 = parts.iter().sum();
        for part in parts {
            often.pass(part);
        }
        once.pass(all);
        prop_assert_eq!((often.at(), often.is_playing()), (once.at(), once.is_playing()));
    }
}
