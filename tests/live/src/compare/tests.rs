use super::*;
use crate::report::parse;

const INITIATOR: &str = "127.0.0.1:40000";
const ACCEPTOR: &str = "127.0.0.1:80";

fn row(local: &str, remote: &str, initiator: &str, bytes: (u64, u64), peer: Option<(u64, u64)>) -> String {
    let (local, remote): (SocketAddr, SocketAddr) =
        (local.parse().expect("address"), remote.parse().expect("address"));
    let (tx, rx) = bytes;
    let peer = peer.map_or("null".to_owned(), |(tx, rx)| {
        format!(r#"{{"netns":1,"pid":2,"comm":"b","state":"ESTABLISHED","tx_bytes":{tx},"rx_bytes":{rx}}}"#)
    });
    format!(
        r#"{{"local_addr":"{}","local_port":{},"remote_addr":"{}","remote_port":{},"netns":1,"pid":null,"comm":null,
        "state":"ESTABLISHED","initiator":{initiator},"tx_bytes":{tx},"rx_bytes":{rx},"peer":{peer}}}"#,
        local.ip(),
        local.port(),
        remote.ip(),
        remote.port()
    )
}

fn report(rows: &[String]) -> Report {
    parse(&format!(
        r#"{{"hooks":"tracepoint","trigger":"events","trigger_reason":"",
        "totals":{{"tx_bytes":1,"rx_bytes":2}},"flows":[{}],
        "untracked":{{"flows":0,"tx_bytes":0,"rx_bytes":0}},"losses":{{"call":0}},"attribution":{{}}}}"#,
        rows.join(",")
    ))
    .expect("a valid report")
}

fn connection(initiator: (u64, u64), acceptor: (u64, u64), is_restored: bool) -> Connection {
    Connection {
        netns: 1,
        initiator: INITIATOR.parse().expect("address"),
        acceptor: ACCEPTOR.parse().expect("address"),
        initiator_bytes: Bytes { tx: initiator.0, rx: initiator.1 },
        acceptor_bytes: Bytes { tx: acceptor.0, rx: acceptor.1 },
        is_restored,
    }
}

#[test]
fn equal_bytes_pass_and_one_byte_more_fails() {
    let good = report(&[row(INITIATOR, ACCEPTOR, "true", (5, 7), Some((7, 5)))]);
    assert_eq!(compare(&[connection((5, 7), (7, 5), false)], &good, exact), Ok(()));
    for wrong in [connection((6, 7), (7, 5), false), connection((5, 7), (7, 4), false)] {
        let error = compare(&[wrong], &good, exact).expect_err("a byte differs");
        assert!(error.contains("got 5/7 peer 7/5"), "{error}");
    }
}

#[test]
fn a_missing_row_fails_unless_nothing_was_carried() {
    let empty = report(&[]);
    let error = compare(&[connection((1, 0), (0, 1), false)], &empty, exact).expect_err("no row");
    assert!(error.ends_with("got no row"), "{error}");
    assert_eq!(compare(&[connection((0, 0), (0, 0), true)], &empty, exact), Ok(()));
}

#[test]
fn only_a_restored_connection_may_be_shown_from_the_other_end() {
    let turned = report(&[row(ACCEPTOR, INITIATOR, "null", (7, 5), Some((5, 7)))]);
    assert_eq!(compare(&[connection((5, 7), (7, 5), true)], &turned, exact), Ok(()));
    compare(&[connection((5, 7), (7, 5), false)], &turned, exact).expect_err("its birth was seen");
}

#[test]
fn rows_on_one_tuple_match_in_any_order_and_never_mix() {
    let rows = report(&[
        row(INITIATOR, ACCEPTOR, "true", (9, 0), Some((0, 9))),
        row(INITIATOR, ACCEPTOR, "true", (1, 0), Some((0, 1))),
    ]);
    let expected = [connection((1, 0), (0, 1), false), connection((9, 0), (0, 9), false)];
    assert_eq!(compare(&expected, &rows, exact), Ok(()));
    let mixed = report(&[row(INITIATOR, ACCEPTOR, "true", (10, 0), Some((0, 10)))]);
    compare(&expected, &mixed, exact).expect_err("two connections in one row");
}

#[test]
fn an_end_without_an_entry_is_not_taken_for_one_that_counted() {
    let alone = report(&[row(INITIATOR, ACCEPTOR, "true", (5, 0), None)]);
    compare(&[connection((5, 0), (0, 5), false)], &alone, exact).expect_err("the peer is missing");
}
