//! The scale of the bars: its end, linear or logarithmic, its labels, and how long a bar is.

use flowtop_core::number::{Unit, number, thousands};

/// Ends of the automatic scale, in bits (packets) per second.
const STEPS: [f64; 11] = [64e3, 128e3, 256e3, 1e6, 10e6, 100e6, 1e9, 10e9, 100e9, 1e12, 10e12];

/// A logarithmic scale above this has a label at every hundredfold only.
const WIDE: f64 = 100e6;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Rate of a full bar, in bits (packets) per second.
    pub max: f64,
    /// Whether the end is set and does not follow the traffic.
    pub is_fixed: bool,
    /// Whether equal lengths are equal factors.
    pub is_log: bool,
}

impl Scale {
    /// A scale up to a rate in bits per second, or an automatic one.
    #[must_use]
    pub fn new(fixed_bits: Option<u64>, is_log: bool) -> Self {
        let max = fixed_bits.filter(|bits| *bits > 1).map(|bits| bits as f64);
        Self { max: max.unwrap_or(STEPS[0]), is_fixed: max.is_some(), is_log }
    }

    /// Makes room for a rate. An automatic scale only grows, so that bars do not jump.
    pub fn admit(&mut self, rate: f64) {
        if !self.is_fixed && rate > self.max {
            self.max = STEPS.into_iter().find(|step| *step >= rate).unwrap_or(rate);
        }
    }

    /// How much of the whole length a rate takes, 0 to 1.
    #[must_use]
    pub fn ratio(&self, rate: f64) -> f64 {
        let ratio = if self.is_log { rate.max(1.0).ln() / self.max.ln() } else { rate / self.max };
        ratio.clamp(0.0, 1.0)
    }

    /// Labels with the places of their marks, 0 to 1, in the unit of the view.
    #[must_use]
    pub fn labels(&self, unit: Unit) -> Vec<(f64, String)> {
        let in_unit = |rate: f64| if unit == Unit::Packets { rate } else { rate / 8.0 };
        if !self.is_log {
            let fifth = |n: i32| f64::from(n) / 5.0;
            return (1..=5).map(|n| (fifth(n), number(in_unit(self.max * fifth(n)), unit))).collect();
        }
        let factor = if self.max > WIDE { 100.0 } else { 10.0 };
        let marks = std::iter::successors(Some(10.0), |mark| Some(mark * factor));
        let marks = marks.take_while(|mark| *mark <= self.max * 1.000_001);
        marks.map(|mark| (self.ratio(mark), thousands(mark, unit))).collect()
    }
}

/// The rate of a scale for a rate of the ledger: bits for bytes, packets for packets.
#[must_use]
pub fn on_scale(per_s: f64, unit: Unit) -> f64 {
    if unit == Unit::Packets { per_s } else { per_s * 8.0 }
}

/// Length of a bar in eighths of a column. A rate above zero shows at least one.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 8 * u16::MAX")]
pub fn eighths(ratio: f64, columns: u16) -> u32 {
    let exact = ratio.clamp(0.0, 1.0) * f64::from(columns) * 8.0;
    let rounded = exact.round() as u32;
    if ratio > 0.0 { rounded.max(1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(scale: Scale, unit: Unit) -> Vec<String> {
        scale.labels(unit).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn labels_are_iftops() {
        let scale = |max, is_log| Scale { max, is_fixed: false, is_log };
        assert_eq!(
            texts(scale(100e6, false), Unit::Bits),
            ["19.1Mb", "38.1Mb", "57.2Mb", "76.3Mb", "95.4Mb"]
        );
        assert_eq!(
            texts(scale(100e6, true), Unit::Bits),
            ["10b", "100b", "1.00Kb", "10.0Kb", "100Kb", "1.00Mb", "10.0Mb", "100Mb"]
        );
        assert_eq!(texts(scale(1e9, true), Unit::Bits), ["10b", "1.00Kb", "100Kb", "10.0Mb", "1.00Gb"]);
    }

    #[test]
    fn an_automatic_scale_grows_to_the_next_step_and_stays() {
        let mut scale = Scale::new(None, false);
        scale.admit(2.3e6);
        assert!((scale.max - 10e6).abs() < 1.0);
        scale.admit(1.0);
        assert!((scale.max - 10e6).abs() < 1.0);
        let mut fixed = Scale::new(Some(1000), false);
        fixed.admit(1e9);
        assert!((fixed.max - 1000.0).abs() < 1.0);
    }

    #[test]
    fn a_bar_has_eighths() {
        assert_eq!([0.0, 1e-9, 0.5, 1.0].map(|ratio| eighths(ratio, 10)), [0, 1, 40, 80]);
    }

    proptest! {
        #[test]
        fn bars_stay_on_the_screen_and_grow_with_the_rate(a in 0.0..1e13_f64, b in 0.0..1e13_f64, is_log: bool) {
            let mut scale = Scale::new(None, is_log);
            scale.admit(a.max(b));
            let [low, high] = [a.min(b), a.max(b)].map(|rate| scale.ratio(rate));
            prop_assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0);
            prop_assert!(eighths(high, 300) <= 2400);
        }
    }
}
