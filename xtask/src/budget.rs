//! How long the steps of `cargo xtask test` may take on a quiet machine with two processors. A step over its budget is
//! flagged and does not fail: other machines are slower, and a busy one is no fault of the change.

use std::time::Duration;

/// Minutes for each step, in the order in which they run.
const MINUTES: &[(&str, f64)] = &[
    ("setup", 0.5),
    ("format", 0.1),
    ("clippy", 1.5),
    ("clippy of the kernel side", 0.4),
    ("cargo test", 5.5),
    ("live, this kernel", 2.0),
    ("rebuild of the object", 1.0),
    ("live, events and passes", 4.0),
    ("live, kernel ladder", 50.0),
];

/// The budget of a step; `None` for one that has none.
pub fn of_step(name: &str) -> Option<Duration> {
    let (_, minutes) = MINUTES.iter().find(|(step, _)| *step == name)?;
    Some(Duration::from_secs_f64(minutes * 60.0))
}

/// Minutes taken beside those of the budget, with a flag behind them if they are more: `12.3 of 10.0 min  OVER BUDGET`.
pub fn minutes(taken: Duration, budget: Duration) -> String {
    let of = |time: Duration| time.as_secs_f64() / 60.0;
    let flag = if taken > budget { "  OVER BUDGET" } else { "" };
    format!("{:>5.1} of {:>4.1} min{flag}", of(taken), of(budget))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_takes_longer_than_its_budget_is_flagged() {
        let of = |taken_s| minutes(Duration::from_secs(taken_s), Duration::from_secs(330));
        assert_eq!(of(330), "  5.5 of  5.5 min");
        assert_eq!(of(331), "  5.5 of  5.5 min  OVER BUDGET");
        assert_eq!(of(738), " 12.3 of  5.5 min  OVER BUDGET");
    }
}
