//! Plan of a report: the records of a period, and the order in which they are read and counted.
//!
//! Records of all hosts are counted in the order in which they end. Each is read as soon as one that it may have some time
//! in common with is counted, so that a connection which two hosts have recorded is recognised before it is counted. Of
//! each life of a host at most one record has been read and not counted.

use std::collections::BTreeSet;

use super::Period;
use super::intervals::{Interval, Intervals, by_end};
use flowtop_core::record::{Host, Record, Span};

/// Something of which host and time are known: a record, or the place of one.
pub trait Headed {
    fn host(&self) -> &Host;
    fn span(&self) -> &Span;
}

impl Headed for Record {
    fn host(&self) -> &Host {
        &self.host
    }

    fn span(&self) -> &Span {
        &self.span
    }
}

/// Which windows of a machine belong to the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rule {
    /// Windows whose middle is in the period.
    #[default]
    Middle,
    /// Those that have some time in common with it: its windows are longer than the period.
    Overlap,
}

/// A machine with all of its lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    pub name: String,
    pub id: [u8; 16],
    /// From the start of its first record to the end of its last one, also outside the period.
    pub recorded: Interval,
    /// How many records belong to the period.
    pub inside: u64,
    /// Time of the period that is in no window but one that does not belong to it.
    pub left_out_us: u64,
    rule: Rule,
}

/// A machine from one boot to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub machine: usize,
    /// The numbers of its records that are read, in order.
    places: Vec<u32>,
}

/// The records to read for a period, and in which order.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) period: Period,
    pub(super) machines: Vec<Machine>,
    pub(super) lives: Vec<Life>,
}

impl Plan {
    /// The plan for a period. The records are sorted: those of a machine are together, and those of each of its lives in
    /// the order of the monotonic clock.
    #[must_use]
    pub fn new<H: Headed>(heads: &[H], period: Period) -> Self {
        let mut plan = Self { period, machines: Vec::new(), lives: Vec::new() };
        let mut place = 0;
        for of_machine in heads.chunk_by(|a, b| are_one_machine(a.host(), b.host())) {
            let machine = Machine::of(of_machine, &period);
            for of_life in of_machine.chunk_by(|a, b| a.host() == b.host()) {
                let places = machine.wanted(of_life, &period).map(|wanted| number(place + wanted)).collect();
                plan.lives.push(Life { machine: plan.machines.len(), places });
                place += of_life.len();
            }
            plan.machines.push(machine);
        }
        plan
    }

    /// Whether a record of this machine belongs to the period.
    pub(super) fn holds(&self, machine: usize, span: &Span) -> bool {
        self.machines[machine].holds(&self.period, span)
    }

    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// The numbers of the records that belong to the period.
    pub fn inside<'a, H: Headed>(&'a self, heads: &'a [H]) -> impl Iterator<Item = usize> + 'a {
        self.lives.iter().flat_map(move |life| {
            let places = life.places.iter().map(|place| *place as usize);
            places.filter(|place| self.holds(life.machine, heads[*place].span()))
        })
    }

    /// Whether no record belongs to the period.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lives.iter().all(|life| life.places.is_empty())
    }

    /// The order in which these records are read and lives ended.
    pub fn turns<'a, H: Headed>(&'a self, heads: &'a [H]) -> Turns<'a, H> {
        let lives = self.lives.len();
        let mut turns = Turns {
            heads,
            lives: &self.lives,
            cursors: vec![0; lives],
            from_us: vec![i64::MAX; lives],
            by_end: BTreeSet::new(),
            by_start: BTreeSet::new(),
            unread: BTreeSet::new(),
        };
        for life in 0..lives {
            turns.enter(life, None);
        }
        turns
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("an index of that many does not fit into memory")
}

fn are_one_machine(a: &Host, b: &Host) -> bool {
    a.machine_id == b.machine_id && a.name == b.name
}

impl Machine {
    fn of<H: Headed>(heads: &[H], period: &Period) -> Self {
        let Host { name, machine_id, .. } = heads[0].host();
        let spans = || heads.iter().map(Headed::span);
        let recorded = Interval {
            start_us: spans().map(Span::began_us).min().unwrap_or_default(),
            end_us: spans().map(|span| span.end_us).max().unwrap_or_default(),
        };
        let has_middle = spans().any(|span| period.holds(span));
        let rule = if has_middle { Rule::Middle } else { Rule::Overlap };
        let mut machine = Self { name: name.clone(), id: *machine_id, recorded, rule, ..Self::default() };
        let (mut counted, mut all) = (Intervals::default(), Intervals::default());
        for span in spans() {
            let window = by_end(span);
            if machine.holds(period, span) {
                machine.inside += 1;
                counted.add(window);
                all.add(window);
            } else if period.interval().overlaps(window) {
                all.add(window);
            }
        }
        let covered_us = |intervals: &Intervals| intervals.covered_us(period.interval());
        machine.left_out_us = covered_us(&all).saturating_sub(covered_us(&counted));
        machine
    }

    fn holds(&self, period: &Period, span: &Span) -> bool {
        match self.rule {
            Rule::Middle => period.holds(span),
            Rule::Overlap => period.interval().overlaps(by_end(span)),
        }
    }

    /// The records of the period, and the one beside it on either side.
    fn wanted<'a, H: Headed>(
        &'a self,
        life: &'a [H],
        period: &'a Period,
    ) -> impl Iterator<Item = usize> + 'a {
        let is_inside = |place: usize| life.get(place).is_some_and(|at| self.holds(period, at.span()));
        let is_wanted = move |place: &usize| {
            is_inside(*place) || is_inside(*place + 1) || is_inside(place.wrapping_sub(1))
        };
        (0..life.len()).filter(is_wanted)
    }
}

/// Next step of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Read a record.
    Read {
        life: usize,
        /// Number of the record.
        place: usize,
    },
    /// The record that has been read of a life is counted.
    Count {
        life: usize,
        /// No record that is counted later has time before this, in µs since 1970 UTC, unless a clock was set.
        low_us: i64,
        /// Whether there is none behind it.
        is_last: bool,
    },
}

#[derive(Debug)]
pub struct Turns<'a, H> {
    heads: &'a [H],
    lives: &'a [Life],
    /// How many records of each life have been counted.
    cursors: Vec<usize>,
    /// Where the next record of each life begins, or the gap before it.
    from_us: Vec<i64>,
    /// Lives by the end of their next record.
    by_end: BTreeSet<(i64, usize)>,
    /// Lives by the start of their next record.
    by_start: BTreeSet<(i64, usize)>,
    /// Those of them of which it has not been read.
    unread: BTreeSet<(i64, usize)>,
}

impl<H: Headed> Turns<'_, H> {
    /// Puts the next record of a life into the order; `before` is the one that has been counted.
    fn enter(&mut self, life: usize, before: Option<usize>) {
        let Some(place) = self.lives[life].places.get(self.cursors[life]) else { return };
        let span = self.heads[*place as usize].span();
        let from_us = from_us(before.map(|before| self.heads[before].span()), span);
        self.from_us[life] = from_us;
        self.by_end.insert((span.end_us, life));
        self.by_start.insert((from_us, life));
        self.unread.insert((from_us, life));
    }

    fn place(&self, life: usize) -> usize {
        self.lives[life].places[self.cursors[life]] as usize
    }

    /// The life whose next record has to be read before one that ends then is counted.
    fn to_read(&self, end_us: i64, life: usize) -> Option<usize> {
        let earliest = self.unread.first().filter(|(from_us, _)| *from_us < end_us).map(|(_, life)| *life);
        earliest.or_else(|| self.unread.contains(&(self.from_us[life], life)).then_some(life))
    }
}

impl<H: Headed> Iterator for Turns<'_, H> {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        let (end_us, life) = *self.by_end.first()?;
        if let Some(life) = self.to_read(end_us, life) {
            self.unread.remove(&(self.from_us[life], life));
            return Some(Turn::Read { life, place: self.place(life) });
        }
        let counted = self.place(life);
        self.by_end.remove(&(end_us, life));
        self.by_start.remove(&(self.from_us[life], life));
        self.cursors[life] += 1;
        self.enter(life, Some(counted));
        let low_us = self.by_start.first().map_or(i64::MAX, |(from_us, _)| *from_us);
        let is_last = self.cursors[life] == self.lives[life].places.len();
        Some(Turn::Count { life, low_us, is_last })
    }
}

/// The first moment that a record says something of: the start of its window, or of the gap before it.
fn from_us(before: Option<&Span>, span: &Span) -> i64 {
    let start_us = by_end(span).start_us.min(span.began_us());
    let gap_ns = before.map_or(0, |before| span.start_ns.saturating_sub(before.end_ns));
    start_us.saturating_sub(i64::try_from(gap_ns / 1000).unwrap_or(i64::MAX))
}
