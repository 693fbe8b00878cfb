//! Rows on the screen: Tab, `--by`, and search.

use std::sync::Arc;

use super::*;
use flowtop_core::owner::{Identity, Owners, Seen};

/// Pods, users and the like of some processes; no containers.
#[derive(Debug)]
struct Somebody;

impl Owners for Somebody {
    fn identity(&self, seen: &Seen, _: u64) -> Option<Arc<Identity>> {
        let text = |name: &str| Some(format!("{name}-{}", seen.pid));
        Some(Arc::new(Identity {
            pod: text("Web"),
            namespace: Some("shop".to_owned()),
            user: Some("alice".to_owned()),
            unit: text("unit"),
            command: Some("/usr/bin/server --port 80".to_owned()),
            container_id: None,
            container: None,
            ..Identity::default()
        }))
    }
}

/// Two hosts, with the processes `odd[101]` and `even[102]`.
fn screen_by(by: &str, owners: Arc<dyn Owners>) -> State {
    let mut settings = Settings::default();
    settings.by.value = group::Group::parse(by).unwrap();
    let labels = NetworkLabels::parse("198.51.0.2/32 lab").unwrap();
    let state = State::new(&settings, SessionInfo::default(), Ledger::new(1000, 0), Duration::from_secs(1));
    let mut state = state.knowing(owners, Arc::new(labels));
    state.update(Event::Resize(100, 24), &NoNames);
    state.update(Event::Sample(&Sample::default()), &NoNames);
    tick(&mut state, 2, 1);
    state
}

fn cells(state: &State) -> Vec<[String; 2]> {
    let labels = state.labels(&NoNames);
    let cells = |group: Group<'_>| {
        [
            labels.source(group.key, group.sum.connections),
            labels.destination(group.key, group.sum.connections),
        ]
        .map(|label| label.text())
    };
    state.visible().map(cells).collect()
}

#[test]
fn what_is_on_this_host_is_left_and_the_other_side_right() {
    for (by, expected) in [
        ("peer", [["1 connection", "198.51.0.2"], ["1 connection", "198.51.0.1"]]),
        ("process", [["even[102]", "1 connection"], ["odd[101]", "1 connection"]]),
        ("pod,peer", [["shop/Web-102", "198.51.0.2"], ["shop/Web-101", "198.51.0.1"]]),
        ("label,user", [["alice", "lab"], ["alice", "public"]]),
        ("user,unit,label", [["alice unit-102", "lab"], ["alice unit-101", "public"]]),
        ("flow", [["192.0.2.1:40000", "198.51.0.2:443"], ["192.0.2.1:40000", "198.51.0.1:443"]]),
    ] {
        assert_eq!(cells(&screen_by(by, Arc::new(Somebody))), expected, "{by}");
    }
    assert_eq!(cells(&screen_by("net/24", Arc::new(Somebody))), [["2 connections", "198.51.0.0/24"]]);
    assert_eq!(cells(&screen_by("local-port", Arc::new(Somebody))), [[":40000", "2 connections"]]);
    assert_eq!(cells(&screen_by("container", Arc::new(Somebody))), [["-", "2 connections"]]);
}

/// Titles of the rows through one full cycle of a key.
fn turns(mut state: State, key: Press) -> Vec<String> {
    let mut turns = vec![state.view.by.to_string()];
    loop {
        press(&mut state, &[key]);
        assert_eq!(state.message().unwrap(), format!("Rows are {}", state.view.by.names()));
        if state.view.by.to_string() == turns[0] {
            return turns;
        }
        turns.push(state.view.by.to_string());
    }
}

#[test]
fn tab_goes_through_what_tells_something_apart() {
    let owners = ["process", "pod", "namespace", "workload", "unit", "user"];
    let all = [&["", "peer", "local-port"], &owners[..], &["label", "netns", "host", "remote-port"]].concat();
    let known = turns(screen_by("", Arc::new(Somebody)), Press::Tab);
    assert_eq!(known, all, "no process is in a container");
    let nobody = turns(screen_by("", Arc::new(NoOwners)), Press::Tab);
    assert_eq!(nobody, ["", "peer", "local-port", "process", "label", "netns", "host", "remote-port"]);
    let mut back = turns(screen_by("", Arc::new(Somebody)), Press::BackTab);
    back[1..].reverse();
    assert_eq!(back, all);
}

#[test]
fn what_was_asked_for_has_the_first_turn() {
    let turns = turns(screen_by("pod,peer", Arc::new(Somebody)), Press::Tab);
    assert_eq!(turns[..3], ["pod,peer", "", "peer"]);
    let mut state = screen_by("pod,peer", Arc::new(Somebody));
    press(&mut state, &[Press::BackTab]);
    assert_eq!(state.view.by.to_string(), "remote-port");
}

#[test]
fn rows_add_up_to_the_same_whatever_they_are() {
    let mut state = screen_by("", Arc::new(Somebody));
    let before = state.ledger.totals().bytes;
    for _ in 0..12 {
        let sum = state.table.all().fold(Bytes::default(), |sum, group| sum + group.sum.bytes);
        assert_eq!(sum, before, "{}", state.view.by);
        press(&mut state, &[Press::Tab]);
    }
}

#[test]
fn a_search_finds_everything_that_names_a_connection() {
    for (text, expected) in [
        ("198.51.0.1", "198.51.0.1"),
        (".2:443", "198.51.0.2"),
        ("even[102]", "198.51.0.2"),
        ("web-101", "198.51.0.1"),
        ("UNIT-102", "198.51.0.2"),
        ("lab", "198.51.0.2"),
    ] {
        let mut state = screen_by("", Arc::new(Somebody));
        press(&mut state, &[Press::Char('/')]);
        type_text(&mut state, text);
        assert_eq!(shown(&state), [expected], "{text}");
    }
    for text in ["alice", "shop", "--port 80", "40000"] {
        let mut state = screen_by("", Arc::new(Somebody));
        press(&mut state, &[Press::Char('/')]);
        type_text(&mut state, text);
        assert_eq!(shown(&state).len(), 2, "{text}");
    }
}

/// Knows identities from its second version on.
#[derive(Debug, Default)]
struct Late(std::sync::atomic::AtomicU64);

impl Owners for Late {
    fn identity(&self, seen: &Seen, used_ns: u64) -> Option<Arc<Identity>> {
        if self.version() == 0 { None } else { Somebody.identity(seen, used_ns) }
    }

    fn version(&self) -> u64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn who_becomes_known_late_moves_to_the_right_row() {
    let late = Arc::new(Late::default());
    let mut state = screen_by("user", late.clone());
    assert_eq!(cells(&state), [["-", "2 connections"]]);
    late.0.store(1, std::sync::atomic::Ordering::Relaxed);
    tick(&mut state, 2, 2);
    assert_eq!(cells(&state), [["alice", "2 connections"]]);
}

#[test]
fn the_pane_says_who_it_is() {
    let mut state = screen_by("", Arc::new(Somebody));
    press(&mut state, &[Press::Down, Press::Enter]);
    let facts = &state.detail.as_ref().unwrap().facts;
    for (name, value) in [
        ("user", "alice"),
        ("runs in", "shop/Web-102"),
        ("command", "/usr/bin/server --port 80"),
        ("label", "lab"),
    ] {
        assert!(facts.contains(&(name, value.to_owned())), "{facts:?}");
    }
}

#[test]
fn in_a_pause_rows_keep_their_names_whatever_comes_next() {
    for hold in ['P', 'o'] {
        let mut state = screen_by("peer", Arc::new(Somebody));
        press(&mut state, &[Press::Char(hold)]);
        let before = cells(&state);
        press(&mut state, &[Press::Tab, Press::Down, Press::Enter]);
        assert_eq!(cells(&state), before);
        assert_eq!(state.detail.as_ref().unwrap().title, "1 connection => 198.51.0.2");
        press(&mut state, &[Press::Enter, Press::Char(hold)]);
        assert_eq!(cells(&state), [[":40000", "2 connections"]]);
    }
}

/// A server and its client on this host, and a connection to elsewhere.
fn with_both_ends(at_s: u64, open: bool) -> Sample {
    let named = |pid, comm: &[u8], flow: Flow| {
        let mut padded = [0; 16];
        padded[..comm.len()].copy_from_slice(comm);
        Flow { pid, comm: padded, ..flow }
    };
    let sent = at_s * 1000;
    let mut flows =
        vec![(key(1, "192.0.2.1:40000", "198.51.100.7:443", 1), named(7, b"curl", flow(CONNECTED, sent, 0)))];
    if open {
        let ends =
            [key(1, "127.0.0.1:40001", "127.0.0.1:6379", 2), key(1, "127.0.0.1:6379", "127.0.0.1:40001", 3)];
        flows.push((ends[0], named(8, b"client", flow(CONNECTED, 500, 200))));
        flows.push((ends[1], named(9, b"redis", flow(flowtop_core::fixture::ACCEPTED, 200, 500))));
    }
    sample(at_s, &flows)
}

fn by_process() -> State {
    let mut settings = Settings::default();
    settings.by.value = flowtop_core::group::Group::parse("process").unwrap();
    let ledger = Ledger::new(10_000, 0).keeping_departed();
    let mut state = State::new(&settings, SessionInfo::default(), ledger, Duration::from_secs(1));
    state.update(Event::Resize(100, 24), &NoNames);
    state.update(Event::Sample(&Sample::default()), &NoNames);
    show(&mut state, &with_both_ends(1, true));
    state
}

fn show(state: &mut State, sample: &Sample) {
    state.update(Event::Sample(sample), &NoNames);
    state.update(Event::Frame(String::new()), &NoNames);
}

fn rows_of(state: &State) -> Vec<(String, u64, u64)> {
    let labels = state.labels(&NoNames);
    let row = |group: flowtop_core::rows::table::Group<'_>| {
        let bytes = group.sum.bytes;
        (labels.source(group.key, group.sum.connections).text(), bytes.tx, bytes.rx)
    };
    state.visible().map(row).collect()
}

fn named_asides(state: &State) -> Vec<(&'static str, u64)> {
    state.extra_lines().iter().map(|line| (line.names[0], line.bytes.sum())).collect()
}

#[test]
fn both_ends_of_a_local_connection_have_a_row_and_the_totals_have_it_once() {
    let mut state = by_process();
    let rows = [("curl[7]", 1000, 0), ("client[8]", 500, 200), ("redis[9]", 200, 500)]
        .map(|(n, t, r)| (n.to_owned(), t, r));
    assert_eq!(rows_of(&state), rows);
    assert_eq!(state.footer.shown.bytes, Bytes { tx: 1500, rx: 200 });
    assert_eq!(named_asides(&state), [("counted at both ends", 700)]);
    press(&mut state, &[Press::Char('/')]);
    type_text(&mut state, "redis");
    assert_eq!(rows_of(&state).len(), 2, "the client's end belongs to the same connection");
    assert_eq!(state.footer.shown.bytes, Bytes { tx: 500, rx: 200 });
    assert_eq!((state.footer.connections, state.footer.all_connections), (1, 2));
}

#[test]
fn a_group_stays_when_its_connections_have_left_and_after_another_group_the_rest_is_others() {
    let mut state = by_process();
    for at_s in (2..50).chain([100, 101]) {
        show(&mut state, &with_both_ends(at_s, at_s < 3));
    }
    let sums = |state: &State| rows_of(state).into_iter().map(|(_, tx, rx)| (tx, rx)).collect::<Vec<_>>();
    assert_eq!(sums(&state), [(101_000, 0), (500, 200), (200, 500)]);
    assert_eq!(named_asides(&state), [("counted at both ends", 700)]);
    assert_eq!(state.footer.all_connections, 1);
    press(&mut state, &[Press::Tab]);
    let bytes = rows_of(&state).iter().map(|(_, tx, rx)| tx + rx).sum::<u64>();
    let beside: Vec<_> = named_asides(&state);
    let others = beside.iter().find(|(name, _)| *name == "others, ended").map_or(0, |(_, bytes)| *bytes);
    let twice =
        beside.iter().find(|(name, _)| *name == "counted at both ends").map_or(0, |(_, bytes)| *bytes);
    assert_eq!(bytes + others, state.ledger.totals().bytes.sum() + twice);
    assert!(others > 0, "{beside:?}");
}
