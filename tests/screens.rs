//! Whole screens, drawn from literal states, against the files of the repository.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p flowtop --test screen` makes what is drawn the expected.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use flowtop_common::{Flow, FlowKey, Loss, Untracked, flags};
use flowtop_core::cost::Cost;
use flowtop_core::ledger::Ledger;
use flowtop_core::names::{Names, NoNames};
use flowtop_core::wire::Sample;
use flowtop_view::draw::theme::Theme;
use flowtop_view::draw::{draw, text};
use flowtop_view::settings::Settings;
use flowtop_view::settings::choice::Theme as Choice;
use flowtop_view::state::input::{Input, Key};
use flowtop_view::state::update::Event;
use flowtop_view::state::{SessionInfo, State};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

mod replay;

const S: u64 = 1_000_000_000;

fn octets(end: &str) -> ([u8; 16], u16) {
    let end: SocketAddr = end.parse().unwrap();
    let octets = match end.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    (octets, end.port())
}

/// A connection: its ends, its process, bytes sent and received in a second.
struct Connection(&'static str, &'static str, u32, &'static str, u64, u64);

const CONNECTIONS: [Connection; 7] = [
    Connection("192.0.2.1:40000", "198.51.100.7:443", 812, "nginx", 2_500_000, 31_000),
    Connection("192.0.2.1:40001", "198.51.100.7:443", 813, "nginx", 1_000_000, 9_000),
    Connection("192.0.2.1:40002", "203.0.113.9:5432", 1290, "数据库复制", 75_000, 990_000),
    Connection(
        "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:40003",
        "[2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa]:8443",
        2044,
        "rsync",
        410_000,
        2_000,
    ),
    Connection("192.0.2.1:40004", "203.0.113.10:22", 3301, "sshd", 120, 60),
    Connection("127.0.0.1:52210", "127.0.0.1:2379", 1501, "kube-apiserver", 2_000, 12_000),
    Connection("192.0.2.1:40005", "203.0.113.11:80", 0, "", 8_000, 0),
];

fn flow(connection: &Connection, at_s: u64) -> (FlowKey, Flow) {
    let Connection(local, remote, pid, name, tx, rx) = connection;
    let ((local_addr, local_port), (remote_addr, remote_port)) = (octets(local), octets(remote));
    let family = if local.starts_with('[') { 10 } else { 2 };
    let id = u64::from(local_port);
    let key = FlowKey {
        local_addr,
        remote_addr,
        local_port,
        remote_port,
        family,
        netns: 4_026_531_840,
        id,
        ..FlowKey::default()
    };
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    let flow = Flow {
        tx_bytes: tx * at_s,
        rx_bytes: rx * at_s,
        sent_bytes: tx * at_s,
        retrans_bytes: 2896,
        retrans_segs: 2,
        last_us: at_s * 1_000_000 - 250_000,
        srtt_us_x8: 8 * 12_340,
        state: 1,
        flags: flags::BORN | flags::ACTIVE,
        pid: *pid,
        comm,
        ..Flow::default()
    };
    (key, flow)
}

/// A screen after 45 s of steady traffic.
fn screen(size: (u16, u16), settings: &Settings) -> State {
    let session =
        SessionInfo { host: "web-1".to_owned(), hooks: "fentry".to_owned(), ..SessionInfo::default() };
    let mut state = State::new(settings, session, Ledger::new(1000, 0), Duration::from_secs(1));
    state.update(Event::Resize(size.0, size.1), &NoNames);
    for at_s in 0..=45 {
        let flows = CONNECTIONS.iter().filter(|_| at_s > 0).map(|connection| flow(connection, at_s));
        let sample = Sample { at_ns: at_s * S, flows: flows.collect(), ..Sample::default() };
        state.update(Event::Sample(&sample), &NoNames);
        state.update(Event::Frame("12:34:56".to_owned()), &NoNames);
    }
    state
}

fn plain(size: (u16, u16)) -> State {
    screen(size, &Settings::default())
}

fn ports_on(size: (u16, u16)) -> State {
    pressed(plain(size), &[Key::Char('p')])
}

fn pressed(mut state: State, keys: &[Key]) -> State {
    for key in keys {
        state.update(Event::Input(Input::Key(*key)), &NoNames);
    }
    state
}

fn typed(state: State, keys: &str) -> State {
    pressed(state, &keys.chars().map(Key::Char).collect::<Vec<_>>())
}

/// The next second, in which every message has gone.
fn later(mut state: State, losses: bool) -> State {
    for at_s in 46..50 {
        let flows = CONNECTIONS.iter().map(|connection| flow(connection, at_s)).collect();
        let mut sample = Sample { at_ns: at_s * S, flows, ..Sample::default() };
        if losses {
            sample.set_loss(Loss::SocketState, [3]);
            sample.untracked = Untracked { flows: 12, tx_bytes: 5_000, ..Untracked::default() };
        }
        state.update(Event::Sample(&sample), &NoNames);
        state.update(Event::Frame("12:35:00".to_owned()), &NoNames);
    }
    state
}

/// The same state with flowtop's own cost of the last second.
fn with_cost(mut state: State) -> State {
    assert!(state.own_cost.is_shown());
    let cost = Cost {
        over_s: 1.0,
        process_s: 0.0042,
        programs_s: Some(0.0066),
        program_runs: Some(200_000),
        resident_bytes: Some(23_400_000),
        table_used: 1311,
        table_size: 131_072,
    };
    state.update(Event::Cost(cost), &NoNames);
    state
}

/// Counters of an interface beside those of the flows.
fn with_coverage(mut state: State) -> State {
    let bytes = |tx, rx| flowtop_core::window::Bytes { tx, rx };
    let names = vec!["eth0".to_owned()];
    let (interfaces, tcp) = (bytes(9 << 20, 5 << 20), bytes(8 << 20, 6 << 20));
    state.coverage = Some(flowtop_core::coverage::Coverage { names, interfaces, tcp });
    state
}

fn drawn(state: &State, choice: Choice, names: &dyn Names) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.0, state.size.1));
    draw(state, names, &Theme::new(choice, &|_| None), &mut buffer);
    buffer
}

/// Compares a text with a file of the repository, or writes it there.
fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots/screens").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let update =
        "`UPDATE_SNAPSHOTS=1 cargo test -p flowtop --test screen` makes the new screen the expected one";
    assert!(text == expected, "{name} is not what is drawn; {update}:\n{text}");
}

fn assert_screen(name: &str, state: &State) {
    assert_snapshot(name, &text(&drawn(state, Choice::Mono, &NoNames)));
}

#[test]
fn at_many_sizes() {
    for size in [(30, 8), (60, 12), (80, 24), (120, 30), (300, 20)] {
        assert_screen(&format!("rows-{}x{}.txt", size.0, size.1), &later(ports_on(size), false));
    }
    assert_screen("too-small-20x5.txt", &plain((20, 5)));
}

#[test]
fn with_everything_that_lies_over_the_rows() {
    assert_screen("help-80x24.txt", &typed(plain((80, 24)), "h"));
    assert_screen(
        "prompt-60x12.txt",
        &typed(plain((60, 12)), "f port http and not host 2001:db8:ffff:eeee:dddd:cccc"),
    );
    assert_screen("bad-pattern-80x24.txt", &pressed(typed(plain((80, 24)), "l("), &[Key::Enter]));
    assert_screen("detail-80x24.txt", &pressed(plain((80, 24)), &[Key::Down, Key::Down, Key::Enter]));
    assert_screen("detail-of-several-160x40.txt", &pressed(plain((160, 40)), &[Key::Down, Key::Enter]));
}

#[test]
fn in_every_way_that_rows_can_look() {
    assert_screen("one-line-totals-80x24.txt", &later(typed(ports_on((80, 24)), "tT"), false));
    assert_screen("received-no-bars-80x24.txt", &later(typed(plain((80, 24)), "ttb"), false));
    assert_screen("log-scale-80x24.txt", &later(typed(plain((80, 24)), "L"), false));
    assert_screen("processes-100x24.txt", &later(pressed(plain((100, 24)), &[Key::Tab; 3]), false));
    assert_screen("search-80x24.txt", &later(pressed(typed(plain((80, 24)), "/443"), &[Key::Enter]), false));
    assert_screen("losses-80x24.txt", &later(plain((80, 24)), true));
    assert_screen("cost-120x16.txt", &later(with_cost(typed(plain((120, 16)), "C")), false));
    assert_screen("cost-80x24.txt", &later(with_cost(typed(plain((80, 24)), "C")), false));
    for size in [(160, 16), (80, 16)] {
        let name = format!("coverage-{}x{}.txt", size.0, size.1);
        assert_screen(&name, &later(with_coverage(plain(size)), false));
    }
    assert_screen("paused-80x24.txt", &later(typed(plain((80, 24)), "P"), false));
    let mut settings = Settings::default();
    settings.ascii.value = true;
    assert_screen(
        "ascii-80x24.txt",
        &later(pressed(screen((80, 24), &settings), &[Key::Down, Key::Enter]), false),
    );
}

/// Each style of a buffer gets a letter; the letters stand where the cells are.
fn styles(buffer: &Buffer) -> String {
    let mut seen = Vec::<Style>::new();
    let mut text = String::new();
    for line in 0..buffer.area.height {
        for column in 0..buffer.area.width {
            let style = buffer[(column, line)].style();
            let at = seen.iter().position(|other| *other == style).unwrap_or_else(|| {
                seen.push(style);
                seen.len() - 1
            });
            text.push(char::from(b'a' + u8::try_from(at).unwrap()));
        }
        text.push('\n');
    }
    for (at, style) in (b'a'..).zip(&seen) {
        let (fg, bg) = (style.fg.unwrap_or_default(), style.bg.unwrap_or_default());
        let modifiers = if style.add_modifier == Modifier::empty() {
            String::new()
        } else {
            format!(" {:?}", style.add_modifier)
        };
        writeln!(text, "{}: {fg} on {bg}{modifiers}", char::from(at)).unwrap();
    }
    text
}

#[test]
fn in_every_theme() {
    let selected = || pressed(plain((60, 16)), &[Key::Down, Key::Down, Key::Char(' '), Key::Up]);
    for (name, choice) in
        [("dark", Choice::Dark), ("light", Choice::Light), ("ansi", Choice::Ansi), ("mono", Choice::Mono)]
    {
        let state = later(selected(), true);
        assert_snapshot(&format!("styles-{name}-60x16.txt"), &styles(&drawn(&state, choice, &NoNames)));
    }
}

#[test]
fn at_any_size_nothing_panics() {
    let mut state = later(typed(plain((80, 24)), "T"), true);
    for detail in [false, true] {
        if detail {
            state = pressed(state, &[Key::Enter, Key::Char('/'), Key::Char('数')]);
        }
        for size in [(0, 0), (1, 1), (2, 40), (500, 3), (30, 8), (31, 9), (45, 13), (59, 14), (400, 200)] {
            state.update(Event::Resize(size.0, size.1), &NoNames);
            let buffer = drawn(&state, Choice::Dark, &NoNames);
            assert_eq!(buffer.area.height, size.1);
        }
    }
}
