//! Connections between several hosts, each of which records its end of them, and of which everything is known second by
//! second.

use std::collections::{BTreeMap, BTreeSet};

use flowtop_common::{FlowKey, flags};
use proptest::prelude::*;

use super::assert_whole;
use super::question;
use super::reported;
use super::world::{FIRST_S, SECONDS, Window, any_windows};
use super::{MAX_ROWS, NoNames};
use crate::analysis::{Question, Report, Row};
use flowtop_core::filter::Filter;
use flowtop_core::flow::Tuple;
use flowtop_core::group;
use flowtop_core::record::fixture::{flow, record};
use flowtop_core::record::{FlowRecord, Gap, Host, Record, Span};
use flowtop_core::rows::key::Cell;
use flowtop_core::window::Bytes;

const HOSTS: usize = 3;
const NS: u64 = 1_000_000_000;

/// A connection. The first of its ends has connected.
#[derive(Clone, Debug)]
struct Link {
    number: usize,
    life: Window,
    /// Of each second, as the first end sees it; never nothing.
    bytes: Vec<Bytes>,
    /// The host of each end; none of the hosts that record if there is none.
    hosts: [Option<usize>; 2],
    /// Whether the first end has the higher port.
    is_favoured: bool,
}

impl Link {
    fn is_in(&self, window: Window) -> bool {
        self.life.start < window.end && self.life.end > window.start
    }

    fn is_local(&self) -> bool {
        self.hosts[0].is_some() && self.hosts[0] == self.hosts[1]
    }

    fn tuple(&self, end: usize) -> Tuple {
        let number = u16::try_from(self.number).unwrap();
        let ports = if self.is_favoured { [40_000 + number, 443] } else { [443, 40_000 + number] };
        let address = |end: usize| match self.hosts[end] {
            // Two pods of a host have addresses of their own.
            Some(host) => [10, 0, u8::try_from(host).unwrap(), u8::try_from(end).unwrap() + 1],
            None => [198, 51, 100, 1],
        };
        let [local, remote] = [end, 1 - end].map(|end| (address(end), ports[end]).into());
        Tuple { local, remote }
    }

    /// Bytes of some seconds, as an end sees them.
    fn moved(&self, end: usize, seconds: impl Iterator<Item = usize>) -> Bytes {
        let lives = seconds.filter(|second| (self.life.start..self.life.end).contains(second));
        let sum = lives.fold(Bytes::default(), |sum, second| sum + self.bytes[second]);
        if end == 0 { sum } else { sum.mirror() }
    }
}

/// One host whose recorder runs from some second on.
#[derive(Clone, Debug)]
struct Recording {
    started: usize,
    windows: Vec<Window>,
    has_totals: bool,
}

#[derive(Clone, Debug)]
struct Network {
    links: Vec<Link>,
    recordings: Vec<Recording>,
}

fn ns(second: usize) -> u64 {
    (3600 + second as u64) * NS
}

impl Recording {
    /// Record of an end. Each recorder gives ids of its own.
    fn sees(&self, link: &Link, end: usize, window: Window, ids: u64) -> FlowRecord {
        let tuple = link.tuple(end);
        let ends = [tuple.local.to_string(), tuple.remote.to_string()];
        let bytes = link.moved(end, window.start.max(self.started)..window.end);
        let comm = ["client", "server"][end];
        let id = ids + (link.number * 2 + end) as u64;
        let mut seen = flow(id, comm, [&ends[0], &ends[1]], bytes, link.moved(end, 0..window.end));
        seen.key = FlowKey { netns: 1 + u32::try_from(end).unwrap(), ..seen.key };
        seen.flow.opened_ns = ns(link.life.start.max(self.started));
        let role = [flags::ACTIVE, flags::PASSIVE][end];
        let born = if link.life.start >= self.started { flags::BORN | role } else { 0 };
        let ended = if link.life.end <= window.end { flags::ENDED } else { 0 };
        seen.flow.flags = flags::OPEN | born | ended;
        seen
    }
}

impl Network {
    /// The ends that a host has.
    fn ends(&self, host: usize) -> impl Iterator<Item = (&Link, usize)> {
        let ends = self.links.iter().flat_map(|link| [(link, 0), (link, 1)]);
        ends.filter(move |(link, end)| link.hosts[*end] == Some(host))
    }

    fn record(&self, host: usize, recording: &Recording, number: usize, ids: u64) -> Record {
        let window = recording.windows[number];
        let seen = self.ends(host).filter(|(link, _)| link.is_in(window));
        let mut flows: Vec<FlowRecord> = Vec::new();
        for (link, end) in seen {
            let mut flow = recording.sees(link, end, window, ids);
            if link.is_local() {
                flow.is_right = end == 1;
                let here = u32::try_from(flows.len()).unwrap();
                flow.peer = Some(if end == 0 { here + 1 } else { here - 1 });
            }
            flows.push(flow);
        }
        let of = |second: usize| (i64::try_from(second).unwrap() + FIRST_S) * 1_000_000;
        let (start, end) = (window.start, window.end);
        let span = Span { start_us: of(start), end_us: of(end), start_ns: ns(start), end_ns: ns(end) };
        let id = u8::try_from(host + 1).unwrap();
        let host = Host { name: format!("node-{host}"), machine_id: [id; 16], boot_id: [id; 16] };
        let gap = self.gap(usize::from(id - 1), recording, number);
        Record { host, span, gap, ..record(0, flows) }
    }

    fn gap(&self, host: usize, recording: &Recording, number: usize) -> Option<Gap> {
        let before = recording.windows[number.checked_sub(1)?].end;
        let seconds = before..recording.windows[number].start;
        let left = self.ends(host).filter(|(link, end)| *end == 0 || !link.is_local());
        let totals = left.fold(Bytes::default(), |sum, (link, end)| sum + link.moved(end, seconds.clone()));
        (recording.has_totals && !seconds.is_empty()).then_some(Gap { start_ns: ns(before), totals })
    }

    fn records(&self) -> Vec<Record> {
        (0..HOSTS).flat_map(|host| self.records_of(host, &self.recordings[host], 0)).collect()
    }

    fn records_of(&self, host: usize, recording: &Recording, ids: u64) -> Vec<Record> {
        (0..recording.windows.len()).map(|number| self.record(host, recording, number, ids)).collect()
    }

    /// The seconds that the records of a host tell of a connection.
    fn told(&self, link: &Link, host: usize) -> Vec<usize> {
        let recording = &self.recordings[host];
        let mut told = Vec::new();
        let mut before: Option<Window> = None;
        for window in &recording.windows {
            if link.is_in(*window) {
                // One that was not born yet, or was in the record before, has its counters for the gap.
                let is_known = before.is_some_and(|before| {
                    let is_born = link.life.start >= recording.started && link.life.start >= before.end;
                    link.is_in(before) && link.life.end > before.end || is_born
                });
                let gap = before.filter(|_| is_known).map_or(0..0, |before| before.end..window.start);
                told.extend(gap.chain(window.start..window.end));
            }
            before = Some(*window);
        }
        told
    }

    /// The end that a connection stands from, and the seconds of it that some host tells; none if none does.
    fn expected(&self, link: &Link) -> Option<(usize, Vec<usize>)> {
        let [first, second] =
            link.hosts.map(|host| host.map(|host| self.told(link, host)).unwrap_or_default());
        let is_known =
            |end: usize| link.hosts[end].is_some_and(|host| link.life.start >= self.recordings[host].started);
        let end = match (first.is_empty(), second.is_empty()) {
            (true, true) => return None,
            (false, true) => 0,
            (true, false) => 1,
            _ if link.is_local() || is_known(0) || is_known(1) || link.is_favoured => 0,
            _ => 1,
        };
        let mut seconds = [first, second].concat();
        seconds.sort_unstable();
        seconds.dedup();
        Some((end, seconds))
    }
}

fn any_network(has_totals: bool) -> impl Strategy<Value = Network> {
    let bytes = (1..1000_u64, 1..1000_u64).prop_map(|(tx, rx)| Bytes { tx, rx });
    let hosts = prop::collection::vec(0..=HOSTS, 2).prop_map(|hosts| {
        let host = |host: usize| (host < HOSTS).then_some(host);
        [host(hosts[0]), host(hosts[1])]
    });
    let link = (0..SECONDS, 1..SECONDS, prop::collection::vec(bytes, SECONDS), hosts, any::<bool>());
    let links = prop::collection::vec(link, 1..10).prop_map(|links| {
        let link = |(number, (start, length, bytes, hosts, is_favoured))| {
            let life = Window { start, end: usize::min(start + length, SECONDS + 1) };
            Link { number, life, bytes, hosts, is_favoured }
        };
        let mut links: Vec<_> = links.into_iter().enumerate().map(link).collect();
        for link in &mut links {
            link.bytes.push(Bytes::default());
        }
        links
    });
    let recording = (0..SECONDS, any_windows()).prop_map(move |(started, windows)| {
        let windows: Vec<Window> = windows.into_iter().filter(|window| window.start >= started).collect();
        Recording { started, windows, has_totals }
    });
    (links, prop::collection::vec(recording, HOSTS))
        .prop_map(|(links, recordings)| Network { links, recordings })
}

/// A group of one or two keys.
fn any_keys() -> impl Strategy<Value = String> {
    prop::sample::subsequence(group::words().collect::<Vec<_>>(), 1..=2)
        .prop_shuffle()
        .prop_map(|keys| keys.join(","))
}

fn by_flow(report: &Report) -> BTreeMap<Tuple, Bytes> {
    let row = |row: &Row| {
        let Cell::Flow(tuple, _) = row.cells[0] else { panic!("{row:?}") };
        (tuple, row.sums.bytes)
    };
    report.rows.iter().map(row).collect()
}

proptest! {
    /// Each second of a connection counts once, whichever hosts tell it, and always stands from the same end.
    #[test]
    fn a_connection_is_one_row_with_what_any_host_tells(network in any_network(false)) {
        let records = network.records();
        prop_assume!(!records.is_empty());
        let report = reported(&question("flow"), &records);
        let expected: BTreeMap<_, _> = network.links.iter().filter_map(|link| {
            let (end, seconds) = network.expected(link)?;
            Some((link.tuple(end), link.moved(end, seconds.into_iter())))
        }).filter(|(_, bytes)| bytes.sum() > 0).collect();
        prop_assert_eq!(by_flow(&report), expected);
        prop_assert_eq!(report.total.connections, report.rows.len() as u64);
        assert_whole(&report);
        prop_assert_eq!(report.local_twice, Bytes::default());
    }

    /// The end that the filter asks for stands left, on whichever host it is and whoever connected, with what any host tells
    /// and no more.
    #[test]
    fn the_end_that_is_asked_for_stands_left(network in any_network(false), asked in 0..2_usize) {
        let records = network.records();
        prop_assume!(!records.is_empty());
        let filter = Filter::parse(["comm client", "comm server"][asked], &NoNames).unwrap();
        let report = reported(&Question { filter, ..question("flow") }, &records);
        let told = |link: &Link| link.hosts[asked].is_some_and(|host| !network.told(link, host).is_empty());
        let expected: BTreeMap<_, _> = network.links.iter().filter(|link| told(link)).filter_map(|link| {
            let (_, seconds) = network.expected(link)?;
            Some((link.tuple(asked), link.moved(asked, seconds.into_iter())))
        }).filter(|(_, bytes)| bytes.sum() > 0).collect();
        prop_assert_eq!(by_flow(&report), expected);
        assert_whole(&report);
    }

    /// The rows are the total and what is counted at both ends, and the total is the same whatever the rows are; also where
    /// there are too many of them.
    #[test]
    fn rows_of_any_keys_are_the_total(
        network in any_network(true), keys in any_keys(), limit in prop::option::of(0..20_000_u64), max_rows in 2..9_usize,
    ) {
        let records = network.records();
        prop_assume!(!records.is_empty());
        let asked = Question { limit_bits_per_s: limit, ..question(&keys) };
        let report = reported(&asked, &records);
        assert_whole(&report);
        prop_assert_eq!(report.total.bytes, reported(&question("flow"), &records).total.bytes);
        if !asked.by.groups_ends() {
            prop_assert_eq!(report.local_twice, Bytes::default());
        }
        let few = reported(&Question { max_rows, ..asked }, &records);
        assert_whole(&few);
        prop_assert_eq!(
            (few.total, few.local_twice, few.remainder),
            (report.total, report.local_twice, report.remainder)
        );
        // Those that are listed are exact, and the others are no larger than is said.
        let all: BTreeMap<_, _> = report.rows.iter().map(|row| (row.key(), row.sums)).collect();
        for row in &few.rows {
            prop_assert_eq!(Some(&row.sums), all.get(&row.key()));
        }
        let listed: BTreeSet<_> = few.rows.iter().map(Row::key).collect();
        let hidden = all.iter().filter(|(key, _)| !listed.contains(*key)).map(|(_, sums)| sums.bytes.sum());
        prop_assert!(hidden.max().unwrap_or(0) <= few.others.map_or(0, |others| others.bytes_each));
    }

    /// Another recorder of a host adds nothing to what is known already, also of connections with other hosts.
    #[test]
    fn a_second_recording_of_a_host_adds_nothing(
        mut network in any_network(false), windows in any_windows(), started in 0..SECONDS,
    ) {
        let cuts = [0, 17, 20, 41, SECONDS];
        network.recordings[0].started = 0;
        network.recordings[0].windows =
            cuts.windows(2).map(|pair| Window { start: pair[0], end: pair[1] }).collect();
        let windows = windows.into_iter().filter(|window| window.start >= started).collect();
        let second = Recording { started, windows, has_totals: false };
        let one = network.records();
        let both = [one.clone(), network.records_of(0, &second, 1000)].concat();
        let (one, both) = (reported(&question("flow"), &one), reported(&question("flow"), &both));
        assert_whole(&both);
        prop_assert_eq!((by_flow(&both), both.total.bytes), (by_flow(&one), one.total.bytes));
    }

    /// An end has at least what its own host tells of it.
    #[test]
    fn an_end_has_what_its_host_tells(network in any_network(false)) {
        let records = network.records();
        prop_assume!(!records.is_empty());
        let report = reported(&question("process,flow"), &records);
        for (link, end) in network.links.iter().flat_map(|link| [(link, 0), (link, 1)]) {
            let Some(host) = link.hosts[end] else { continue };
            let own = link.moved(end, network.told(link, host).into_iter());
            let of_end = |row: &&Row| {
                matches!(row.cells[1], Cell::Flow(tuple, _) if tuple == link.tuple(end))
            };
            let sums = report.rows.iter().find(of_end).map(|row| row.sums.bytes).unwrap_or_default();
            prop_assert!(sums.tx >= own.tx && sums.rx >= own.rx, "{:?} of {:?} {}", sums, link, end);
            let (left, _) = network.expected(link).unwrap_or_default();
            if end != left {
                prop_assert_eq!(sums, own);
            }
        }
    }
}

#[test]
fn memory_is_bounded_by_default() {
    assert_eq!(question("flow").max_rows, MAX_ROWS);
}
