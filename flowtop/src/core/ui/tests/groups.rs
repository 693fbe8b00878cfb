//! What rows are on a screen: Tab, `--by`, and a search for everything that names a connection.

use std::sync::Arc;

use super::*;
use crate::core::owner::{Identity, Owners, Seen};

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
    let state = State::new(&settings, About::default(), Ledger::new(1000, 0), Duration::from_secs(1));
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

/// What rows are, from the start until it comes round again.
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
    let all =
        ["", "peer", "local-port", "process", "pod", "namespace", "unit", "user", "label", "netns", "host"];
    let all: Vec<_> = all.into_iter().chain(["remote-port"]).collect();
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

/// Says who somebody is from its second version on.
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
