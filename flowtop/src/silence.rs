//! What is said at the end of a run in which nothing counted, or something was left out that nobody asked to leave out.

use flowtop_core::ledger::Ledger;
use flowtop_core::number::{Unit, number};
use flowtop_core::window::Bytes;

use crate::selection::NO_LINK_LOCAL;
use crate::stderr;

/// Bytes that conditions have kept out, by condition.
#[derive(Debug, Default)]
pub struct KeptOut {
    counted: Bytes,
    by_condition: Vec<(String, Bytes)>,
}

impl KeptOut {
    /// Adds those of a ledger.
    pub fn add(&mut self, ledger: &Ledger) {
        let (untracked, _) = ledger.untracked_once();
        self.counted += ledger.totals().bytes + untracked;
        for (condition, bytes) in ledger.kept_out() {
            match self.by_condition.iter_mut().find(|(known, _)| known == condition) {
                Some((_, sum)) => *sum += bytes,
                None => self.by_condition.push((condition.to_owned(), bytes)),
            }
        }
    }

    /// Of one ledger.
    #[must_use]
    pub fn of(ledger: &Ledger) -> Self {
        let mut kept_out = Self::default();
        kept_out.add(ledger);
        kept_out
    }

    /// Says on stderr why there is nothing, if there is nothing; `within` says where it was looked for, as `in 2.0 s`.
    pub fn say(&self, within: &str, is_filtered: bool) {
        if let Some(sentence) = self.sentence(within, is_filtered) {
            stderr::print(&format!("flowtop: {sentence}\n"));
        }
    }

    fn sentence(&self, within: &str, is_filtered: bool) -> Option<String> {
        let link_local = |(condition, _): &&(String, Bytes)| condition == NO_LINK_LOCAL;
        let hidden = self.by_condition.iter().find(link_local).map(|(_, bytes)| amount(*bytes));
        if self.counted.sum() > 0 {
            return Some(format!("{} of IPv6 link-local connections do not count without -l", hidden?));
        }
        if self.by_condition.is_empty() {
            let which = if is_filtered { "that the filters let through " } else { "" };
            return Some(format!("no TCP connection {which}carried data {within}"));
        }
        let kept = |(condition, bytes): &(String, Bytes)| match condition.as_str() {
            NO_LINK_LOCAL => format!("{} of IPv6 link-local connections without -l", amount(*bytes)),
            flag => format!("{} by {flag}", amount(*bytes)),
        };
        let kept: Vec<_> = self.by_condition.iter().map(kept).collect();
        Some(format!("nothing that counts here was moved {within}; kept out: {}", kept.join(", ")))
    }
}

fn amount(bytes: Bytes) -> String {
    number(bytes.sum() as f64, Unit::Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_out(counted: u64, by_condition: &[(&str, u64)]) -> KeptOut {
        let bytes = |tx| Bytes { tx, rx: 0 };
        let by_condition = by_condition.iter().map(|(name, tx)| ((*name).to_owned(), bytes(*tx))).collect();
        KeptOut { counted: bytes(counted), by_condition }
    }

    #[test]
    fn nothing_has_its_reason() {
        let said = |kept_out: KeptOut, is_filtered| kept_out.sentence("in 2.0 s", is_filtered);
        let nothing = "no TCP connection carried data in 2.0 s";
        assert_eq!(said(kept_out(0, &[]), false).as_deref(), Some(nothing));
        let none_of_those = "no TCP connection that the filters let through carried data in 2.0 s";
        assert_eq!(said(kept_out(0, &[]), true).as_deref(), Some(none_of_those));
        let by_two =
            "nothing that counts here was moved in 2.0 s; kept out: 1.00KB by -f 'port 1', 5B by -i lo";
        assert_eq!(said(kept_out(0, &[("-f 'port 1'", 1024), ("-i lo", 5)]), true).as_deref(), Some(by_two));
        assert_eq!(said(kept_out(7, &[("-f 'port 1'", 1024)]), true), None);
    }

    #[test]
    fn link_local_connections_are_told_wherever_they_are_left_out() {
        let said = |counted| kept_out(counted, &[(NO_LINK_LOCAL, 2048)]).sentence("in 2.0 s", false);
        let beside = "2.00KB of IPv6 link-local connections do not count without -l";
        assert_eq!(said(1).as_deref(), Some(beside));
        let alone = "nothing that counts here was moved in 2.0 s; kept out: 2.00KB of IPv6 link-local connections without -l";
        assert_eq!(said(0).as_deref(), Some(alone));
    }
}
