//! The report as text: what is covered, then two lines a row as in iftop, then the totals.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr as _;

use super::diff::{Diff, Presence};
use super::entries::{self, Entry, Kind, List};
use super::fields;
use super::lines;
use super::report::{Report, Sums};
use flowtop_core::group::Group;
use flowtop_core::number::{Unit, number};
use flowtop_core::width::cut_middle;
use flowtop_core::window::Bytes;

#[derive(Clone, Debug)]
pub struct Style {
    /// Time zone of all times.
    pub zone: TimeZone,
    /// Most rows; all if there is none.
    pub rows: Option<usize>,
    /// Columns that there are; as many as it takes if there is none.
    pub columns: Option<usize>,
    /// Unit of rates.
    pub unit: Unit,
}

const CELL_CHARS: usize = 10;
/// Columns of a name at least.
const NAME_MIN_CHARS: usize = 20;
/// Columns in front of the name, and between it and the numbers.
const FRAME_CHARS: usize = 5 + 4;

/// One of the two directions of an entry, or both of them.
#[derive(Clone, Copy)]
enum Way {
    Tx,
    Rx,
    Sum,
}

impl Way {
    fn of(self, bytes: Bytes) -> u64 {
        match self {
            Self::Tx => bytes.tx,
            Self::Rx => bytes.rx,
            Self::Sum => bytes.sum(),
        }
    }

    const fn arrow(self) -> &'static str {
        match self {
            Self::Tx => "=>",
            Self::Rx => "<=",
            Self::Sum => "  ",
        }
    }

    const fn place(self) -> usize {
        self as usize
    }
}

/// A whole report as text.
#[must_use]
pub fn report(report: &Report, style: &Style) -> String {
    let titles: &[&str] = &["bytes", "mean", "peak >=", "share", "> 80 %"];
    let titles = if report.limit_bits_per_s.is_some() { titles } else { &titles[..4] };
    let cells = |entry: &Entry<'_>, way: Way| {
        let mut cells = amounts(report, &entry.sums, way, style.unit);
        cells.push(peak(entry, way, style.unit));
        cells.push(share(way.of(entry.sums.bytes), way.of(report.total.bytes)));
        let above_us = entry.sums.above_us.map(|above_us| above_us[way.place()]);
        cells.push(above_us.map_or_else(String::new, lines::span));
        cells.truncate(titles.len());
        cells
    };
    let said = lines::of_report(report, &style.zone);
    let list = entries::of_report(report, style.rows);
    Table { by: report.by, hosts: hosts(report), style, titles }.text(&said, &list, &cells)
}

/// Two periods, one against the other.
#[must_use]
pub fn diff(diff: &Diff, style: &Style) -> String {
    let titles = ["bytes", "before", "more", "mean", "mean more", ""];
    let cells = |entry: &Entry<'_>, way: Way| {
        let (now, before) = (way.of(entry.sums.bytes), way.of(entry.before.bytes));
        let bytes = |amount: u64| number(amount as f64, Unit::Bytes);
        let mark = match (entry.presence, way) {
            (Presence::Both, _) | (_, Way::Rx | Way::Sum) => "",
            (presence, Way::Tx) => presence.word(),
        };
        vec![
            bytes(now),
            bytes(before),
            signed(now as f64 - before as f64, Unit::Bytes),
            number(diff.now.rate(now), style.unit),
            signed(diff.more_per_s(now, before), style.unit),
            mark.to_owned(),
        ]
    };
    let mut said = lines::of_report(&diff.now, &style.zone);
    said.push("Before:".to_owned());
    said.extend(lines::of_report(&diff.before, &style.zone));
    let list = entries::of_diff(diff, style.rows);
    let hosts = hosts(&diff.now).max(hosts(&diff.before));
    Table { by: diff.now.by, hosts, style, titles: &titles }.text(&said, &list, &cells)
}

/// How many hosts there is something of.
fn hosts(report: &Report) -> usize {
    report.hosts.iter().filter(|host| host.records > 0).count()
}

/// Bytes and mean rate.
fn amounts(report: &Report, sums: &Sums, way: Way, unit: Unit) -> Vec<String> {
    let bytes = way.of(sums.bytes);
    vec![number(bytes as f64, Unit::Bytes), number(report.rate(bytes), unit)]
}

/// Nothing where it is not known: of both directions together, and of what has no sockets.
fn peak(entry: &Entry<'_>, way: Way, unit: Unit) -> String {
    match (entry.kind, way) {
        (Kind::Remainder | Kind::Untracked | Kind::LocalTwice, _) | (_, Way::Sum) => String::new(),
        _ => number(way.of(entry.sums.peak) as f64, unit),
    }
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn signed(amount: f64, unit: Unit) -> String {
    let sign = if amount < 0.0 { "-" } else { "+" };
    format!("{sign}{}", number(amount.abs(), unit))
}

struct Table<'a> {
    by: Group,
    hosts: usize,
    style: &'a Style,
    titles: &'a [&'a str],
}

impl Table<'_> {
    fn text(
        &self,
        said: &[String],
        list: &List<'_>,
        cells: &dyn Fn(&Entry<'_>, Way) -> Vec<String>,
    ) -> String {
        let names: Vec<String> = list.iter().map(|entry| self.name(&entry)).collect();
        let title = self.by.names();
        let widest = names.iter().map(|name| name.width()).max().unwrap_or(0).max(title.width());
        let numbers = self.titles.len() * (CELL_CHARS + 1);
        let room =
            self.style.columns.map_or(usize::MAX, |columns| columns.saturating_sub(numbers + FRAME_CHARS));
        let chars = widest.min(room.max(NAME_MIN_CHARS));
        let rule = "-".repeat(chars + numbers + FRAME_CHARS);
        let mut out = said.iter().fold(String::new(), |text, line| text + line + "\n");
        let titles = self.titles.iter().map(|&title| title.to_owned()).collect::<Vec<_>>();
        let _ = writeln!(out, "{rule}");
        line(&mut out, "   #", &fitted(&title, chars), "  ", &titles);
        let _ = writeln!(out, "{rule}");
        for (index, (entry, name)) in list.iter().zip(&names).enumerate() {
            if entry.kind == Kind::Total {
                let _ = writeln!(out, "{rule}");
            }
            let number = match entry.kind {
                Kind::Row => format!("{:>4}", index + 1),
                // The rows have so much more than the total.
                Kind::LocalTwice => "   -".to_owned(),
                _ => " ".repeat(4),
            };
            line(&mut out, &number, &fitted(name, chars), Way::Tx.arrow(), &cells(&entry, Way::Tx));
            line(&mut out, "    ", &fitted("", chars), Way::Rx.arrow(), &cells(&entry, Way::Rx));
            if entry.kind == Kind::Total {
                line(&mut out, "    ", &fitted("", chars), Way::Sum.arrow(), &cells(&entry, Way::Sum));
            }
        }
        out
    }

    fn name(&self, entry: &Entry<'_>) -> String {
        let title = |row| fields::title(self.by, row, self.hosts > 1);
        entry.row.map_or_else(|| entry.title(), title)
    }
}

/// A name in exactly so many columns.
fn fitted(name: &str, chars: usize) -> String {
    let cut = cut_middle(name, chars, true);
    let blanks = " ".repeat(chars.saturating_sub(cut.width()));
    cut + &blanks
}

fn line(out: &mut String, number: &str, name: &str, arrow: &str, cells: &[String]) {
    let start = out.len();
    // Writing to a string does not fail.
    let _ = write!(out, "{number} {name} {arrow}");
    for cell in cells {
        let _ = write!(out, " {cell:>CELL_CHARS$}");
    }
    let end = out[start..].trim_end().len();
    out.truncate(start + end);
    out.push('\n');
}
