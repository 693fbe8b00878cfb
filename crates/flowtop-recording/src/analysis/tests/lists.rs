//! The list adds up to the total, in every format and for every limit.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use super::RECORDER;
use super::World;
use super::question;
use super::reported;
use super::world::{Window, any_windows, any_world};
use crate::analysis::Report;
use crate::analysis::diff::{Diff, Presence};
use crate::analysis::entries::{Entry, Kind, List, of_diff, of_report};
use crate::analysis::text::{self, Style};
use flowtop_core::number::Unit;
use flowtop_core::window::Bytes;

fn report_of(world: &World, windows: &[Window]) -> Report {
    let records: Vec<_> = windows.iter().map(|window| world.record(RECORDER, *window)).collect();
    reported(&question("process,peer"), &records)
}

/// The sum of a list but for its total and for what is counted at both ends, and the sum of these.
fn sums(list: &List<'_>, of: fn(&Entry<'_>) -> Bytes) -> (Bytes, Bytes) {
    let is_total = |entry: &Entry<'_>| matches!(entry.kind, Kind::Total | Kind::LocalTwice);
    let sum = |wanted: bool| {
        let entries = list.iter().filter(|entry| is_total(entry) == wanted);
        entries.fold(Bytes::default(), |sum, entry| sum + of(&entry))
    };
    (sum(false), sum(true))
}

proptest! {
    #[test]
    fn the_list_is_the_total(world in any_world(), windows in any_windows(), limit in prop::option::of(0..5_usize)) {
        let report = report_of(&world, &windows);
        let (parts, total) = sums(&of_report(&report, limit), |entry| entry.sums.bytes);
        prop_assert_eq!((parts, total), (report.total.bytes, report.total.bytes));
    }

    #[test]
    fn two_periods_have_all_rows_of_both(
        world in any_world(), now in any_windows(), before in any_windows(), limit in prop::option::of(0..5_usize),
    ) {
        let reports = [report_of(&world, &now), report_of(&world, &before)];
        let diff = Diff::new(reports[0].clone(), reports[1].clone());
        let entries = of_diff(&diff, limit);
        let (parts, total) = sums(&entries, |entry| entry.sums.bytes);
        prop_assert_eq!((parts, total), (diff.now.total.bytes, diff.now.total.bytes));
        let (parts, total) = sums(&entries, |entry| entry.before.bytes);
        prop_assert_eq!((parts, total), (diff.before.total.bytes, diff.before.total.bytes));
        for change in &diff.rows {
            let is_in = |report: &Report| report.rows.iter().any(|row| row.cells == change.row.cells);
            let presence = match (is_in(&reports[0]), is_in(&reports[1])) {
                (true, false) => Presence::New,
                (false, true) => Presence::Gone,
                _ => Presence::Both,
            };
            prop_assert_eq!(change.presence, presence);
        }
        // A period has nothing more than itself.
        let same = Diff::new(reports[0].clone(), reports[0].clone());
        prop_assert!(same.rows.iter().all(|change| change.row.sums == change.before));
    }

    #[test]
    fn a_table_is_as_wide_as_the_screen_where_that_is_wide_enough(
        world in any_world(), windows in any_windows(), columns in 0..150_usize, limited: bool,
    ) {
        let mut asked = question("process,peer,flow");
        asked.limit_bits_per_s = limited.then_some(1000);
        let records: Vec<_> = windows.iter().map(|window| world.record(RECORDER, *window)).collect();
        let report = reported(&asked, &records);
        let style = Style { zone: TimeZone::UTC, rows: None, columns: Some(columns), unit: Unit::Bits };
        let text = text::report(&report, &style);
        let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("---")).collect();
        let needed = 20 + 9 + 11 * if limited { 5 } else { 4 };
        prop_assert!(table.iter().all(|line| line.width() <= columns.max(needed)), "{}", text);
        let whole = text::report(&report, &Style { columns: None, ..style });
        prop_assert!(!whole.contains('~'), "{}", whole);
    }
}
