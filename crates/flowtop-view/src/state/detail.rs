//! The detail pane: owner, TCP state and history of one row.

use super::State;
use super::history::SLOT_NS;
use super::label::{Label, Labels};
use flowtop_common::{Flow, flags};
use flowtop_core::flow::{Role, Tuple};
use flowtop_core::ledger::status::OwnerStatus;
use flowtop_core::ledger::{Entry, Ledger};
use flowtop_core::number::{Unit, number};
use flowtop_core::number::{count, grouped};
use flowtop_core::owner::{Identity, Pod, Seen};
use flowtop_core::rows::Row;
use flowtop_core::rows::key::RowKey;
use flowtop_core::rows::sums::Process;
use flowtop_core::who::Who;
use flowtop_core::window::{Bytes, Window};
use flowtop_core::wire::state_name;

/// Connections of a row that are listed one by one.
const MAX_MEMBERS: usize = 12;
/// Processes and the like that are named before the rest is counted.
const MAX_NAMED: usize = 3;

/// Rates, slot by slot, the newest last. Bytes (packets) per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub sent: Vec<f64>,
    pub received: Vec<f64>,
}

impl Series {
    fn add(&mut self, slots: impl Iterator<Item = (u64, Bytes)>) {
        for (slot, (ns, bytes)) in slots.enumerate() {
            if slot == self.sent.len() {
                self.sent.push(0.0);
                self.received.push(0.0);
            }
            let per_s = |bytes: u64| if ns == 0 { 0.0 } else { bytes as f64 * 1e9 / ns as f64 };
            self.sent[slot] += per_s(bytes.tx);
            self.received[slot] += per_s(bytes.rx);
        }
    }
}

/// One connection of a row with several.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub source: Label,
    pub destination: Label,
    pub owner: Label,
    /// Sent and received over 10 s, in bytes (packets) per second.
    pub rates: (f64, f64),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    pub key: RowKey,
    pub title: String,
    /// Facts as name and text.
    pub facts: Vec<(&'static str, String)>,
    /// The busiest connections of a row with several.
    pub members: Vec<Member>,
    /// Rates of the last 40 s.
    pub seconds: Series,
    /// Rates of the last 10 min.
    pub minutes: Series,
}

impl State {
    /// The pane about a row, as it is now.
    pub(super) fn detail_of(&self, key: RowKey, labels: &Labels<'_>) -> Detail {
        let members: Vec<_> = self.table.sums.members_of(&self.ledger, &key).collect();
        let summed_up = self.table.sums.summed_up(&self.ledger, &key);
        let ended = self.table.sums.departed(&key);
        let n = count_of(members.len()).saturating_add(summed_up.0).saturating_add(ended.0);
        let title = format!("{} => {}", labels.source(&key, n).text(), labels.destination(&key, n).text());
        let (mut seconds, mut minutes) = (Series::default(), Series::default());
        for (row, turned) in &members {
            // The ledger has bytes as the end of the key sees them.
            let turn = |bytes: Bytes| if *turned == row.turned { bytes } else { bytes.mirror() };
            seconds.add(self.ledger.slots(row.entry).map(|(ns, bytes)| (ns, turn(bytes))));
            minutes.add(self.history.of(row.key).into_iter().map(|bytes| (SLOT_NS, turn(bytes))));
        }
        let mut facts = match &members[..] {
            [] if summed_up.0 + ended.0 > 0 => Vec::new(),
            [(row, _)] => facts_of_one(row, &self.ledger, self.who(), labels),
            _ => facts_of_many(&members, self.who(), labels),
        };
        facts.extend((summed_up.0 > 0).then(|| ("summed up", amounts(summed_up))));
        facts.extend((ended.0 > 0).then(|| ("ended before", amounts(ended))));
        let members = if members.len() > 1 { busiest(members, labels) } else { Vec::new() };
        Detail { key, title, facts, members, seconds, minutes }
    }
}

fn count_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The connections with the highest rate over 10 s.
fn busiest(mut members: Vec<(Row<'_>, bool)>, labels: &Labels<'_>) -> Vec<Member> {
    members.sort_by_key(|(row, _)| (std::cmp::Reverse(row.rates.bytes(Window::S10).sum()), *row.key));
    let member = |(row, turned): &(Row<'_>, bool)| {
        let rates = if *turned { row.rates.mirror() } else { row.rates };
        let tuple = if *turned { row.tuple.mirror() } else { row.tuple };
        let Seen { pid, comm, .. } = row.entry.owner();
        Member {
            source: labels.socket(tuple.local),
            destination: labels.socket(tuple.remote),
            owner: labels.process(Process { pid, comm }),
            rates: (rates.tx_per_s(Window::S10), rates.rx_per_s(Window::S10)),
        }
    };
    members.iter().take(MAX_MEMBERS).map(member).collect()
}

fn facts_of_one(
    row: &Row<'_>,
    ledger: &Ledger,
    who: Who<'_>,
    labels: &Labels<'_>,
) -> Vec<(&'static str, String)> {
    let flow = &row.entry.flow();
    let bytes = row.bytes;
    let mut facts = vec![
        ("owner", owner(row.entry, labels)),
        ("netns", row.key.netns.to_string()),
        ("state", state_name(flow.state).to_owned()),
        ("age", age(flow, ledger.at_ns())),
        ("idle", idle(flow, ledger.at_ns())),
        ("rtt", rtt(flow)),
        ("retransmitted", retransmitted([*flow].into_iter())),
        ("sent", amount(bytes.tx)),
        ("received", amount(bytes.rx)),
    ];
    facts.extend(opened(flow, &row.tuple).map(|by| ("opened by", by)));
    if let Some((key, entry)) = row.peer {
        let state = state_name(entry.state());
        facts.push(("other end", format!("{}, netns {}, {state}", owner(entry, labels), key.netns)));
    }
    facts.extend(owners_and_labels(&[row], who, labels));
    facts
}

fn facts_of_many(
    members: &[(Row<'_>, bool)],
    who: Who<'_>,
    labels: &Labels<'_>,
) -> Vec<(&'static str, String)> {
    let flows = || members.iter().map(|(row, _)| row.entry.flow());
    let bytes = members.iter().fold(Bytes::default(), |sum, (row, turned)| {
        sum + if *turned { row.bytes.mirror() } else { row.bytes }
    });
    let mut facts = vec![
        ("connections", grouped(members.len() as u64)),
        ("owner", named(members.iter().map(|(row, _)| owner(row.entry, labels)))),
        ("netns", named(members.iter().map(|(row, _)| row.key.netns.to_string()))),
        ("state", named(flows().map(|flow| state_name(flow.state).to_owned()))),
        ("rtt", rtt_range(flows())),
        ("retransmitted", retransmitted(flows())),
        ("sent", amount(bytes.tx)),
        ("received", amount(bytes.rx)),
    ];
    facts.extend(owners_and_labels(&members.iter().map(|(row, _)| row).collect::<Vec<_>>(), who, labels));
    facts
}

/// Owners and labels of some connections; unknown ones are left out.
fn owners_and_labels(rows: &[&Row<'_>], who: Who<'_>, labels: &Labels<'_>) -> Vec<(&'static str, String)> {
    let identity = |row: &&Row<'_>| who.owners.identity(&row.entry.owner(), row.entry.used_ns());
    let identities: Vec<_> =
        rows.iter().filter(|row| !row.turned || labels.by.groups_ends()).filter_map(identity).collect();
    let of = |text: fn(&Identity) -> Option<String>| {
        named(
            identities.iter().filter_map(|identity| text(identity)).map(|text| labels.fit_for_terminal(text)),
        )
    };
    let label = |row: &&Row<'_>| {
        let same_host = row.right().is_some() || row.entry.is_on_host();
        who.labels.of(row.tuple.remote.ip(), same_host).to_owned()
    };
    let remote_pod = |row: &&Row<'_>| who.owners.pod_at(row.tuple.remote.ip());
    let remote_pods = rows.iter().filter_map(remote_pod).map(|pod| labels.fit_for_terminal(Pod::text(&pod)));
    let in_netns = rows.iter().filter(|row| !row.turned).filter_map(|row| who.owners.pod_in(row.key.netns));
    let netns_pods = in_netns.map(|pod| labels.fit_for_terminal(Pod::text(&pod)));
    let facts = [
        ("user", of(|identity| identity.user.clone())),
        ("runs in", of(Identity::place)),
        ("workload", of(|identity| identity.workload().map(str::to_owned))),
        ("container", of(|identity| identity.short_container_id().map(str::to_owned))),
        ("unit", of(|identity| identity.unit.clone())),
        ("label", named(rows.iter().map(label))),
        ("pod of netns", named(netns_pods)),
        ("remote pod", named(remote_pods)),
        ("command", of(|identity| identity.command.clone())),
    ];
    facts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// So many connections with their bytes.
fn amounts((connections, bytes): (u32, Bytes)) -> String {
    let connections = count(connections, "connection");
    format!("{connections}, {} sent, {} received", amount(bytes.tx), amount(bytes.rx))
}

/// Different texts, the most frequent ones first.
fn named(texts: impl Iterator<Item = String>) -> String {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let more = counts.len().saturating_sub(MAX_NAMED);
    let mut parts: Vec<String> = counts.into_iter().take(MAX_NAMED).map(|(text, _)| text).collect();
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

/// The process, of several the busiest; or why it is unknown.
fn owner(entry: &Entry, labels: &Labels<'_>) -> String {
    let Seen { pid, comm, .. } = entry.owner();
    let more = entry.users().count().saturating_sub(1);
    match labels.process(Process { pid, comm }).text() {
        _ if !entry.owner().is_user_process() => OwnerStatus::of(entry).name().to_owned(),
        text if more == 0 => text,
        text => format!("{text} (+{more})"),
    }
}

/// Of an older socket only that it is older is known.
fn age(flow: &Flow, at_ns: u64) -> String {
    if flow.flags & flags::BORN == 0 {
        return "older than flowtop".to_owned();
    }
    duration(at_ns.saturating_sub(flow.opened_ns))
}

fn opened(flow: &Flow, tuple: &Tuple) -> Option<String> {
    let is_local = Role::of(flow.flags).connected()?;
    Some(if is_local { tuple.local } else { tuple.remote }.to_string())
}

fn idle(flow: &Flow, at_ns: u64) -> String {
    if flow.last_us == 0 { "unknown".to_owned() } else { duration(at_ns.saturating_sub(flow.last_us * 1000)) }
}

fn rtt(flow: &Flow) -> String {
    if flow.srtt_us_x8 == 0 { "unknown".to_owned() } else { format!("{} ms", rtt_ms(flow)) }
}

fn rtt_ms(flow: &Flow) -> String {
    format!("{:.2}", f64::from(flow.srtt_us_x8) / 8000.0)
}

fn rtt_range(flows: impl Iterator<Item = Flow>) -> String {
    let known = flows.filter(|flow| flow.srtt_us_x8 > 0);
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|flow| flow.srtt_us_x8);
    match &known[..] {
        [] => "unknown".to_owned(),
        [least, .., most] if rtt_ms(least) != rtt_ms(most) => {
            format!("{} to {} ms", rtt_ms(least), rtt_ms(most))
        }
        [one, ..] => rtt(one),
    }
}

fn retransmitted(flows: impl Iterator<Item = Flow>) -> String {
    let (segments, bytes, sent) = flows.fold((0_u64, 0_u64, 0_u64), |(segments, bytes, sent), flow| {
        let sent = sent.saturating_add(flow.sent_bytes);
        (segments + u64::from(flow.retrans_segs), bytes.saturating_add(flow.retrans_bytes), sent)
    });
    let share = if sent == 0 { 0.0 } else { bytes as f64 * 100.0 / sent as f64 };
    format!("{}, {} ({share:.2} %)", count(segments, "segment"), amount(bytes))
}

fn amount(bytes: u64) -> String {
    number(bytes as f64, Unit::Bytes)
}

/// A duration with its two largest units.
#[must_use]
pub fn duration(ns: u64) -> String {
    let s = ns / 1_000_000_000;
    match s {
        0..60 => format!("{:.1} s", ns as f64 / 1e9),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {:02} h", s / 86_400, s % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units() {
        let texts =
            [0, 59_940_000_000, 60_000_000_000, 3_599_000_000_000, 3_600_000_000_000, 90_000_000_000_000];
        let expected = ["0.0 s", "59.9 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "1 d 01 h"];
        assert_eq!(texts.map(duration), expected);
    }

    #[test]
    fn the_most_frequent_are_named_and_the_rest_counted() {
        let texts = ["b", "a", "c", "b", "d", "e"].map(str::to_owned);
        assert_eq!(named(texts.into_iter()), "b, a, c, 2 more");
    }
}
