//! The report as a whole in each of its variants, and the cells that are hard to fit.

use std::net::IpAddr;

use flowtop_common::{Flow, Loss, Untracked};

use super::*;
use flowtop_core::fixture::{CONNECTED, flow, key, ledger_of, sample};
use flowtop_core::names::NoNames;
use flowtop_core::view::{Grouping, PortDisplay};
use flowtop_core::who::Who;
use flowtop_core::wire::Sample;

fn report(ledger: &Ledger, view: &View) -> String {
    Reports::default().report(ledger, view, &NoNames, Who::nobody())
}

fn view(ports: PortDisplay) -> View {
    View { grouping: Grouping { ports, ..Grouping::default() }, ..View::default() }
}

#[test]
fn an_empty_report_has_the_frame_and_zeros() {
    let expected = "
   # Host name (port/service if enabled)            last 2s   last 10s   last 40s cumulative
--------------------------------------------------------------------------------------------
--------------------------------------------------------------------------------------------
Total send rate:                                         0b         0b         0b
Total receive rate:                                      0b         0b         0b
Total send and receive rate:                             0b         0b         0b
--------------------------------------------------------------------------------------------
Peak rate (sent/received/total):                         0b         0b         0b
Cumulative (sent/received/total):                        0B         0B         0B
============================================================================================

";
    assert_eq!(format!("\n{}", report(&ledger_of(&[]), &View::default())), expected);
}

/// Three connections over 2 s, two of them between the same hosts, with something lost.
fn busy() -> Ledger {
    let v4 = |port, id| key(1, &format!("127.0.0.1:{port}"), "192.0.2.4:5353", id);
    let v6 = key(1, "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:50000", "[2001:db8::1]:443", 2);
    let segments = |flow, segs_out, segs_in| Flow { segs_out, segs_in, ..flow };
    let mut last = sample(
        2,
        &[
            (v4(40002, 1), segments(flow(CONNECTED, 45_750_000, 61_000), 31_600, 15_810)),
            (v4(40003, 3), segments(flow(CONNECTED, 256, 512), 3, 2)),
            (v6, segments(flow(CONNECTED, 125, 0), 2, 2)),
        ],
    );
    last.untracked = Untracked { flows: 3, tx_bytes: 1024, rx_bytes: 100, ..Untracked::default() };
    last.set_loss(Loss::Slot, [7]);
    ledger_of(&[last])
}

#[test]
fn a_report_is_iftops_to_the_byte() {
    let expected = "
   # Host name (port/service if enabled)            last 2s   last 10s   last 40s cumulative
--------------------------------------------------------------------------------------------
   1 127.0.0.1:40002                          =>      175Mb      175Mb      175Mb     43.6MB
     192.0.2.4:5353                           <=      238Kb      238Kb      238Kb     59.6KB
   2 127.0.0.1:40003                          =>     1.00Kb     1.00Kb     1.00Kb       256B
     192.0.2.4:5353                           <=     2.00Kb     2.00Kb     2.00Kb       512B
   3 [2001:db8:85a3:8d3:1319:8a2e:370:7:50000 =>       500b       500b       500b       125B
     [2001:db8::1]:443                        <=         0b         0b         0b         0B
--------------------------------------------------------------------------------------------
Total send rate:                                      175Mb      175Mb      175Mb
Total receive rate:                                   241Kb      241Kb      241Kb
Total send and receive rate:                          175Mb      175Mb      175Mb
--------------------------------------------------------------------------------------------
Peak rate (sent/received/total):                      175Mb      241Kb      175Mb
Cumulative (sent/received/total):                    43.6MB     60.2KB     43.7MB
Untracked (sent/received/both), 3 sockets:           1.00KB       100B     1.10KB
Losses (slot):                                                                  7
============================================================================================

";
    assert_eq!(format!("\n{}", report(&busy(), &view(PortDisplay::On))), expected);
}

#[test]
fn rates_over_a_time_without_a_sample_say_how_long_it_was() {
    let at =
        |at_s, tx| sample(at_s, &[(key(1, "127.0.0.1:40002", "192.0.2.4:5353", 1), flow(CONNECTED, tx, 0))]);
    let told = |samples: &[Sample]| {
        let text = report(&ledger_of(samples), &View::default());
        text.lines().find(|line| line.starts_with("Seconds")).map(str::to_owned)
    };
    let mut samples = vec![at(1, 100), at(2, 200), at(3, 300)];
    assert_eq!(told(&samples), None);
    samples.push(at(603, 600_300));
    let line = "Seconds covered, after standing still:                  600        600        600";
    assert_eq!(told(&samples).as_deref(), Some(line));
    samples.push(at(604, 600_400));
    assert_eq!(told(&samples), None);
}

/// The rows of a report, its first words of the lower part cut off.
fn rows_of(ledger: &Ledger, view: &View) -> String {
    let text = report(ledger, view);
    let rows: Vec<_> = text.lines().skip(2).take_while(|line| !line.starts_with('-')).collect();
    format!("\n{}\n", rows.join("\n"))
}

#[test]
fn without_ports_a_pair_of_hosts_is_one_row() {
    let expected = "
   1 127.0.0.1                                =>      175Mb      175Mb      175Mb     43.6MB
     192.0.2.4                                <=      240Kb      240Kb      240Kb     60.1KB
   2 2001:db8:85a3:8d3:1319:8a2e:370:7348     =>       500b       500b       500b       125B
     2001:db8::1                              <=         0b         0b         0b         0B
";
    assert_eq!(rows_of(&busy(), &View::default()), expected);
}

#[test]
fn one_port_alone_splits_and_shows_on_its_side() {
    let expected = "
   1 127.0.0.1                                =>      175Mb      175Mb      175Mb     43.6MB
     192.0.2.4:5353                           <=      240Kb      240Kb      240Kb     60.1KB
   2 2001:db8:85a3:8d3:1319:8a2e:370:7348     =>       500b       500b       500b       125B
     [2001:db8::1]:443                        <=         0b         0b         0b         0B
";
    assert_eq!(rows_of(&busy(), &view(PortDisplay::DestinationOnly)), expected);
    let source_only = rows_of(&busy(), &view(PortDisplay::SourceOnly));
    let hosts: Vec<_> = source_only.lines().skip(1).map(|line| line[5..45].trim_end()).collect();
    let longest = "[2001:db8:85a3:8d3:1319:8a2e:370:7:50000";
    assert_eq!(
        hosts,
        ["127.0.0.1:40002", "192.0.2.4", "127.0.0.1:40003", "192.0.2.4", longest, "2001:db8::1"]
    );
}

#[test]
fn a_hidden_side_is_a_star() {
    let expected = "
   1  *                                       =>      175Mb      175Mb      175Mb     43.6MB
     192.0.2.4:5353                           <=      240Kb      240Kb      240Kb     60.1KB
   2 [ * ]                                    =>       500b       500b       500b       125B
     [2001:db8::1]:443                        <=         0b         0b         0b         0B
";
    let grouping = Grouping { ports: PortDisplay::DestinationOnly, hide_source: true, ..Grouping::default() };
    let text = rows_of(&busy(), &View { grouping, ..View::default() });
    // Brackets come with a port only.
    assert_eq!(text, expected.replace("[ * ]", " *   "));
    let with_port = Grouping { ports: PortDisplay::SourceOnly, ..grouping };
    let text = rows_of(&busy(), &View { grouping: with_port, ..View::default() });
    assert!(text.contains("   3 [ * ]:50000                              =>"), "{text}");
}

#[test]
fn the_unit_is_that_of_the_rates_alone() {
    let lines = |unit| {
        let text = report(&busy(), &View { unit, ..View::default() });
        [2, 7, 11, 12].map(|at| text.lines().nth(at).unwrap().to_owned())
    };
    assert_eq!(
        lines(Unit::Bytes),
        [
            "   1 127.0.0.1                                =>     21.8MB     21.8MB     21.8MB     43.6MB",
            "Total send rate:                                     21.8MB     21.8MB     21.8MB",
            "Peak rate (sent/received/total):                     21.8MB     30.1KB     21.8MB",
            "Cumulative (sent/received/total):                    43.6MB     60.2KB     43.7MB",
        ]
    );
    let mut in_packets = Ledger::new(10, 0).in_packets();
    in_packets.apply(&sample(0, &[]));
    let segments = Flow { segs_out: 31_600, segs_in: 158, ..flow(CONNECTED, 45_750_000, 61_000) };
    in_packets.apply(&sample(2, &[(key(1, "192.0.2.1:1", "192.0.2.2:2", 1), segments)]));
    let expected = "
   1 192.0.2.1                                =>     15.8Kp     15.8Kp     15.8Kp     43.6MB
     192.0.2.2                                <=        79p        79p        79p     59.6KB
";
    assert_eq!(rows_of(&in_packets, &View { unit: Unit::Packets, ..View::default() }), expected);
}

/// Names that are hard to fit.
struct SomeNames;

impl Names for SomeNames {
    fn host(&self, address: IpAddr) -> Option<String> {
        match address.to_string().as_str() {
            "127.0.0.1" => Some("a-very-long-host-name-that-exceeds-the-cell.example".to_owned()),
            "2001:db8::1" => Some("six.example".to_owned()),
            _ => None,
        }
    }

    fn service(&self, port: u16) -> Option<&str> {
        (port == 443).then_some("https")
    }
}

fn hosts_with(view: View) -> Vec<String> {
    let text = Reports::default().report(&busy(), &view, &SomeNames, Who::nobody());
    let rows = text.lines().skip(2).take_while(|line| !line.starts_with('-'));
    rows.map(|line| line[5..45].trim_end().to_owned()).collect()
}

#[test]
fn names_are_shown_when_asked_for_and_known() {
    let (off, on) = (view(PortDisplay::Off), view(PortDisplay::On));
    let numeric = "2001:db8:85a3:8d3:1319:8a2e:370:7348";
    assert_eq!(hosts_with(off), ["127.0.0.1", "192.0.2.4", numeric, "2001:db8::1"]);
    assert_eq!(
        hosts_with(View { host_names: true, ..off }),
        ["a-very-long-host-name-that-exceeds-the-", "192.0.2.4", numeric, "six.example"]
    );
    assert_eq!(
        hosts_with(View { host_names: true, service_names: true, ..on })[4..],
        ["[2001:db8:85a3:8d3:1319:8a2e:370:7:50000", "[six.example]:https"]
    );
    assert_eq!(hosts_with(View { host_names: true, ..on })[0], "a-very-long-host-name-that-exceeds:40002");
}

#[test]
fn frozen_rows_stay_until_unfrozen() {
    let host = |id: u64| key(1, "192.0.2.1:1", &format!("198.51.100.{id}:2"), id);
    let at = |at_s, first, second| {
        sample(at_s, &[(host(1), flow(CONNECTED, first, 0)), (host(2), flow(CONNECTED, second, 0))])
    };
    let mut ledger = ledger_of(&[at(2, 20, 10)]);
    let mut reports = Reports::default();
    let mut first = |ledger: &Ledger, view: &View| {
        reports
            .report(ledger, view, &NoNames, Who::nobody())
            .lines()
            .nth(3)
            .unwrap()
            .trim()
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let (free, frozen) = (View::default(), View { order_frozen: true, ..View::default() });
    assert_eq!(first(&ledger, &frozen), "198.51.100.1");
    ledger.apply(&at(4, 20, 500));
    let hidden = Grouping { hide_destination: true, ..Grouping::default() };
    assert_eq!(first(&ledger, &View { grouping: hidden, ..frozen }), "198.51.100.1");
    assert_eq!(first(&ledger, &free), "198.51.100.2");
    assert_eq!(first(&ledger, &View { grouping: hidden, ..frozen }), "*");
}

#[test]
fn a_limit_leaves_the_totals_alone() {
    let lines = |limit| {
        let text = report(&busy(), &View { limit, ..View::default() });
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (all, one) = (lines(None), lines(Some(1)));
    assert_eq!(all.len(), one.len() + 2);
    assert_eq!(all[6..], one[4..]);
}

#[test]
fn lines_have_iftops_widths() {
    for text in report(&busy(), &view(PortDisplay::On)).lines() {
        let label = text.split(' ').next().unwrap_or_default();
        let expected = match label {
            "Total" | "Peak" | "Cumulative" | "Untracked" | "Losses" => 81,
            _ if text.is_empty() => 0,
            _ => 92,
        };
        assert_eq!(text.chars().count(), expected, "{text}");
    }
}

#[test]
fn a_host_always_fills_its_cell_and_keeps_its_port() {
    let longest = "[2001:db8:85a3:8d3:1319:8a2e:1370:7348]";
    for (host, suffix, cell) in [
        ("192.0.2.1", ":443", "192.0.2.1:443"),
        ("[::1]", ":80", "[::1]:80"),
        (longest, ":80", "[2001:db8:85a3:8d3:1319:8a2e:1370:734:80"),
        (longest, ":50001", "[2001:db8:85a3:8d3:1319:8a2e:1370::50001"),
        (
            longest,
            ":a-service-whose-name-is-longer-than-any-cell",
            ":a-service-whose-name-is-longer-than-any",
        ),
    ] {
        let mut out = format!("   1 {host}{suffix}");
        fit(&mut out, 5, 5 + host.len());
        assert_eq!(out, format!("   1 {cell:<HOST_CHARS$}"));
    }
}

#[test]
fn the_first_line_names_the_interfaces() {
    assert_eq!(listening_on(&[]), "Listening on any\n");
    assert_eq!(listening_on(&["eth0".to_owned(), "lo".to_owned()]), "Listening on eth0,lo\n");
}
