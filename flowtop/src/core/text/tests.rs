//! The report as a whole, and the cells that are hard to fit.

use flowtop_common::{Loss, Untracked};

use super::*;
use crate::core::fixture::{CONNECTED, flow, key, ledger_of, sample};

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

/// Two connections over 2 s, with something lost.
fn busy() -> Ledger {
    let v4 = key(1, "127.0.0.1:40002", "192.0.2.4:5353", 1);
    let v6 = key(1, "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:50000", "[2001:db8::1]:443", 2);
    let mut last = sample(2, &[(v4, flow(CONNECTED, 45_750_000, 61_000)), (v6, flow(CONNECTED, 125, 0))]);
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
   2 [2001:db8:85a3:8d3:1319:8a2e:370:7:50000 =>       500b       500b       500b       125B
     [2001:db8::1]:443                        <=         0b         0b         0b         0B
--------------------------------------------------------------------------------------------
Total send rate:                                      175Mb      175Mb      175Mb
Total receive rate:                                   239Kb      239Kb      239Kb
Total send and receive rate:                          175Mb      175Mb      175Mb
--------------------------------------------------------------------------------------------
Peak rate (sent/received/total):                      175Mb      239Kb      175Mb
Cumulative (sent/received/total):                    43.6MB     59.7KB     43.7MB
Untracked (sent/received/both), 3 sockets:           1.00KB       100B     1.10KB
Losses (slot):                                                                  7
============================================================================================

";
    assert_eq!(format!("\n{}", report(&busy(), &View::default())), expected);
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
    for text in report(&busy(), &View::default()).lines() {
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
    for (end, cell) in [
        ("192.0.2.1:443".to_owned(), "192.0.2.1:443                           ".to_owned()),
        ("[::1]:80".to_owned(), "[::1]:80                                ".to_owned()),
        (format!("{longest}:80"), "[2001:db8:85a3:8d3:1319:8a2e:1370:734:80".to_owned()),
        (format!("{longest}:50001"), "[2001:db8:85a3:8d3:1319:8a2e:1370::50001".to_owned()),
    ] {
        assert_eq!(host(end.parse().unwrap()), cell);
        assert_eq!(cell.len(), HOST_CHARS);
    }
}
