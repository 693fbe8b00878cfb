//! The layout of a screen of a given size, for drawing and for the mouse.
//!
//! ```text
//! flowtop web-1 · fentry · 12 of 12 flows                    15:04:05   header
//!             19.1Mb            38.1Mb            57.2Mb         76.3   scale, from 14 lines on
//! └─────────────────┴─────────────────┴─────────────────┴───────────
//! source               destination              2s      10s     40s    heads, from 16 lines on
//! 192.0.2.1         => 198.51.100.7          1.2Mb   1.1Mb   0.9Mb    rows
//!                   <=                       120Kb   110Kb    90Kb
//! ──────────────────────────────────────────────────────────────────
//! TX:    cum: 83.3MB  peak: 183Mb     rates:    183Mb   167Mb   167Mb   footer
//! RX:    …
//! TOTAL: …
//! hidden by filter …                                        extra lines, as many as there are
//! stopped  2026-11-20 08:03:00 +01:00  means over 60 s  record 4 of 52  time bar of a replay
//! 07:00 ━━━━━━━━━━━●━━━━━━━┄┄┄━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 09:00   from 16 lines on
//! ```

use std::ops::Range;

use flowtop_core::view::Sort;
use flowtop_core::window::Window;

/// Below this there is only a hint.
pub const MIN: (u16, u16) = (30, 8);

pub const CELL: u16 = 8;
pub const ARROW: u16 = 4;
/// Columns that text takes at most: on a wider screen names and numbers would be too far apart to be read as one line.
const MAX_TEXT: u16 = 180;
/// Columns of a host at most.
const MAX_HOST: u16 = 60;
/// Columns of a host below which two of the three rates give way.
const MIN_HOST: u16 = 9;
/// Width from which on there is a column for the process, and its columns.
const OWNER_FROM: u16 = 110;
const OWNER: u16 = 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part of the screen that is there or not")]
pub struct Parts {
    /// Columns and lines of the screen.
    pub size: (u16, u16),
    pub bars: bool,
    /// Whether there is a cumulative column.
    pub totals: bool,
    /// Number of lines below the totals.
    pub extra_lines: u16,
    /// Whether the pane about a row is open.
    pub detail: bool,
    /// Whether there is a time bar.
    pub bar: bool,
    /// The rate that stays where there is room for one.
    pub window: Window,
}

/// Where the columns of a row stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    pub host: u16,
    /// First column of the right host.
    pub destination: u16,
    /// Columns of the process, if there is room.
    pub owner: Option<Range<u16>>,
    /// First column of the cumulative number.
    pub totals: Option<u16>,
    /// First column of each rate.
    pub rates: Vec<(Window, u16)>,
    /// First column that no text is in.
    pub end: u16,
}

/// Where the parts stand; lines from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns and lines of the screen.
    pub size: (u16, u16),
    /// Labels of the scale; the rule is below.
    pub scale: Option<u16>,
    pub rule: u16,
    /// Line of the column heads.
    pub heads: Option<u16>,
    pub rows: Range<u16>,
    pub detail: Option<Range<u16>>,
    pub footer_rule: u16,
    pub totals: Range<u16>,
    /// Sums beside what is shown, as what is hidden.
    pub extra_lines: Range<u16>,
    /// Caption of a record, and its place among the others where there is room.
    pub bar: Range<u16>,
    pub columns: Columns,
}

impl Layout {
    /// The layout, `None` where the screen is too small for one.
    #[must_use]
    pub fn new(parts: &Parts) -> Option<Self> {
        let (width, height) = parts.size;
        if width < MIN.0 || height < MIN.1 {
            return None;
        }
        let scale = (parts.bars && height >= 14).then_some(1);
        let rule = 1 + u16::from(scale.is_some());
        let heads = (height >= 16).then_some(rule + 1);
        let top = rule + 1 + u16::from(heads.is_some());
        let bar_lines = if parts.bar { 1 + u16::from(height >= 16) } else { 0 };
        let bar = height - bar_lines..height;
        // A row is worth more than any of them.
        let extra_lines = bar.start - parts.extra_lines.min((bar.start - top).saturating_sub(6))..bar.start;
        let totals = extra_lines.start - 3..extra_lines.start;
        let footer_rule = totals.start - 1;
        let (rows, detail) = share(top..footer_rule, parts.detail);
        let columns = columns(parts);
        Some(Self {
            size: parts.size,
            scale,
            rule,
            heads,
            rows,
            detail,
            footer_rule,
            totals,
            extra_lines,
            bar,
            columns,
        })
    }

    /// How many rows of so many lines are on the screen.
    #[must_use]
    pub fn visible(&self, lines: u16) -> usize {
        usize::from((self.rows.len() / usize::from(lines.max(1))).try_into().unwrap_or(u16::MAX))
    }

    /// Order that a click on a column head chooses.
    #[must_use]
    pub fn sort_at(&self, column: u16, line: u16) -> Option<Sort> {
        let columns = &self.columns;
        if self.heads != Some(line) || column >= columns.end {
            return None;
        }
        let rate = columns.rates.iter().find(|(_, x)| (*x..x + CELL).contains(&column));
        if let Some((window, _)) = rate {
            return Some(match window {
                Window::S2 => Sort::Last2s,
                Window::S10 => Sort::Last10s,
                Window::S40 => Sort::Last40s,
            });
        }
        let destination = columns.destination..columns.destination + columns.host;
        if column < columns.host {
            Some(Sort::Source)
        } else {
            destination.contains(&column).then_some(Sort::Destination)
        }
    }

    /// Which of the visible rows is on a line.
    #[must_use]
    pub fn row_at(&self, line: u16, lines: u16) -> Option<usize> {
        let at = self.rows.contains(&line).then(|| (line - self.rows.start) / lines.max(1))?;
        Some(usize::from(at)).filter(|at| *at < self.visible(lines))
    }
}

/// The pane takes the lower half of the lines between head and footer, and all of them where half is too little.
fn share(lines: Range<u16>, has_detail: bool) -> (Range<u16>, Option<Range<u16>>) {
    const ENOUGH: u16 = 10;
    let n = lines.end - lines.start;
    if !has_detail {
        return (lines, None);
    }
    let pane = if n >= ENOUGH + 4 { (n / 2).clamp(ENOUGH, 20) } else { n };
    let border = lines.end - pane;
    (lines.start..border, Some(border..lines.end))
}

fn columns(parts: &Parts) -> Columns {
    let end = parts.size.0.min(MAX_TEXT);
    let has_owner = end >= OWNER_FROM;
    let owner = if has_owner { OWNER + 2 } else { 0 };
    let host = |cells: u16| (end - owner).saturating_sub(ARROW + CELL * cells) / 2;
    let all = Window::ALL.len().try_into().unwrap_or(u16::MAX);
    let has_all = host(all + u16::from(parts.totals)) >= MIN_HOST;
    let windows = if has_all { Window::ALL.to_vec() } else { vec![parts.window] };
    let n = if has_all { all } else { 1 };
    let totals = parts.totals && host(n + 1) >= MIN_HOST;
    let host = host(n + u16::from(totals)).min(MAX_HOST);
    let first = end - CELL * n;
    let rates = windows.into_iter().zip((first..).step_by(CELL.into()));
    let destination = host + ARROW;
    let owner_at = destination + host + 1;
    Columns {
        host,
        destination,
        owner: has_owner.then_some(owner_at..owner_at + OWNER),
        totals: totals.then(|| first - CELL),
        rates: rates.collect(),
        end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(width: u16, height: u16) -> Parts {
        Parts { size: (width, height), bars: true, ..Parts::default() }
    }

    #[test]
    fn columns_are_iftops() {
        let layout = Layout::new(&parts(90, 24)).unwrap();
        assert_eq!(layout.columns.host, (90 - 28) / 2);
        assert_eq!(layout.columns.rates.iter().map(|(_, x)| *x).collect::<Vec<_>>(), [66, 74, 82]);
        let with_totals = Layout::new(&Parts { totals: true, ..parts(90, 24) }).unwrap();
        assert_eq!((with_totals.columns.host, with_totals.columns.totals), ((90 - 28) / 2 - 4, Some(58)));
        assert_eq!((layout.rule, layout.rows.end, layout.totals.clone()), (2, 20, 21..24));
    }

    #[test]
    fn a_click_on_a_head_sorts() {
        let layout = Layout::new(&parts(90, 24)).unwrap();
        let at = |column| layout.sort_at(column, 3);
        assert_eq!(
            [0, 40, 66, 81, 89].map(at),
            [Sort::Source, Sort::Destination, Sort::Last2s, Sort::Last10s, Sort::Last40s].map(Some)
        );
        assert_eq!((at(32), at(90), layout.sort_at(0, 4)), (None, None, None));
    }

    proptest! {
        #[test]
        fn nothing_overlaps_and_nothing_is_outside(
            width in 0..400_u16, height in 0..120_u16, bars: bool, totals: bool, extra_lines in 0..4_u16, detail: bool, bar: bool,
        ) {
            let parts = Parts { bars, totals, extra_lines, detail, bar, ..parts(width, height) };
            let Some(layout) = Layout::new(&parts) else {
                prop_assert!(width < MIN.0 || height < MIN.1);
                return Ok(());
            };
            prop_assert!(layout.rule < layout.rows.start && layout.rows.start <= layout.rows.end);
            let middle = layout.detail.clone().map_or(layout.rows.end, |pane| pane.end);
            prop_assert!(middle == layout.footer_rule && layout.totals.end <= height);
            prop_assert!(layout.extra_lines == (layout.totals.end..layout.bar.start) && layout.extra_lines.len() <= extra_lines.into());
            prop_assert!(detail || !layout.rows.is_empty());
            prop_assert!(layout.bar.end == height);
            prop_assert_eq!(layout.bar.is_empty(), !bar);
            let columns = &layout.columns;
            let right = columns.totals.unwrap_or(columns.rates[0].1);
            let left = columns.owner.clone().map_or(columns.destination + columns.host, |owner| owner.end);
            prop_assert!(left <= right && columns.end <= width, "{:?}", columns);
            prop_assert!(columns.rates.last().unwrap().1 + CELL == columns.end);
        }
    }
}
