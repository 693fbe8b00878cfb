//! The reference host: made-up minutes on which sizes and speeds of recordings are measured, the same in every run.
//!
//! A node with an API server. Each minute 15 % of its flows have ended and as many are new. Of those that stay a third is
//! idle in a minute, a third is polled (the same exchange every 10 s: probes, keep-alives, watches), and a third moves
//! heavy-tailed random amounts (Pareto, most below 1 KB, the largest some GB), as do all new ones; half of these in one
//! burst, half all over the minute. Ports, times, round-trip times and ids of containers are random; remote hosts,
//! processes and pods are few and used unequally, as they are.

use std::sync::Arc;

use flowtop_common::{Flow, FlowKey, flags};

use flowtop_core::flow::Tuple;
use flowtop_core::on_wire::Grown;
use flowtop_core::owner::Identity;
use flowtop_core::record::{FlowRecord, Host, InterfaceRecord, Record, Span};
use flowtop_core::window::Bytes;

/// How many of a hundred flows are others after a minute.
const REPLACED_PERCENT: u64 = 15;
/// How often a flow is polled in a minute.
const POLLS: u64 = 6;
const MINUTE_NS: u64 = 60_000_000_000;
const MINUTE_US: i64 = 60_000_000;
/// 2026-11-02 00:00 UTC.
const MIDNIGHT_US: i64 = 1_793_577_600_000_000;
/// The host has been up for a day then.
const UP_NS: u64 = 86_400_000_000_000;
const PAYLOAD_OF_A_SEGMENT: u64 = 1448;

/// The reference host, minute by minute without end.
#[derive(Debug)]
pub struct Reference {
    random: Random,
    people: Vec<Arc<Identity>>,
    flows: Vec<FlowRecord>,
    minute: u64,
}

impl Reference {
    /// With so many flows each minute.
    #[must_use]
    pub fn of(flows: usize) -> Self {
        let mut reference =
            Self { random: Random(1), people: people(&mut Random(7)), flows: Vec::new(), minute: 0 };
        for _ in 0..flows {
            // The oldest ones have been open for hours.
            let age_ns = reference.random.heavy(MINUTE_NS / 4).min(UP_NS);
            let flow = reference.open(UP_NS.saturating_sub(age_ns));
            reference.flows.push(flow);
        }
        reference
    }

    fn open(&mut self, opened_ns: u64) -> FlowRecord {
        let random = &mut self.random;
        let (service, is_served, person) = *random.pick(&SERVICES);
        let remote = random.few(if is_served { 300 } else { 60 });
        let remote_addr = [10, 42, remote.to_be_bytes()[6], remote.to_be_bytes()[7]];
        let client_port = 32768 + random.below(28232);
        let [local, far] = if is_served { [service, client_port] } else { [client_port, service] };
        let ends = |port: u64, addr: [u8; 4]| (addr, u16::try_from(port).unwrap_or_default()).into();
        let tuple = Tuple { local: ends(local, [10, 42, 0, 9]), remote: ends(far, remote_addr) };
        let person = (person + random.few(4)) % self.people.len() as u64;
        let identity: Arc<Identity> = Arc::clone(&self.people[usize::try_from(person).unwrap_or_default()]);
        let mut comm = [0; 16];
        let name = identity.comm.as_deref().unwrap_or_default().as_bytes();
        comm[..name.len()].copy_from_slice(name);
        let role = if is_served { flags::PASSIVE } else { flags::ACTIVE };
        FlowRecord {
            key: FlowKey { id: opened_ns, netns: 4_026_531_840, ..tuple.key() },
            flow: Flow {
                state: 1,
                flags: flags::BORN | flags::OPEN | role,
                pid: 1000 + u32::try_from(person).unwrap_or_default() * 37,
                comm,
                cgroup_id: 5000 + person * 41,
                opened_ns,
                srtt_us_x8: u32::try_from(800 + random.heavy(400).min(1 << 21)).unwrap_or(u32::MAX),
                ..Flow::default()
            },
            identity: Some(identity),
            users: 1,
            label: "private".into(),
            remote_pod: None,
            ..FlowRecord::default()
        }
    }

    /// Ends some flows in the minute from `start_ns`, and opens as many.
    fn replace(&mut self, start_ns: u64) {
        for place in 0..self.flows.len() {
            let has_ended = self.flows[place].has_ended();
            if has_ended {
                let opened_ns = start_ns + self.random.below(MINUTE_NS);
                self.flows[place] = self.open(opened_ns);
            }
            if self.random.percent(REPLACED_PERCENT) {
                let flow = &mut self.flows[place].flow;
                (flow.flags, flow.state) = (flow.flags | flags::ENDED, 7);
            }
        }
    }

    /// Lets a flow be moved by its processes for the minute from `start_ns`.
    fn pass_a_minute(flow: &mut FlowRecord, random: &mut Random, start_ns: u64) {
        (flow.bytes, flow.peak, flow.retrans_bytes) = (Bytes::default(), Bytes::default(), 0);
        flow.grown = Some(Grown::default());
        let is_new = flow.key.id >= start_ns;
        let third = random.below(3);
        let (is_idle, is_polled) = (!is_new && third == 0, !is_new && third == 1);
        if is_idle {
            return;
        }
        if is_polled {
            flow.peak = Bytes { tx: 100 + flow.key.id % 400, rx: 60 + flow.key.id % 50 };
            flow.bytes = Bytes { tx: flow.peak.tx * POLLS, rx: flow.peak.rx * POLLS };
        } else {
            Self::transfer(flow, random);
        }
        let open_ns = start_ns + MINUTE_NS - flow.key.id.max(start_ns);
        let quiet_ns = if is_polled { MINUTE_NS / POLLS } else { open_ns.max(1) };
        flow.flow.last_us = (start_ns + MINUTE_NS - random.below(quiet_ns)) / 1000;
        let before = flow.flow;
        Self::count(&mut flow.flow, flow.bytes, flow.retrans_bytes, random);
        flow.grown = Some(Grown {
            sent_bytes: flow.flow.sent_bytes - before.sent_bytes,
            segs_out: flow.flow.segs_out.wrapping_sub(before.segs_out),
            segs_in: flow.flow.segs_in.wrapping_sub(before.segs_in),
        });
    }

    fn transfer(flow: &mut FlowRecord, random: &mut Random) {
        flow.bytes = Bytes { tx: random.heavy(300), rx: random.heavy(150) };
        let share = if random.percent(50) { 1000 } else { 17 + random.below(984) };
        flow.peak = Bytes { tx: flow.bytes.tx * share / 1000, rx: flow.bytes.rx * share / 1000 };
        if random.percent(3) {
            flow.retrans_bytes = PAYLOAD_OF_A_SEGMENT * (1 + random.below(4));
        }
    }

    /// The socket's own counters.
    fn count(flow: &mut Flow, bytes: Bytes, retrans_bytes: u64, random: &mut Random) {
        flow.tx_bytes += bytes.tx;
        flow.rx_bytes += bytes.rx;
        flow.retrans_bytes += retrans_bytes;
        flow.sent_bytes += bytes.tx + retrans_bytes;
        let segments = |bytes: u64| bytes.div_ceil(PAYLOAD_OF_A_SEGMENT);
        let (out, inward) = (segments(bytes.tx), segments(bytes.rx));
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let acks = [random.below(4), random.below(4)];
        flow.segs_out = flow.segs_out.wrapping_add(narrow(out + inward / 2 + acks[0]));
        flow.segs_in = flow.segs_in.wrapping_add(narrow(inward + out / 2 + acks[1]));
        flow.retrans_segs += narrow(segments(retrans_bytes));
        flow.uses = (flow.uses + narrow(1 + out + inward)).min(16);
        let jitter = flow.srtt_us_x8 / 4 + 1;
        flow.srtt_us_x8 = flow.srtt_us_x8 - jitter / 2 + narrow(random.below(jitter.into()));
    }
}

impl Iterator for Reference {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let start_ns = UP_NS + self.minute * MINUTE_NS;
        let wall_us = MIDNIGHT_US + i64::try_from(self.minute).ok()? * MINUTE_US;
        self.replace(start_ns);
        for flow in &mut self.flows {
            Self::pass_a_minute(flow, &mut self.random, start_ns);
        }
        self.minute += 1;
        let totals = self.flows.iter().fold(Bytes::default(), |sum, flow| sum + flow.bytes);
        let random = &mut self.random;
        let mut second = || totals.tx / 90 + random.below(totals.tx / 90 + 1);
        let per_second = (0..60).map(|_| Bytes { tx: second(), rx: second() / 2 }).collect();
        let record = Record {
            host: Host { name: "node-1".to_owned(), machine_id: [1; 16], boot_id: [2; 16] },
            span: Span {
                start_us: wall_us,
                end_us: wall_us + MINUTE_US,
                start_ns,
                end_ns: start_ns + MINUTE_NS,
            },
            flows: self.flows.iter().cloned().map(FlowRecord::rounded).collect(),
            totals,
            per_second,
            interfaces: vec![InterfaceRecord {
                name: "eth0".to_owned(),
                bytes: totals,
                ..InterfaceRecord::default()
            }],
            ..Record::default()
        };
        Some(record.sorted().into_owned())
    }
}

/// Port, whether it is served here, and who does.
const SERVICES: [(u64, bool, u64); 9] = [
    (6443, true, 0),
    (6443, true, 0),
    (6443, true, 0),
    (10250, true, 4),
    (443, true, 8),
    (5432, false, 12),
    (6379, false, 16),
    (2379, false, 20),
    (443, false, 24),
];

/// Who is on the host: 32 processes, most of them in pods.
fn people(random: &mut Random) -> Vec<Arc<Identity>> {
    let names = ["kube-apiserver", "kubelet", "nginx", "api", "worker", "etcd", "backup", "python3"];
    let mut person = |number: usize| {
        let name = names[number / 4];
        let pod = (!number.is_multiple_of(4)).then(|| format!("{name}-7d9f8b6c5-{number:05x}"));
        let identity = Identity {
            comm: Some(name.to_owned()),
            command: Some(format!("/usr/bin/{name} --config=/etc/{name}/config-{number}.yaml --listen=[::]")),
            user: Some("app".to_owned()),
            unit: pod.is_none().then(|| format!("{name}.service")),
            container_id: pod.as_ref().map(|_| format!("{:016x}", random.next()).repeat(4)),
            container: pod.as_ref().map(|_| name.to_owned()),
            namespace: pod.as_ref().map(|_| "shop".to_owned()),
            pod,
            cgroup: Some(format!(
                "/kubepods.slice/kubepods-pod{:016x}{:016x}.slice",
                random.next(),
                random.next()
            )),
            mntns: Some(4_026_532_000 + number as u64),
            ..Identity::default()
        };
        Arc::new(identity.recorded())
    };
    (0..names.len() * 4).map(&mut person).collect()
}

/// Numbers in an order that looks random and is always the same (`SplitMix64`).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// In (0, 1].
    fn fraction(&mut self) -> f64 {
        (self.below(1 << 30) + 1) as f64 / (1_u64 << 30) as f64
    }

    /// From a Pareto distribution: at least `least`, half of them below twice that, and one in a million a million times.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, below 2^53")]
    fn heavy(&mut self, least: u64) -> u64 {
        (least as f64 / self.fraction().powf(0.95)) as u64
    }

    /// One of so many, the first ones far more often.
    fn few(&mut self, of: u64) -> u64 {
        let (one, other) = (self.below(of), self.below(of));
        one * other / of
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_minute_has_the_flows_of_the_one_before_but_for_fifteen_percent() {
        let minutes: Vec<_> = Reference::of(1000).take(5).collect();
        let ids = |record: &Record| record.flows.iter().map(|flow| flow.key).collect::<HashSet<_>>();
        for pair in minutes.windows(2) {
            let stay = ids(&pair[0]).intersection(&ids(&pair[1])).count();
            assert!((800..900).contains(&stay), "{stay} flows stay");
            let of_flows = pair[1].flows.iter().fold(Bytes::default(), |sum, flow| sum + flow.bytes);
            assert_eq!((pair[1].flows.len(), pair[1].totals), (1000, of_flows));
            assert_eq!(pair[0].span.end_ns, pair[1].span.start_ns);
        }
        assert_eq!(minutes, Reference::of(1000).take(5).collect::<Vec<_>>());
    }
}
