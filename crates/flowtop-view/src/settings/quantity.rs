//! Settings that are numbers, each with its range and with what iftop makes of a wrong text.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::value::{Value, ValueError};
use flowtop_core::quantity;
use flowtop_recording::span;

/// The number, if it is one in the range.
fn within<T: std::str::FromStr + PartialOrd>(text: &str, range: &RangeInclusive<T>) -> Option<T> {
    // `parse` takes a plus sign, which no one means.
    text.parse().ok().filter(|number| range.contains(number) && !text.starts_with('+'))
}

/// C's `atoi`: blanks, a sign, digits, and no care for what follows. No digits are 0; what is too large is as large as
/// it can be.
fn atoi(text: &str) -> i64 {
    let text = text.trim_ascii_start();
    let (sign, digits) =
        text.strip_prefix('-').map_or((1, text.strip_prefix('+').unwrap_or(text)), |d| (-1, d));
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    sign * digits.fold(0_i64, |n, digit| n.saturating_mul(10).saturating_add(i64::from(digit - b'0')))
}

/// A time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub u32);

impl Value for Seconds {
    fn parse(text: &str) -> Result<Self, ValueError> {
        let whole = |time: &Duration| time.subsec_nanos() == 0;
        let with_units = || span::with_units(text).filter(whole)?.as_secs().try_into().ok();
        within(text, &(0..=u32::MAX)).or_else(with_units).map(Self).ok_or(ValueError::Seconds)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    /// A negative number ends iftop at its first tick.
    fn as_iftop(text: &str) -> Option<Self> {
        match atoi(text) {
            ..0 => Some(Self(1)),
            seconds => Some(Self(u32::try_from(seconds).unwrap_or(u32::MAX))),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    All,
    Rows(usize),
}

impl Value for Limit {
    fn parse(text: &str) -> Result<Self, ValueError> {
        match within(text, &(0..=usize::MAX)) {
            Some(0) => Ok(Self::All),
            Some(rows) => Ok(Self::Rows(rows)),
            None => Err(ValueError::Rows),
        }
    }

    /// No rows, which only a lenient reading yields, are written as that reading takes them.
    fn show(&self) -> String {
        match self {
            Self::All => "0".to_owned(),
            Self::Rows(0) => "-1".to_owned(),
            Self::Rows(rows) => rows.to_string(),
        }
    }

    /// iftop's reading: a text that is no number, or a negative one, shows no rows.
    fn as_iftop(text: &str) -> Option<Self> {
        Some(Self::Rows(usize::try_from(atoi(text)).unwrap_or(0)))
    }
}

/// A rate in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitsPerSecond(pub u64);

impl Value for BitsPerSecond {
    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(Self(quantity::parse(text, quantity::Measure::BitsPerSecond)?))
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn warning(text: &str, _directive: &str) -> Option<String> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_unit = unit.is_empty() || matches!(unit, "b" | "B" | "k" | "K" | "m" | "M" | "g" | "G");
        Some(if is_unit {
            "Error reading rate: ".to_owned()
        } else {
            format!("Invalid units in value: {text}")
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Duration);

impl Interval {
    /// The default of iftop.
    pub const DEFAULT: Self = Self(Duration::from_secs(2));
}

impl Value for Interval {
    fn parse(text: &str) -> Result<Self, ValueError> {
        let seconds = within(text, &(0.1..=86_400.0)).map(Duration::from_secs_f64);
        let fits = |time: &Duration| (Duration::from_millis(100)..=Duration::from_hours(24)).contains(time);
        let time = seconds.or_else(|| span::with_units(text).filter(fits));
        time.map(Self).ok_or(ValueError::Interval)
    }

    fn show(&self) -> String {
        self.0.as_secs_f64().to_string()
    }
}

/// Most entries that the kernel's table may have.
pub(super) const MAX_FLOW_COUNT: u32 = 1 << 24;

/// How many connections are counted one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowCount(pub u32);

impl FlowCount {
    /// About 40 MiB of kernel memory.
    pub const DEFAULT: Self = Self(1 << 17);
}

impl Value for FlowCount {
    fn parse(text: &str) -> Result<Self, ValueError> {
        within(text, &(1..=MAX_FLOW_COUNT)).map(Self).ok_or(ValueError::FlowCount)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}
