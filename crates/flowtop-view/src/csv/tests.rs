//! Literal lines, and that what is written can be read again.

use flowtop_common::{Flow, Untracked};
use proptest::prelude::*;

use super::*;
use crate::json::heading;
use flowtop_core::column::{self, ALL};
use flowtop_core::filter::Boundary;
use flowtop_core::fixture::{ACCEPTED, CONNECTED, flow as moved, key, ledger_of, sample};
use flowtop_core::group::Group;
use flowtop_core::record::fixture::{flow as recorded_flow, record};
use flowtop_core::record::{FlowRecord, Record, Rest};
use flowtop_core::rows::table::Table;
use flowtop_core::window::Bytes;
use flowtop_core::wire::Sample;

fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn header(fields: &[&'static str]) -> String {
    written(|out| super::header(fields, out))
}

fn report(heading: &Heading<'_>, ledger: &Ledger, view: &View, fields: &[&'static Column]) -> String {
    written(|out| super::report(heading, ledger, view, fields, out))
}

fn grouped(ledger: &Ledger, view: &View, fields: &[&'static str]) -> String {
    let groups = super::grouped::report(&mut Table::default(), ledger, view, heading().who);
    written(|out| grouped_report(&heading(), ledger, &groups, fields, out))
}

fn named(comm: &[u8], flow: Flow) -> Flow {
    let mut padded = [0; 16];
    padded[..comm.len()].copy_from_slice(comm);
    Flow { comm: padded, pid: 7, ..flow }
}

fn recorded(comm: &str, ends: [&str; 2], bytes: Bytes) -> FlowRecord {
    recorded_flow(7, comm, ends, bytes, bytes)
}

fn all() -> Vec<&'static Column> {
    ALL.iter().collect()
}

fn names(fields: &[&'static Column]) -> Vec<&'static str> {
    fields.iter().map(|field| field.name).collect()
}

/// A connection with both ends here and one to elsewhere.
fn two(comm: &[u8]) -> Ledger {
    ledger_of(&[sample(
        2,
        &[
            (key(9, "10.0.0.1:40000", "10.0.0.2:80", 1), named(comm, moved(CONNECTED, 5000, 301))),
            (key(8, "10.0.0.2:80", "10.0.0.1:40000", 2), moved(ACCEPTED, 301, 5000)),
            (key(9, "[2001:db8::1]:40001", "[2001:db8::2]:443", 3), moved(CONNECTED, 1, 0)),
        ],
    )])
}

#[test]
fn a_line_is_a_connection() {
    let fields =
        column::parse("local_addr,local_port,comm,pid,initiator,rx_rate_2s,peer_netns,srtt_us").unwrap();
    let expected = "\
2026-03-01T12:00:02.5+01:00,2,gate,2026-03-01T12:00:00.5+01:00,10.0.0.1,40000,\"a,\"\"b\",7,true,150.5,8,
2026-03-01T12:00:02.5+01:00,2,gate,2026-03-01T12:00:00.5+01:00,2001:db8::1,40001,,,true,0,,
";
    assert_eq!(report(&heading(), &two(b"a,\"b"), &View::default(), &fields), expected);
    assert_eq!(
        header(&names(&fields)),
        "time,elapsed_s,host,start,local_addr,local_port,comm,pid,initiator,rx_rate_2s,peer_netns,srtt_us\n"
    );
}

#[test]
fn what_a_sparse_record_has_summed_up_is_a_line_of_its_own() {
    let seen = recorded("x", ["10.0.0.1:40000", "10.0.0.2:80"], Bytes { tx: 100, rx: 7 });
    let rest = |comm: &str, tx| Rest {
        comm: Some(comm.to_owned()),
        flows: 3,
        bytes: Bytes { tx, rx: 30 },
        retrans_bytes: 2,
        ..Rest::default()
    };
    let record = Record { rest: vec![rest("curl", 20), rest("sshd", 40)], ..record(0, vec![seen]) };
    let fields =
        column::parse("local_addr,comm,tx_bytes,rx_bytes,tx_rate_2s,rx_rate_40s,retrans_bytes,owner")
            .unwrap();
    let of = |record: &Record| {
        let ledger = Ledger::of_record(record, Boundary::default(), None);
        report(&heading(), &ledger, &View::default(), &fields)
    };
    // Of a window of 60 s. How often bytes were repeated is told of whole lives.
    let flow = "2026-03-01T12:00:02.5+01:00,60,gate,2026-03-01T12:00:00.5+01:00,10.0.0.1,x,100,7,1.6666666666666667,0.11666666666666667,0,process\n";
    let summed_up =
        "2026-03-01T12:00:02.5+01:00,60,gate,2026-03-01T12:00:00.5+01:00,,,60,60,1,1,,summed_up\n";
    assert_eq!(of(&record), format!("{flow}{summed_up}"));
    // Groups have it in their rows; one says so where it is nothing else.
    let ledger = Ledger::of_record(&record, Boundary::default(), None);
    let by = |by: &str, field: &'static str| {
        let view = View { by: Group::parse(by).unwrap(), ..View::default() };
        grouped(&ledger, &view, &[field, "tx_bytes", "owner"]).replace(heading().time, "")
    };
    assert_eq!(
        by("remote-port", "remote_port"),
        ",60,gate,2026-03-01T12:00:00.5+01:00,,60,summed_up\n,60,gate,2026-03-01T12:00:00.5+01:00,80,100,\n"
    );
    assert_eq!(
        by("process", "pid"),
        ",60,gate,2026-03-01T12:00:00.5+01:00,100,100,\n,60,gate,2026-03-01T12:00:00.5+01:00,,40,\n,60,gate,2026-03-01T12:00:00.5+01:00,,20,\n"
    );
    let untracked = Untracked { flows: 2, tx_bytes: 120, ..Untracked::default() };
    let turned_away =
        "2026-03-01T12:00:02.5+01:00,60,gate,2026-03-01T12:00:00.5+01:00,,,120,0,2,0,,untracked\n";
    assert_eq!(of(&Record { untracked, ..record.clone() }), format!("{flow}{turned_away}{summed_up}"));
    assert_eq!(of(&Record { rest: Vec::new(), ..record }), flow);
}

/// Connections, and three sockets that found the table full, some of them ends of connections that stay here.
fn crowded() -> Ledger {
    let mut crowded =
        sample(2, &[(key(9, "10.0.0.1:40000", "192.0.2.2:80", 1), named(b"x", moved(CONNECTED, 5000, 300)))]);
    crowded.untracked =
        Untracked { flows: 3, tx_bytes: 500, rx_bytes: 60, mirrored_tx_bytes: 100, mirrored_rx_bytes: 10 };
    ledger_of(&[crowded])
}

#[test]
fn what_found_the_table_full_is_a_line_of_its_own() {
    let ledger = crowded();
    let of = |names: &str| {
        report(&heading(), &ledger, &View::default(), &column::parse(names).unwrap())
            .replace(heading().time, "")
    };
    assert_eq!(
        of("owner,pid,label,tx_bytes,rx_bytes,tx_rate_2s,rx_rate_40s,sent_bytes,peer_tx_bytes"),
        ",2,gate,2026-03-01T12:00:00.5+01:00,process,7,public,5000,300,2500,150,0,\n,2,gate,2026-03-01T12:00:00.5+01:00,untracked,,,400,50,200,25,,\n"
    );
    // Lines are the total.
    assert_eq!(ledger.totals().bytes, Bytes { tx: 5400, rx: 350 });
}

#[test]
fn what_found_the_table_full_is_in_no_group() {
    let of = |by: &str, fields: &[&'static str]| {
        let view = View { by: Group::parse(by).unwrap(), ..View::default() };
        grouped(&crowded(), &view, fields).replace(heading().time, "")
    };
    let fields = ["remote_port", "connections", "tx_bytes", "rx_bytes", "tx_rate_2s", "sent_bytes", "owner"];
    assert_eq!(
        of("remote-port", &fields),
        ",2,gate,2026-03-01T12:00:00.5+01:00,80,1,5000,300,2500,0,\n,2,gate,2026-03-01T12:00:00.5+01:00,,,400,50,200,,untracked\n"
    );
}

#[test]
fn packets_of_what_found_the_table_full_are_unknown() {
    let mut ledger = Ledger::new(8, 0).in_packets();
    ledger.apply(&sample(0, &[]));
    let untracked = Untracked { flows: 1, tx_bytes: 70, ..Untracked::default() };
    ledger.apply(&Sample { untracked, ..sample(2, &[]) });
    let fields = column::parse("tx_bytes,tx_rate_2s,rx_rate_2s,owner").unwrap();
    let written = report(&heading(), &ledger, &View::default(), &fields).replace(heading().time, "");
    assert_eq!(written, ",2,gate,2026-03-01T12:00:00.5+01:00,70,,,untracked\n");
}

#[test]
fn a_line_may_be_a_group() {
    let view = View { by: Group::parse("remote-port").unwrap(), ..View::default() };
    let expected = "\
2026-03-01T12:00:02.5+01:00,2,gate,2026-03-01T12:00:00.5+01:00,80,1,5000,301
2026-03-01T12:00:02.5+01:00,2,gate,2026-03-01T12:00:00.5+01:00,443,1,1,0
";
    let fields = ["remote_port", "connections", "tx_bytes", "rx_bytes"];
    assert_eq!(grouped(&two(b"x"), &view, &fields), expected);
}

#[test]
fn a_report_without_connections_has_no_line() {
    assert_eq!(report(&heading(), &ledger_of(&[]), &View::default(), &all()), "");
}

/// The text of a value that no spreadsheet takes for a formula.
fn guarded(value: &Value) -> String {
    match value {
        Value::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        value => value.text(),
    }
}

proptest! {
    #[test]
    fn a_text_is_quoted_as_the_csv_crate_quotes_it(text in "[\",\n\r\t'=a ]{0,6}|.{0,8}") {
        let value = Value::Text(text);
        let terminator = csv::Terminator::Any(b'\n');
        let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        writer.write_record(["first", &guarded(&value)]).unwrap();
        let mut line = Line::after(&[Value::Word("first")]);
        line.push(|field| value.write_csv(field));
        prop_assert_eq!(written(|out| line.end(out)).into_bytes(), writer.into_inner().unwrap());
    }

    #[test]
    fn what_is_written_can_be_read(comm in prop::collection::vec(1_u8.., 0..=16)) {
        let ledger = two(&comm);
        let written = header(&names(&all())) + &report(&heading(), &ledger, &View::default(), &all());
        let mut reader = csv::Reader::from_reader(written.as_bytes());
        let names: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        prop_assert_eq!(&names[REPORT_FIELDS.len()..], &column::names()[..]);
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        let rows = rows(&ledger, &View::default());
        prop_assert_eq!(records.len(), rows.len());
        for (record, row) in records.iter().zip(&rows) {
            prop_assert_eq!(&record[0], heading().time);
            let source = Source::new(row, ledger.at_ns(), flowtop_core::who::Who::nobody());
            for (text, field) in record.iter().skip(REPORT_FIELDS.len()).zip(ALL) {
                prop_assert_eq!(text, guarded(&field.value(&source)));
            }
        }
    }
}
