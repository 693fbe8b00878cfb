//! Alerts: a firing as a line, and as environment variables for a command.

use std::time::Duration;

use super::condition::Condition;
use super::trigger::{Firing, Trigger};
use flowtop_core::group::Group;
use flowtop_core::ledger::Ledger;
use flowtop_core::number::{Unit, number};
use flowtop_core::rows::key::{Cell, Grouped, RowKey};
use flowtop_core::rows::sums::{Sum, Sums};
use flowtop_core::sanitize::clean;
use flowtop_core::who::Who;
use flowtop_core::window::Window;

/// Characters of a name that are told.
const NAME_CHARS: usize = 256;

/// The process or peer with the largest share.
#[derive(Clone, Debug, PartialEq)]
pub struct Most<T> {
    /// The process or peer.
    pub of: T,
    /// Its part of all that is measured, 0 to 1.
    pub share: f64,
}

/// A process: its id, and its name.
pub type Process = (Option<u32>, Option<String>);

/// One firing, with the process and the peer that move most.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The condition, as text.
    pub when: String,
    /// Number of this firing, from 1.
    pub number: u64,
    /// Mean rate over the time of the condition, in bits per second.
    pub bits_per_s: f64,
    /// The process that moves most. Who uses a socket may not be known; then neither id nor name is.
    pub process: Option<Most<Process>>,
    /// The remote address that most is exchanged with.
    pub peer: Option<Most<String>>,
}

impl Alert {
    /// Describes a firing by the traffic in the ledger.
    #[must_use]
    pub fn of(condition: &Condition, firing: &Firing, ledger: &Ledger, who: Who<'_>) -> Self {
        let process = most("process", condition, ledger, who).and_then(|Most { of, share }| match of {
            // A process can have any name.
            Cell::Process(pid, name) => {
                let name = name.map(|name| clean(name.as_bytes(), NAME_CHARS).text);
                Some(Most { of: (pid, name), share })
            }
            _ => None,
        });
        let peer = most("peer", condition, ledger, who).and_then(|Most { of, share }| match of {
            Cell::Address(address) => Some(Most { of: address.to_string(), share }),
            _ => None,
        });
        let bits_per_s = firing.bits_per_s(condition);
        Self { when: condition.to_string(), number: firing.number, bits_per_s, process, peer }
    }

    /// The alert as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let rate = number(self.bits_per_s / 8.0, Unit::Bits);
        let process = self.process.as_ref().map_or(String::new(), |Most { of: (pid, name), share }| {
            let who = match (pid, name) {
                (Some(pid), Some(name)) => format!("{name}[{pid}]"),
                (Some(pid), None) => format!("process {pid}"),
                (None, Some(name)) => name.clone(),
                (None, None) => "no process that is known".to_owned(),
            };
            format!(", {} of it: {who}", percent(*share))
        });
        let with = |Most { of, share }: &Most<String>| format!(", {} of it with {of}", percent(*share));
        let peer = self.peer.as_ref().map_or(String::new(), with);
        format!("{}: {rate}/s, time {}{process}{peer}", self.when, self.number)
    }

    /// Variables for the environment of a command. What is not known is empty.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 8] {
        let (pid, name) = self.process.as_ref().map_or((None, None), |most| most.of.clone());
        let share = |share: Option<f64>| share.map_or(String::new(), |share| format!("{:.1}", share * 100.0));
        [
            ("FLOWTOP_WHEN", self.when.clone()),
            ("FLOWTOP_NUMBER", self.number.to_string()),
            ("FLOWTOP_RATE", format!("{:.0}", self.bits_per_s)),
            ("FLOWTOP_PROCESS", name.unwrap_or_default()),
            ("FLOWTOP_PID", pid.map_or(String::new(), |pid| pid.to_string())),
            ("FLOWTOP_PROCESS_SHARE", share(self.process.as_ref().map(|most| most.share))),
            ("FLOWTOP_PEER", self.peer.as_ref().map_or(String::new(), |most| most.of.clone())),
            ("FLOWTOP_PEER_SHARE", share(self.peer.as_ref().map(|most| most.share))),
        ]
    }
}

/// A share in whole percent; only all of it is 100 %, and only nothing 0 %.
fn percent(share: f64) -> String {
    match (share * 100.0).round() {
        _ if share >= 1.0 => "100 %".to_owned(),
        whole if whole < 1.0 => "less than 1 %".to_owned(),
        whole => format!("{:.0} %", whole.min(99.0)),
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

/// The group with the most traffic, over the window that fits the time of the condition.
fn most(by: &str, condition: &Condition, ledger: &Ledger, who: Who<'_>) -> Option<Most<Cell>> {
    let window =
        Window::ALL.into_iter().find(|window| condition.held_for <= Duration::from_nanos(window.ns()));
    let window = window.unwrap_or(Window::S40);
    let grouped = Grouped { by: Group::parse(by).ok()?, ..Grouped::default() };
    let sums = Sums::of(ledger, grouped, who);
    let moved = |(key, sum): &(&RowKey, Sum)| (condition.measure.of(sum.rates.bytes(window)), (*key).clone());
    let (bytes, key) = sums.groups().map(|row| moved(&row)).filter(|(bytes, _)| *bytes > 0).max()?;
    let all = condition.measure.of(ledger.totals().rates.bytes(window));
    let share = if all == 0 { 0.0 } else { (bytes as f64 / all as f64).min(1.0) };
    Some(Most { of: key.cells().first().cloned()?, share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::condition::{Bound, Measure};
    use crate::watch::trigger::Interval;
    use flowtop_common::Flow;
    use flowtop_core::filter::Filter;
    use flowtop_core::fixture::{CONNECTED, flow, key, ledger_of, sample};
    use flowtop_core::window::Bytes;
    use proptest::prelude::*;

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

    fn alert(measure: Measure) -> Alert {
        let run = Interval { from_ns: 0, to_ns: 2_000_000_000, bytes: Bytes { tx: 4200, rx: 1802 } };
        Alert::of(&condition(measure), &Firing { number: 3, run }, &traffic(), Who::nobody())
    }

    #[test]
    fn it_names_who_moves_most_in_the_direction_that_is_watched() {
        let sent = alert(Measure::Tx);
        assert_eq!(
            sent.line(),
            "tx > 8K for 2s: 16.4Kb/s, time 3, 95 % of it: a[7], 95 % of it with 198.51.100.7"
        );
        let Most { of, share } = alert(Measure::Rx).process.unwrap();
        assert_eq!((of, (share * 901.0).round()), ((Some(8), Some("b".to_owned())), 900.0));
        assert_eq!(alert(Measure::Rx).peer.unwrap().of, "203.0.113.9");
    }

    /// Of three that move 37, 33 and 30 none has most of it.
    #[test]
    fn the_largest_of_many_parts_is_told_with_its_share() {
        let of = |pid: u32, tx| Flow { pid, ..flow(CONNECTED, tx, 0) };
        let keys =
            [7, 8, 9].map(|n| key(1, &format!("192.0.2.1:4000{n}"), &format!("198.51.100.{n}:443"), n));
        let flows = |s: u64| {
            [37, 33, 30].into_iter().zip(keys).zip(7..).map(move |((tx, key), pid)| (key, of(pid, tx * s)))
        };
        let flows = |s: u64| flows(s).collect::<Vec<_>>();
        let ledger = ledger_of(&[sample(1, &flows(1)), sample(2, &flows(2))]);
        let run = Interval { from_ns: 0, to_ns: 1, bytes: Bytes::default() };
        let alert = Alert::of(&condition(Measure::Tx), &Firing { number: 1, run }, &ledger, Who::nobody());
        assert!(
            alert.line().ends_with(", 37 % of it: process 7, 37 % of it with 198.51.100.7"),
            "{}",
            alert.line()
        );
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_to_nothing() {
        for (share, expected) in
            [(1.0, "100 %"), (0.9999, "99 %"), (0.374, "37 %"), (0.005, "1 %"), (0.004, "less than 1 %")]
        {
            assert_eq!(percent(share), expected);
        }
    }

    proptest! {
        /// The kernel keeps 15 bytes of whatever a process calls itself.
        #[test]
        fn no_name_brings_a_control_character_anywhere(comm: [u8; 15]) {
            let mut name = [0; 16];
            name[..15].copy_from_slice(&comm);
            let of = |s| Flow { pid: 7, comm: name, ..flow(CONNECTED, 1000 * s, s) };
            let keys = key(1, "192.0.2.1:40000", "198.51.100.7:443", 1);
            let ledger = ledger_of(&[sample(1, &[(keys, of(1))]), sample(2, &[(keys, of(2))])]);
            let run = Interval { from_ns: 0, to_ns: 1, bytes: Bytes::default() };
            let alert = Alert::of(&condition(Measure::Tx), &Firing { number: 1, run }, &ledger, Who::nobody());
            let texts = alert.variables().map(|(_, value)| value);
            prop_assert!(!alert.line().contains(char::is_control));
            prop_assert!(!texts.concat().contains(char::is_control), "{:?}", texts);
        }
    }

    #[test]
    fn a_command_gets_it_as_variables_and_nothing_for_what_is_not_known() {
        let of = |alert: &Alert| alert.variables().map(|(name, value)| format!("{name}={value}"));
        let expected = [
            "FLOWTOP_WHEN=tx > 8K for 2s",
            "FLOWTOP_NUMBER=3",
            "FLOWTOP_RATE=16800",
            "FLOWTOP_PROCESS=a",
            "FLOWTOP_PID=7",
            "FLOWTOP_PROCESS_SHARE=95.2",
            "FLOWTOP_PEER=198.51.100.7",
            "FLOWTOP_PEER_SHARE=95.2",
        ];
        assert_eq!(of(&alert(Measure::Tx)), expected);
        let run = Interval { from_ns: 0, to_ns: 1, bytes: Bytes::default() };
        let nobody =
            Alert::of(&condition(Measure::Tx), &Firing { number: 1, run }, &ledger_of(&[]), Who::nobody());
        let names = ["PROCESS", "PID", "PROCESS_SHARE", "PEER", "PEER_SHARE"];
        assert_eq!(of(&nobody)[3..], names.map(|name| format!("FLOWTOP_{name}=")));
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
