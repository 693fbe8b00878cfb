use super::plan::Turn;
use super::*;
use flowtop_common::flags;
use flowtop_core::number::Unit;
use flowtop_core::record::Rest;
use flowtop_core::record::fixture::{flow, record};
use flowtop_core::record::limits::{TrafficLimit, TrafficLimits};
use flowtop_core::rows::key::Cell;
use proptest::prelude::*;
use std::collections::BTreeMap;
use world::{FIRST_S, Recorder, SECONDS, Window, World, any_windows, any_world};

mod hosts;
mod lists;
mod world;

const RECORDER: Recorder = Recorder { started: 0, ids: 0 };

fn question(by: &str) -> Question {
    let period = Period { from_us: FIRST_S * 1_000_000, to_us: (FIRST_S + 86_400) * 1_000_000 };
    let by = Group::parse(by).unwrap();
    Question { period, by, filter: Filter::default(), limit_bits_per_s: None, max_rows: MAX_ROWS }
}

fn reported(question: &Question, records: &[Record]) -> Report {
    let mut records = records.to_vec();
    records.sort_by(|a, b| {
        let order = |record: &Record| (record.host.machine_id, record.host.name.clone(), record.host.boot_id);
        (order(a), a.span.start_ns).cmp(&(order(b), b.span.start_ns))
    });
    let plan = Arc::new(Plan::new(&records, question.period));
    let again = |clues| look(History::again(question.clone(), Arc::clone(&plan), clues), &plan, &records);
    let mut history = look(History::new(question.clone(), Arc::clone(&plan)), &plan, &records);
    if let Some(clues) = history.late_clues() {
        history = again(clues);
        assert!(history.late_clues().is_none(), "a second look leaves nothing late");
    }
    if let Some(clues) = history.row_clues() {
        history = again(clues);
        assert!(history.row_clues().is_none(), "rows that are given are not folded");
    }
    history.report()
}

fn look(mut history: History, plan: &Plan, records: &[Record]) -> History {
    for turn in plan.turns(records) {
        match turn {
            Turn::Read { life, place } => history.read(life, records[place].clone()),
            Turn::Count { life, low_us, is_last } => drop(history.count(life, low_us, is_last)),
        }
    }
    history
}

fn assert_whole(report: &Report) {
    let rows = report.rows.iter().fold(Bytes::default(), |sum, row| sum + row.sums.bytes);
    let others = report.others.unwrap_or_default().sums.bytes;
    let all = rows + others + report.remainder + report.untracked;
    assert_eq!(all, report.total.bytes + report.local_twice);
}

/// Name of the process and address of the other end.
fn who(row: &Row) -> (String, String) {
    let [Cell::Process(_, comm), Cell::Address(peer)] = &row.cells[..] else { panic!("{row:?}") };
    (comm.as_deref().unwrap_or("-").to_owned(), peer.to_string())
}

fn by_who(report: &Report) -> BTreeMap<(String, String), Bytes> {
    report.rows.iter().map(|row| (who(row), row.sums.bytes)).collect()
}

/// Expected report: the bytes of a known world in these windows and the gaps between them.
fn oracle(world: &World, windows: &[Window]) -> BTreeMap<(String, String), Bytes> {
    let mut sums = BTreeMap::<_, Bytes>::new();
    for socket in &world.0 {
        let mut bytes = windows.iter().fold(Bytes::default(), |sum, w| sum + socket.moved(w.start, w.end));
        for pair in windows.windows(2) {
            let (gap, after) = (Window { start: pair[0].end, end: pair[1].start }, pair[1]);
            // One that has ended in the gap has taken its last bytes with it.
            if socket.is_in(after) {
                bytes += socket.moved(gap.start, gap.end);
            }
        }
        let peer = socket.ends()[1].split(':').next().unwrap().to_owned();
        *sums.entry((socket.comm().to_owned(), peer)).or_default() += bytes;
    }
    sums.retain(|_, bytes| bytes.sum() > 0);
    sums
}

proptest! {
    #[test]
    fn a_report_is_what_the_windows_and_the_counters_say(world in any_world(), windows in any_windows()) {
        let records: Vec<_> = windows.iter().map(|window| world.record(RECORDER, *window)).collect();
        let report = reported(&question("process,peer"), &records);
        assert_whole(&report);
        prop_assert_eq!(by_who(&report), oracle(&world, &windows));
        prop_assert_eq!(report.remainder, Bytes::default());
        let unseen = windows.windows(2).map(|pair| {
            world.0.iter().filter(|s| s.is_in(pair[0]) && s.end > pair[0].end && !s.is_in(pair[1])).count()
        });
        prop_assert_eq!(report.not_counted.ended_unseen, unseen.sum::<usize>() as u64);
        prop_assert_eq!(report.not_counted.unknown, 0);
    }

    /// Sockets that live across the gaps have the same bytes, whichever records are missing between the first and the
    /// last.
    #[test]
    fn a_missing_record_costs_no_byte_of_what_outlives_it(world in any_world(), cuts in prop::collection::btree_set(1..SECONDS, 3..12)) {
        let cuts: Vec<_> = std::iter::once(0).chain(cuts).chain([SECONDS]).collect();
        let windows: Vec<_> = cuts.windows(2).map(|pair| Window { start: pair[0], end: pair[1] }).collect();
        let last = windows.len() - 1;
        let kept: Vec<_> = windows.iter().enumerate().filter(|(n, _)| n % 2 == 0 || *n == last).map(|(_, w)| *w).collect();
        let lives = |socket: &world::Socket| {
            let missing = windows.iter().filter(|window| !kept.contains(window));
            missing.clone().all(|window| socket.end <= window.start || socket.end > window.end)
        };
        let world = World(world.0.iter().filter(|socket| lives(socket)).cloned().collect());
        let of = |windows: &[Window]| {
            let records: Vec<_> = windows.iter().map(|window| world.record(RECORDER, *window)).collect();
            let report = reported(&question("flow"), &records);
            let rows = report.rows.iter().map(|row| (row.cells.clone(), row.sums.bytes));
            (rows.collect::<BTreeMap<_, _>>(), report.total.bytes)
        };
        prop_assert_eq!(of(&kept), of(&windows));
    }

    /// Another recorder, which gives other ids and started later, adds nothing to what is known already.
    #[test]
    fn a_second_recording_of_the_same_time_adds_nothing(
        world in any_world(),
        cuts in prop::collection::btree_set(1..SECONDS, 0..8),
        started in 0..SECONDS,
        windows in any_windows(),
    ) {
        let cuts: Vec<_> = std::iter::once(0).chain(cuts).chain([SECONDS]).collect();
        let whole = cuts.windows(2).map(|pair| Window { start: pair[0], end: pair[1] });
        let mut records: Vec<_> = whole.map(|window| world.record(RECORDER, window)).collect();
        let alone = reported(&question("process,peer"), &records);
        let other = Recorder { started, ids: 1000 };
        let later = windows.into_iter().filter(|window| window.start >= started);
        records.extend(later.map(|window| world.record(other, window)));
        records.sort_by_key(|record| record.span.start_ns);
        let both = reported(&question("process,peer"), &records);
        assert_whole(&both);
        prop_assert_eq!((by_who(&both), both.total.bytes), (by_who(&alone), alone.total.bytes));
    }

    #[test]
    fn the_order_of_sockets_and_the_keys_change_no_sum(
        world in any_world(), windows in any_windows(), seed: u64, by in prop::sample::select(&["peer", "flow", "label", "net/24,user", "pod,host"][..]),
    ) {
        let records: Vec<_> = windows.iter().map(|window| world.record(RECORDER, *window)).collect();
        let shuffled: Vec<_> = records.iter().cloned().map(|mut record| {
            record.flows.sort_by_key(|flow| flow.key.id.wrapping_mul(seed | 1));
            record
        }).collect();
        let (one, other) = (reported(&question(by), &records), reported(&question(by), &shuffled));
        assert_whole(&one);
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.total.bytes, reported(&question("process,peer"), &records).total.bytes);
    }
}

fn curl(bytes: u64, lifetime: u64) -> FlowRecord {
    let of = |tx| Bytes { tx, rx: 0 };
    FlowRecord {
        peak: of(bytes.min(50)),
        ..flow(7, "curl", ["192.0.2.1:40000", "192.0.2.2:443"], of(bytes), of(lifetime))
    }
}

#[test]
fn a_boot_between_two_records_is_a_gap_that_nothing_closes() {
    let mut after = record(2, vec![curl(10, 10)]);
    after.host.boot_id = [9; 16];
    let report = reported(&question("process"), &[record(0, vec![curl(60, 60)]), after]);
    assert_eq!((report.total.bytes.tx, report.hosts[0].reboots, report.hosts[0].gaps), (70, 1, 2));
}

#[test]
fn a_gap_with_other_limits_is_not_closed() {
    let mut after = record(2, vec![curl(10, 100)]);
    after.limits =
        TrafficLimits(vec![TrafficLimit::Network { address: [10, 0, 0, 0].into(), prefix_bits: 8 }]);
    let report = reported(&question("process"), &[record(0, vec![curl(60, 60)]), after]);
    assert_eq!((report.total.bytes.tx, report.not_counted.unknown), (70, 1));
    assert_eq!(report.hosts[0].limits, ["-F 10.0.0.0/8"]);
}

#[test]
fn a_direction_that_does_not_count_has_no_bytes_in_a_gap() {
    let of = |minute, tx, rx| {
        let mut seen = curl(tx, tx * 3);
        (seen.flow.rx_bytes, seen.bytes.rx) = (rx, 0);
        seen.counts = Verdict { tx: true, rx: false };
        record(minute, vec![seen])
    };
    let report = reported(&question("process"), &[of(0, 20, 500), of(2, 30, 900)]);
    assert_eq!((report.total.bytes, report.not_counted.unknown), (Bytes { tx: 20 + 30, rx: 0 }, 0));
}

#[test]
fn bytes_between_the_period_and_its_neighbour_are_told_apart() {
    let mut asked = question("process");
    asked.period.from_us += 90_000_000;
    let report = reported(&asked, &[record(0, vec![curl(60, 60)]), record(2, vec![curl(10, 100)])]);
    assert_eq!((report.total.bytes.tx, report.not_counted.at_the_edges.tx), (10, 30));
    // A window next to the period is no loss.
    let report = reported(&asked, &[record(0, vec![curl(60, 60)]), record(1, vec![curl(10, 100)])]);
    assert_eq!((report.total.bytes.tx, report.not_counted.at_the_edges.tx), (10, 0));
    asked.period.from_us += 30_000_000;
    let report = reported(&asked, &[record(0, vec![curl(60, 60)]), record(2, vec![curl(10, 100)])]);
    assert_eq!((report.total.bytes.tx, report.not_counted.at_the_edges.tx), (10, 0));
}

#[test]
fn a_clock_that_was_set_is_counted_and_costs_no_byte() {
    let (first, mut second) = (record(0, vec![curl(60, 60)]), record(1, vec![curl(10, 70)]));
    second.span.start_us -= 45_000_000;
    second.span.end_us -= 45_000_000;
    let report = reported(&question("process"), &[first, second]);
    let host = &report.hosts[0];
    assert_eq!((report.total.bytes.tx, host.clock_steps, host.covered_us), (70, 1, 75_000_000));
    // The bytes are those of two minutes, also where the clock shows less.
    assert_eq!((host.repeated_us, report.counted_us), (45_000_000, 120_000_000));
    assert!(
        lines::of_report(&report, &jiff::tz::TimeZone::UTC)[1]
            .ends_with("clock set 1 time; 45 s twice on its clock")
    );
}

#[test]
fn time_that_a_clock_shows_twice_is_above_the_limit_only_where_one_window_is() {
    let mut asked = question("process");
    asked.limit_bits_per_s = Some(8 * 100);
    let of = |first_per_s: u64, second_per_s: u64| {
        let lifetime = first_per_s * 60 + second_per_s * 60;
        let (first, mut second) = (
            record(0, vec![curl(first_per_s * 60, first_per_s * 60)]),
            record(1, vec![curl(second_per_s * 60, lifetime)]),
        );
        second.span.start_us -= 45_000_000;
        second.span.end_us -= 45_000_000;
        let report = reported(&asked, &[first, second]);
        [report.total, report.rows[0].sums].map(|sums| sums.above_us.unwrap()[0] / 1_000_000)
    };
    // A link at half of what it carries is not full for that.
    assert_eq!(of(50, 50), [0, 0]);
    assert_eq!(of(90, 50), [60, 60]);
    assert_eq!(of(90, 90), [120, 120]);
}

#[test]
fn a_window_in_which_the_clock_was_set_is_where_its_end_is() {
    for (hours, at_us) in [(-3, -3 * 3_600_000_000), (5, 5 * 3_600_000_000_i64)] {
        let mut stepped = record(1, vec![curl(10, 70)]);
        stepped.span.end_us += at_us;
        let mut asked = question("process");
        asked.period = Period { from_us: stepped.span.end_us - 60_000_000, to_us: stepped.span.end_us };
        let report = reported(&asked, &[record(0, vec![curl(60, 60)]), stepped]);
        let host = &report.hosts[0];
        assert_eq!((report.total.bytes.tx, host.covered_us, host.gaps), (10, 60_000_000, 0), "{hours} hours");
    }
}

#[test]
fn what_nobody_could_tell_apart_is_the_remainder_or_untracked() {
    let mut of = record(0, vec![curl(60, 60)]);
    let rest = Rest {
        comm: Some("curl".to_owned()),
        label: "public".into(),
        flows: 3,
        bytes: Bytes { tx: 5, rx: 6 },
        ..Rest::default()
    };
    of.rest = vec![rest];
    of.untracked =
        Untracked { flows: 2, tx_bytes: 9, rx_bytes: 4, mirrored_tx_bytes: 2, mirrored_rx_bytes: 1 };
    of.totals = Bytes { tx: 60 + 5 + 7 + 100, rx: 6 + 3 };
    for (by, remainder, connections) in
        [("peer", Bytes { tx: 105, rx: 6 }, 1), ("label", Bytes { tx: 100, rx: 0 }, 4)]
    {
        let report = reported(&question(by), std::slice::from_ref(&of));
        assert_whole(&report);
        assert_eq!(
            (report.total.bytes, report.remainder, report.untracked),
            (of.totals, remainder, Bytes { tx: 7, rx: 3 })
        );
        assert_eq!(report.total.connections, connections, "{by}");
    }
    // A filter cannot judge any of it.
    let mut asked = question("label");
    asked.filter = Filter::parse("comm curl", &NoNames).unwrap();
    let report = reported(&asked, std::slice::from_ref(&of));
    assert_eq!((report.total.bytes.tx, report.not_counted.unjudged), (60, Bytes { tx: 112, rx: 9 }));
    // Nothing passes, and that is told with what is kept out.
    asked.filter = Filter::parse("comm curl and port 1", &NoNames).unwrap();
    let report = reported(&asked, std::slice::from_ref(&of));
    let filtered = super::lines::nothing_passes(&report);
    assert_eq!(
        filtered.as_deref(),
        Some("Nothing passes the filter, which keeps out 60B sent and 0B received")
    );
}

struct NoNames;

impl flowtop_core::filter::Names for NoNames {
    fn addresses(&self, _: &str) -> Result<Vec<std::net::IpAddr>, flowtop_core::filter::Unresolved> {
        Err(flowtop_core::filter::Unresolved("nobody is asked".to_owned()))
    }

    fn service(&self, _: &str) -> Option<u16> {
        None
    }

    fn own_netns(&self) -> u32 {
        0
    }
}

#[test]
fn a_filter_judges_each_direction() {
    let mut asked = question("process");
    asked.filter = Filter::parse("dst host 192.0.2.2", &NoNames).unwrap();
    let both =
        flow(7, "curl", ["192.0.2.1:40000", "192.0.2.2:443"], Bytes { tx: 5, rx: 9 }, Bytes { tx: 5, rx: 9 });
    let report = reported(&asked, &[record(0, vec![both])]);
    assert_eq!(report.total.bytes, Bytes { tx: 5, rx: 0 });
}

#[test]
fn names_in_a_file_cannot_move_the_cursor() {
    let mut of = record(
        0,
        vec![flow(7, "a\x1b[2Jb", ["192.0.2.1:1", "192.0.2.2:2"], Bytes { tx: 1, rx: 0 }, Bytes::default())],
    );
    of.host.name = "c\nd".to_owned();
    let report = reported(&question("process"), &[of]);
    let style = text::Style { zone: jiff::tz::TimeZone::UTC, rows: None, columns: None, unit: Unit::Bits };
    let text = text::report(&report, &style);
    assert!(text.contains("a\u{fffd}[2Jb[100]") && text.contains("c\u{fffd}d: 1 record"), "{text}");
}

#[test]
fn a_right_end_counts_only_where_rows_are_of_ends() {
    let mut right = curl(60, 60);
    (right.key.id, right.is_right) = (8, true);
    let records = [record(0, vec![curl(60, 60), right])];
    let report = reported(&question("peer"), &records);
    assert_eq!((report.total.bytes.tx, report.rows.len(), report.local_twice.tx), (60, 1, 0));
    let report = reported(&question("process"), &records);
    assert_whole(&report);
    assert_eq!((report.total.bytes.tx, report.rows[0].sums.bytes.tx, report.local_twice.tx), (60, 120, 60));
    assert_eq!((report.rows[0].sums.connections, report.total.connections), (2, 1));
}

/// A record of a connection within a host: curl has sent 60 bytes to nginx and received 7.
fn within_a_host() -> Record {
    let (sent, received) = (Bytes { tx: 60, rx: 7 }, Bytes { tx: 7, rx: 60 });
    let [a, b] = TWO_ENDS;
    let mut left = flow(7, "curl", [a, b], sent, sent);
    let mut right = flow(8, "nginx", [b, a], received, received);
    (left.peer, right.peer, right.is_right) = (Some(1), Some(0), true);
    (left.flow.pid, right.flow.pid) = (7, 8);
    record(0, vec![left, right])
}

#[test]
fn the_end_that_a_filter_asks_for_stands_left() {
    for (filter, total, local_port) in [
        ("comm nginx", Bytes { tx: 7, rx: 60 }, 443),
        ("pid 8 and inbound", Bytes { tx: 0, rx: 60 }, 443),
        ("comm curl", Bytes { tx: 60, rx: 7 }, 40000),
        ("port 443", Bytes { tx: 60, rx: 7 }, 40000),
        ("pid 7 or pid 8", Bytes { tx: 60, rx: 7 }, 40000),
    ] {
        let mut asked = question("local-port");
        asked.filter = Filter::parse(filter, &NoNames).unwrap();
        let report = reported(&asked, &[within_a_host()]);
        assert_whole(&report);
        assert_eq!(report.total.bytes, total, "{filter}");
        assert_eq!(report.rows[0].cells[0], Cell::Port(local_port), "{filter}");
    }
}

/// A record of one connection at one of two hosts.
fn at(name: &str, machine: u8, comm: &str, ends: [&str; 2], bytes: Bytes) -> Record {
    let mut one = record(0, vec![flow(7, comm, ends, bytes, bytes)]);
    (one.host.name, one.host.machine_id, one.host.boot_id) = (name.to_owned(), [machine; 16], [machine; 16]);
    let role = if comm == "curl" { flags::ACTIVE } else { flags::PASSIVE };
    one.flows[0].flow.flags = flags::BORN | flags::OPEN | role;
    one
}

const TWO_ENDS: [&str; 2] = ["192.0.2.1:40000", "192.0.2.2:443"];

#[test]
fn a_connection_of_two_hosts_stands_from_the_end_that_has_connected() {
    let [a, b] = TWO_ENDS;
    let bytes = |tx, rx| Bytes { tx, rx };
    // Whichever end has seen more, the one that has connected is left, and has what either has seen.
    for (curl, nginx, total) in
        [(bytes(100, 5), bytes(5, 99), bytes(100, 5)), (bytes(80, 4), bytes(5, 99), bytes(99, 5))]
    {
        let records = [at("node-1", 1, "curl", [a, b], curl), at("node-2", 2, "nginx", [b, a], nginx)];
        let report = reported(&question("peer,local-port"), &records);
        assert_whole(&report);
        assert_eq!((report.total.bytes, report.local_twice), (total, Bytes::default()));
        assert_eq!(
            report.rows[0].cells[..],
            [Cell::Address("192.0.2.2".parse().unwrap()), Cell::Port(40_000)]
        );
        assert_eq!((report.rows.len(), report.total.connections, report.not_counted.twice), (1, 1, 1));
        // Each end has a row of its own where rows are of ends.
        let report = reported(&question("process,peer"), &records);
        assert_whole(&report);
        assert_eq!((report.total.bytes, report.local_twice, report.total.connections), (total, nginx, 1));
        let rows = by_who(&report);
        assert_eq!(rows[&("curl".to_owned(), "192.0.2.2".to_owned())], total);
        assert_eq!(rows[&("nginx".to_owned(), "192.0.2.1".to_owned())], nginx);
        let hosts: Vec<_> = report.rows.iter().map(|row| row.host.as_deref()).collect();
        assert_eq!(hosts, [Some("node-1"), Some("node-2")]);
    }
    // Two hosts with the same addresses at home have nothing in common.
    let [c, d] = ["127.0.0.1:40000", "127.0.0.1:443"];
    let loops =
        [at("node-1", 1, "curl", [c, d], bytes(100, 5)), at("node-2", 2, "nginx", [d, c], bytes(5, 99))];
    assert_eq!(reported(&question("process"), &loops).total.bytes, bytes(105, 104));
}

#[test]
fn a_filter_knows_both_ends_of_a_connection_of_two_hosts() {
    let [a, b] = TWO_ENDS;
    let (curl, nginx) = (Bytes { tx: 100, rx: 5 }, Bytes { tx: 5, rx: 99 });
    let records = [at("node-1", 1, "curl", [a, b], curl), at("node-2", 2, "nginx", [b, a], nginx)];
    let of = |filter: &str, by: &str| {
        let filter = Filter::parse(filter, &NoNames).unwrap();
        let report = reported(&Question { filter, ..question(by) }, &records);
        assert_whole(&report);
        (report.total.bytes, report.local_twice)
    };
    let seen_by_nginx = curl.mirror();
    for (filter, total, other) in [("comm curl", curl, nginx), ("comm nginx", seen_by_nginx, curl)] {
        assert_eq!(of(filter, "peer"), (total, Bytes::default()), "{filter}");
        assert_eq!(of(filter, "process"), (total, other), "{filter}");
    }
    assert_eq!(of("comm bash", "process"), (Bytes::default(), Bytes::default()));
    // Only what curl sends.
    let sent = (Bytes { tx: 100, rx: 0 }, Bytes { tx: 0, rx: 99 });
    assert_eq!(of("src host 192.0.2.1", "process"), sent);
}

/// The left end of the only row, and the bytes of the total.
fn seated(filter: &str, records: &[Record]) -> (u16, Bytes) {
    let filter = Filter::parse(filter, &NoNames).unwrap();
    let report = reported(&Question { filter, ..question("local-port") }, records);
    assert_whole(&report);
    assert_eq!((report.rows.len(), report.not_counted.twice), (1, 1));
    let Cell::Port(port) = report.rows[0].cells[0] else { panic!("{:?}", report.rows[0]) };
    assert_eq!(report.rows[0].sums.bytes, report.total.bytes);
    (port, report.total.bytes)
}

/// Both ends of a connection on two hosts: curl has sent 100 bytes to nginx and received 5.
fn on_two_hosts() -> [Record; 2] {
    let [a, b] = TWO_ENDS;
    let sent = Bytes { tx: 100, rx: 5 };
    [at("node-1", 1, "curl", [a, b], sent), at("node-2", 2, "nginx", [b, a], sent.mirror())]
}

#[test]
fn the_end_that_a_filter_asks_for_stands_left_of_a_connection_of_two_hosts() {
    let (of_curl, of_nginx) = ((40_000, Bytes { tx: 100, rx: 5 }), (443, Bytes { tx: 5, rx: 100 }));
    for (filter, seen) in [
        ("comm nginx", of_nginx),
        ("comm nginx and inbound", (443, Bytes { tx: 0, rx: 100 })),
        ("comm curl", of_curl),
        // True of both ends.
        ("comm curl or comm nginx", of_curl),
        ("port 443", of_curl),
    ] {
        let [one, two] = on_two_hosts();
        assert_eq!(seated(filter, &[one.clone(), two.clone()]), seen, "{filter}");
        // The other way round: the server's host is the first that is read.
        let [mut one, mut two] = [one, two];
        std::mem::swap(&mut one.host, &mut two.host);
        assert_eq!(seated(filter, &[one, two]), seen, "{filter}");
    }
}

#[test]
fn the_end_inside_a_border_stands_left_of_a_connection_of_two_hosts() {
    let (of_curl, of_nginx) = ((40_000, Bytes { tx: 100, rx: 5 }), (443, Bytes { tx: 5, rx: 100 }));
    for (borders, filter, seen) in [
        ([Some((2, 32)), Some((2, 32))], "comm curl", of_nginx),
        ([Some((1, 32)), Some((1, 32))], "comm nginx", of_curl),
        // One of the hosts has recorded without.
        ([None, Some((2, 32))], "port 443", of_nginx),
        ([Some((2, 32)), None], "port 443", of_nginx),
        // Each has itself inside, or both are: that says nothing.
        ([Some((1, 32)), Some((2, 32))], "comm nginx", of_nginx),
        ([Some((1, 32)), Some((2, 32))], "port 443", of_curl),
        ([Some((0, 24)), Some((0, 24))], "comm nginx", of_nginx),
    ] {
        let mut records = on_two_hosts();
        for (record, border) in records.iter_mut().zip(borders) {
            let network = |(host, prefix_bits)| TrafficLimit::Network {
                address: [192, 0, 2, host].into(),
                prefix_bits,
            };
            record.limits = TrafficLimits(border.map(network).into_iter().collect());
        }
        assert_eq!(seated(filter, &records), seen, "{borders:?} {filter}");
    }
}

/// The minute after a record, in which nothing more has moved.
fn a_minute_later(record: &Record) -> Record {
    let (mut later, minute_ns) = (record.clone(), 60_000_000_000);
    let Span { start_us, end_us, start_ns, end_ns } = &mut later.span;
    (*start_us, *end_us) = (*start_us + 60_000_000, *end_us + 60_000_000);
    (*start_ns, *end_ns) = (*start_ns + minute_ns, *end_ns + minute_ns);
    later.flows[0].bytes = Bytes::default();
    later.totals = Bytes::default();
    later
}

/// A host whose records begin when those of the other one have all been read changes no seat.
#[test]
fn the_end_that_a_filter_asks_for_stands_left_whichever_host_recorded_first() {
    for late in [0, 1] {
        let mut records = on_two_hosts().to_vec();
        records[late] = a_minute_later(&records[late]);
        let early = records[1 - late].clone();
        records.push(a_minute_later(&early));
        for (filter, port) in [("comm nginx", 443), ("comm curl", 40_000)] {
            let bytes = if port == 443 { Bytes { tx: 5, rx: 100 } } else { Bytes { tx: 100, rx: 5 } };
            assert_eq!(seated(filter, &records), (port, bytes), "{filter} {late}");
        }
    }
}

#[test]
fn two_connections_on_one_pair_of_ports_are_told_apart_by_their_births() {
    let [a, b] = TWO_ENDS;
    let of = |name, machine, comm, ends: [&str; 2], sent: [u64; 2]| {
        let mut one = at(name, machine, comm, ends, Bytes::default());
        let first = one.flows[0].clone();
        one.flows = (1..)
            .zip([10, 40])
            .zip(sent)
            .map(|((id, second), tx)| {
                let mut flow = first.clone();
                flow.key.id = id;
                flow.flow.opened_ns = (3600 + second) * 1_000_000_000;
                (flow.bytes, flow.flow.tx_bytes) = (Bytes { tx, rx: 0 }, tx);
                if comm == "nginx" {
                    (flow.bytes, flow.flow.tx_bytes, flow.flow.rx_bytes) = (Bytes { tx: 0, rx: tx }, 0, tx);
                }
                flow.flow.flags |= if id == 1 { flags::ENDED } else { 0 };
                flow
            })
            .collect();
        one.totals = one.flows.iter().fold(Bytes::default(), |sum, flow| sum + flow.bytes);
        one
    };
    let records = [of("node-1", 1, "curl", [a, b], [100, 7]), of("node-2", 2, "nginx", [b, a], [100, 7])];
    let report = reported(&question("peer"), &records);
    assert_eq!((report.total.bytes, report.not_counted.twice), (Bytes { tx: 107, rx: 0 }, 2));
    // Of the first connection the second host has recorded nothing.
    let mut second = records[1].clone();
    second.flows.remove(0);
    second.totals = second.flows[0].bytes;
    let report = reported(&question("peer"), &[records[0].clone(), second]);
    assert_eq!((report.total.bytes, report.not_counted.twice), (Bytes { tx: 107, rx: 0 }, 1));
}

#[test]
fn peaks_are_those_of_a_member_or_of_the_mean_and_time_above_is_that_of_windows() {
    let mut asked = question("process");
    asked.limit_bits_per_s = Some(8 * 100);
    asked.period.to_us = asked.period.from_us + 180_000_000;
    let busy = |minute, per_s: u64| {
        let mut one = record(minute, vec![curl(per_s * 60, 0)]);
        one.flows[0].flow.tx_bytes = per_s * 60;
        one.per_second = vec![Bytes { tx: per_s * 2, rx: 1 }; 60];
        one
    };
    let report = reported(&asked, &[busy(0, 80), busy(1, 81), busy(2, 20)]);
    let row = report.rows[0].sums;
    assert_eq!((row.peak.tx, row.above_us), (81, Some([60_000_000, 0, 60_000_000])));
    assert_eq!((report.total.peak, report.total_peak_is_exact), (Bytes { tx: 162, rx: 1 }, true));
    assert_eq!(report.counted_us, 180_000_000);
    // A sample that came late stands for more than a second.
    let mut late = busy(1, 81);
    late.per_second.truncate(58);
    late.per_second[7].tx = 1000;
    let report = reported(&asked, &[busy(0, 80), late, busy(2, 20)]);
    assert_eq!((report.total.peak.tx, report.total_peak_is_exact), (160, false));
}
