//! What is told of a firing: as a line, and as variables for a command.

use super::condition::Condition;
use super::trigger::{Firing, Trigger};
use crate::core::column::Who;
use crate::core::group::Group;
use crate::core::ledger::Ledger;
use crate::core::number::{Unit, number};
use crate::core::rows::key::{Cell, Grouped, RowKey};
use crate::core::rows::sums::Sums;
use crate::core::window::Window;

/// What has come about, and who moves most of it.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// What was watched for.
    pub when: String,
    /// How often that has come about.
    pub number: u64,
    /// What was measured on average, in bits per second.
    pub bits_per_s: f64,
    /// The process that moves most, over the last 10 s: its id, and its name.
    pub process: (Option<u32>, Option<String>),
    /// The remote address that most is exchanged with, likewise.
    pub peer: Option<String>,
}

impl News {
    /// What there is to say of a firing on the traffic of this ledger.
    #[must_use]
    pub fn of(condition: &Condition, firing: &Firing, ledger: &Ledger, who: Who<'_>) -> Self {
        let process = match busiest("process", condition, ledger, who) {
            Some(Cell::Process(pid, name)) => (pid, name.map(|name| name.to_string())),
            _ => (None, None),
        };
        let peer = match busiest("peer", condition, ledger, who) {
            Some(Cell::Address(address)) => Some(address.to_string()),
            _ => None,
        };
        let bits_per_s = firing.bits_per_s(condition);
        Self { when: condition.to_string(), number: firing.number, bits_per_s, process, peer }
    }

    /// One line.
    #[must_use]
    pub fn line(&self) -> String {
        let rate = number(self.bits_per_s / 8.0, Unit::Bits);
        let process = match &self.process {
            (Some(pid), Some(name)) => format!(", most of it {name}[{pid}]"),
            (_, Some(name)) => format!(", most of it {name}"),
            _ => String::new(),
        };
        let peer = self.peer.as_ref().map_or(String::new(), |peer| format!(", most of it with {peer}"));
        format!("{}: {rate}/s, time {}{process}{peer}", self.when, self.number)
    }

    /// Variables for the environment of a command. What is not known is empty.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 6] {
        let (pid, name) = &self.process;
        [
            ("FLOWTOP_WHEN", self.when.clone()),
            ("FLOWTOP_NUMBER", self.number.to_string()),
            ("FLOWTOP_RATE", format!("{:.0}", self.bits_per_s)),
            ("FLOWTOP_PROCESS", name.clone().unwrap_or_default()),
            ("FLOWTOP_PID", pid.map_or(String::new(), |pid| pid.to_string())),
            ("FLOWTOP_PEER", self.peer.clone().unwrap_or_default()),
        ]
    }
}

/// How it went, at the end of a run.
#[must_use]
pub fn summary(trigger: &Trigger, elapsed_s: f64) -> String {
    let times = match trigger.fired() {
        0 => "never fired".to_owned(),
        1 => "fired once".to_owned(),
        times => format!("fired {times} times"),
    };
    let held_s = trigger.held().as_secs_f64();
    format!("{times} in {elapsed_s:.0} s, in which the condition held for {held_s:.0} s")
}

/// What the connections have in common that have moved most in the last 10 s.
fn busiest(by: &str, condition: &Condition, ledger: &Ledger, who: Who<'_>) -> Option<Cell> {
    let grouped = Grouped { by: Group::parse(by).ok()?, ..Grouped::default() };
    let sums = Sums::of(ledger, grouped, who);
    let moved = |(key, sum): &(&RowKey, crate::core::rows::sums::Sum)| {
        (condition.measure.of(sum.rates.bytes(Window::S10)), (*key).clone())
    };
    let most = sums.groups().filter(|row| moved(row).0 > 0).max_by_key(moved)?;
    most.0.cells().first().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::filter::Filter;
    use crate::core::fixture::{CONNECTED, flow, key, ledger_of, sample};
    use crate::core::watch::condition::{Bound, Measure};
    use crate::core::watch::trigger::Interval;
    use crate::core::window::Bytes;
    use flowtop_common::Flow;
    use std::time::Duration;

    fn condition(measure: Measure) -> Condition {
        let held_for = Duration::from_secs(2);
        Condition { measure, bound: Bound::Above, bits_per_s: 8 << 10, held_for, filter: None }
    }

    /// `a` sends most, `b` receives most.
    fn traffic() -> Ledger {
        let of = |pid, name: &[u8; 1], tx, rx| {
            let mut comm = [0; 16];
            comm[..1].copy_from_slice(name);
            Flow { pid, comm, ..flow(CONNECTED, tx, rx) }
        };
        let keys = [("192.0.2.1:40000", "198.51.100.7:443"), ("192.0.2.1:40001", "203.0.113.9:443")];
        let keys = keys.map(|(local, remote)| key(1, local, remote, 1));
        let flows = |s: u64| [(keys[0], of(7, b"a", 2000 * s, s)), (keys[1], of(8, b"b", 100 * s, 900 * s))];
        ledger_of(&[sample(1, &flows(1)), sample(2, &flows(2))])
    }

    fn news(measure: Measure) -> News {
        let run = Interval { from_ns: 0, to_ns: 2_000_000_000, bytes: Bytes { tx: 4200, rx: 1802 } };
        News::of(&condition(measure), &Firing { number: 3, run }, &traffic(), Who::nobody())
    }

    #[test]
    fn it_names_who_moves_most_in_the_direction_that_is_watched() {
        let sent = news(Measure::Tx);
        assert_eq!(
            sent.line(),
            "tx > 8K for 2s: 16.4Kb/s, time 3, most of it a[7], most of it with 198.51.100.7"
        );
        let received = news(Measure::Rx);
        assert_eq!(
            (received.process, received.peer.as_deref()),
            ((Some(8), Some("b".to_owned())), Some("203.0.113.9"))
        );
    }

    #[test]
    fn a_command_gets_it_as_variables_and_nothing_for_what_is_not_known() {
        let of = |news: &News| news.variables().map(|(name, value)| format!("{name}={value}"));
        let expected = [
            "FLOWTOP_WHEN=tx > 8K for 2s",
            "FLOWTOP_NUMBER=3",
            "FLOWTOP_RATE=16800",
            "FLOWTOP_PROCESS=a",
            "FLOWTOP_PID=7",
            "FLOWTOP_PEER=198.51.100.7",
        ];
        assert_eq!(of(&news(Measure::Tx)), expected);
        let run = Interval { from_ns: 0, to_ns: 1, bytes: Bytes::default() };
        let nobody =
            News::of(&condition(Measure::Tx), &Firing { number: 1, run }, &ledger_of(&[]), Who::nobody());
        assert_eq!(of(&nobody)[3..], ["FLOWTOP_PROCESS=", "FLOWTOP_PID=", "FLOWTOP_PEER="]);
    }

    #[test]
    fn the_summary_says_how_often() {
        let mut trigger = Trigger::new(condition(Measure::Tx), Duration::from_secs(1));
        assert_eq!(summary(&trigger, 9.4), "never fired in 9 s, in which the condition held for 0 s");
        for s in 0..8 {
            let [from_ns, to_ns] = [s, s + 1].map(|s| s * 1_000_000_000);
            trigger.take(Interval { from_ns, to_ns, bytes: Bytes { tx: 5000, rx: 0 } });
        }
        assert_eq!(summary(&trigger, 8.0), "fired 3 times in 8 s, in which the condition held for 8 s");
        assert_eq!(trigger.condition().filter, None::<Filter>);
    }
}
