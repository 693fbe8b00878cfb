//! The ledger against a model that knows what every connection has sent.
//!
//! A pretended kernel opens, moves and ends connections at random and shows its table; the model adds up the bytes
//! as they are sent. It knows nothing of samples, pairs, windows or expiry.

use std::collections::BTreeMap;

use std::ops::Add as _;

use proptest::prelude::*;

use super::*;
use crate::record::Record;
use crate::sampler::Sampler;
use crate::who::Who;

const MAX_FLOWS: usize = 12;

/// Where the two ends of a connection are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Remote,
    Loopback,
    Across,
    /// On the loopback, and the table had no room for the initiator.
    InitiatorUntracked,
    /// On the loopback, and the table had no room for the acceptor.
    AcceptorUntracked,
}

const KINDS: [Kind; 5] =
    [Kind::Remote, Kind::Loopback, Kind::Across, Kind::InitiatorUntracked, Kind::AcceptorUntracked];

#[derive(Clone, Copy, Debug)]
enum Step {
    Open { kind: Kind, port: u16, history: u64 },
    Move { which: usize, tx: u64, rx: u64 },
    Close { which: usize },
    Sample { seconds: u64, delete: bool },
}

struct Connection {
    kind: Kind,
    initiator: Option<FlowKey>,
    acceptor: Option<FlowKey>,
    port: u16,
}

#[derive(Default)]
struct Kernel {
    table: BTreeMap<FlowKey, Flow>,
    untracked: Untracked,
    live: Vec<Connection>,
    at_s: u64,
    next_id: u64,
    /// Every byte since the baseline, once in each direction.
    sent: Bytes,
}

impl Kernel {
    /// Does anything but show the table.
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Open { kind, port, history } => self.open(kind, port, history),
            Step::Move { which, tx, rx } => self.move_bytes(which, tx, rx),
            Step::Close { which } => self.close(which),
            Step::Sample { seconds, .. } => self.at_s += seconds,
        }
    }

    fn open(&mut self, kind: Kind, port: u16, history: u64) {
        let in_use = self.live.iter().any(|connection| connection.port == port);
        if in_use || self.live.len() >= MAX_FLOWS / 2 {
            return;
        }
        let (near, far) = (format!("10.0.0.1:{port}"), "10.0.0.2:80".to_owned());
        let (near, far, far_netns) = match kind {
            Kind::Remote => (near, far, None),
            Kind::Across => (near, far, Some(2)),
            _ => (format!("127.0.0.1:{port}"), "127.0.0.1:80".to_owned(), Some(1)),
        };
        let initiator = (!matches!(kind, Kind::InitiatorUntracked))
            .then(|| self.insert(key(1, &near, &far, 0), CONNECTED, history));
        let acceptor = far_netns
            .filter(|_| !matches!(kind, Kind::AcceptorUntracked))
            .map(|netns| self.insert(key(netns, &far, &near, 0), ACCEPTED, history));
        self.live.push(Connection { kind, initiator, acceptor, port });
    }

    /// Opens an entry in mid-life: `history` bytes each way are behind it.
    fn insert(&mut self, key: FlowKey, flow_flags: u32, history: u64) -> FlowKey {
        self.next_id += 1;
        let key = FlowKey { id: self.next_id, ..key };
        let opened = Flow {
            base_tx_bytes: history,
            base_rx_bytes: history,
            opened_ns: self.next_id,
            ..flow(flow_flags, history, history)
        };
        self.table.insert(key, opened);
        key
    }

    fn move_bytes(&mut self, which: usize, tx: u64, rx: u64) {
        let Some(index) = which.checked_rem(self.live.len()) else { return };
        let connection = &self.live[index];
        let (untracked, table) = (&mut self.untracked, &mut self.table);
        let mut grow = |key: Option<FlowKey>, tx, rx, mirrored| {
            if let Some(key) = key {
                let flow = table.get_mut(&key).expect("live flows are in the table");
                flow.tx_bytes += tx;
                flow.rx_bytes += rx;
                return;
            }
            untracked.tx_bytes += tx;
            untracked.rx_bytes += rx;
            if mirrored {
                untracked.mirrored_tx_bytes += tx;
                untracked.mirrored_rx_bytes += rx;
            }
        };
        grow(connection.initiator, tx, rx, false);
        if !matches!(connection.kind, Kind::Remote) {
            grow(connection.acceptor, rx, tx, true);
        }
        self.sent += bytes(tx, rx);
    }

    fn close(&mut self, which: usize) {
        let Some(index) = which.checked_rem(self.live.len()) else { return };
        let connection = self.live.swap_remove(index);
        for key in [connection.initiator, connection.acceptor].into_iter().flatten() {
            let flow = self.table.get_mut(&key).expect("live flows are in the table");
            *flow = ended(*flow);
        }
    }

    /// The table, in an order of its own.
    fn sample(&self) -> Sample {
        let mut shown = sample(self.at_s, &[]);
        shown.flows = self.table.iter().map(|(key, flow)| (*key, *flow)).collect();
        let rotated = shown.flows.len() / 2;
        shown.flows.rotate_left(rotated);
        shown.untracked = self.untracked;
        shown
    }

    /// Shows the table, and lets flowtop delete what it may.
    fn show(&mut self, ledger: &mut Ledger, delete: bool) {
        ledger.apply(&self.sample());
        for key in ledger.removable().iter().filter(|_| delete) {
            let gone = self.table.remove(key).expect("only flows of the table are removable");
            assert_ne!(gone.flags & flags::ENDED, 0, "only ended flows are removable");
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let history = prop_oneof![Just(0), 0..1_u64 << 40];
    let step = prop_oneof![
        3 => (prop::sample::select(&KINDS[..]), 40000..40004_u16, history)
            .prop_map(|(kind, port, history)| Step::Open { kind, port, history }),
        5 => (any::<usize>(), 0..1_u64 << 20, 0..1_u64 << 20)
            .prop_map(|(which, tx, rx)| Step::Move { which, tx, rx }),
        2 => any::<usize>().prop_map(|which| Step::Close { which }),
        3 => (0..20_u64, prop::bool::weighted(0.8)).prop_map(|(seconds, delete)| Step::Sample { seconds, delete }),
    ];
    prop::collection::vec(step, 0..120)
}

fn run(kernel: &mut Kernel, ledger: &mut Ledger, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut before = ledger.totals().bytes;
    for step in steps {
        kernel.step(step);
        if let Step::Sample { delete, .. } = *step {
            kernel.show(ledger, delete);
            let totals = ledger.totals().bytes;
            prop_assert_eq!(totals, kernel.sent);
            prop_assert!(totals.tx >= before.tx && totals.rx >= before.rx);
            prop_assert!(ledger.entries().count() <= (4 * MAX_FLOWS).max(kernel.table.len()));
            before = totals;
        }
    }
    Ok(())
}

/// Bytes of a record's totals that belong to none of its flows.
fn untracked_of(record: &Record) -> Result<Bytes, TestCaseError> {
    let sum = |bytes: &mut dyn Iterator<Item = Bytes>| bytes.fold(Bytes::default(), Bytes::add);
    let left_ends = record.flows.iter().filter(|flow| !flow.is_right);
    let moved = sum(&mut left_ends.map(|flow| flow.bytes).chain(record.rest.iter().map(|rest| rest.bytes)));
    prop_assert_eq!(record.totals.since(moved) + moved, record.totals);
    prop_assert_eq!(sum(&mut record.per_second.iter().copied()), record.totals);
    for flow in &record.flows {
        prop_assert_eq!(flow.peak.max(flow.bytes), flow.bytes);
        let peer = flow.peer.map(|peer| record.flows[peer as usize].tuple());
        prop_assert!(peer.is_none_or(|peer| peer == flow.tuple().mirror()));
    }
    prop_assert_eq!(&*record.sorted(), record);
    Ok(record.totals.since(moved))
}

proptest! {
    #[test]
    fn totals_are_what_the_connections_sent(before in steps(), after in steps()) {
        let (mut kernel, mut ledger) = (Kernel::default(), Ledger::new(MAX_FLOWS, 0));
        for step in &before {
            kernel.step(step);
        }
        kernel.sent = Bytes::default();
        kernel.show(&mut ledger, true);
        run(&mut kernel, &mut ledger, &after)?;

        // In the end everything closes, every row expires, and nothing that was counted is lost.
        let mut end: Vec<Step> = (0..MAX_FLOWS).map(|_| Step::Close { which: 0 }).collect();
        end.extend((0..60).map(|_| Step::Sample { seconds: 2, delete: true }));
        run(&mut kernel, &mut ledger, &end)?;
        prop_assert_eq!(ledger.entries().count(), 0);
    }

    /// Every third sample ends a window, and so many samples are between it and the next one. Flows that leave the ledger
    /// within a window are in the rest.
    #[test]
    fn records_and_gaps_add_up_to_the_totals(before in steps(), after in steps(), between in 0..3_usize) {
        let (mut kernel, mut ledger) = (Kernel::default(), Ledger::new(MAX_FLOWS, 0));
        for step in &before {
            kernel.step(step);
        }
        kernel.show(&mut ledger, true);
        let mut sampler = Sampler::start(&ledger);
        let (mut samples, mut totals, mut untracked) = (0, Bytes::default(), Bytes::default());
        for step in after.iter().chain(&[Step::Sample { seconds: 1, delete: true }; 3]) {
            kernel.step(step);
            let Step::Sample { delete, .. } = *step else { continue };
            kernel.show(&mut ledger, delete);
            samples += 1;
            match samples % (3 + between) {
                1 | 2 => sampler.sample(&ledger),
                at if at == 3 % (3 + between) => {
                    sampler.sample(&ledger);
                    let record = sampler.close(&ledger, Who::nobody());
                    untracked += untracked_of(&record)?;
                    totals += record.totals + record.gap.unwrap_or_default().totals;
                    prop_assert_eq!(totals, ledger.totals().bytes);
                    let now = ledger.untracked();
                    let once = bytes(now.tx_bytes - now.mirrored_tx_bytes, now.rx_bytes - now.mirrored_rx_bytes);
                    prop_assert!(untracked == once || between > 0);
                }
                0 => sampler = sampler.resume(&ledger),
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_as_it_was_need_not_be_told(steps in steps()) {
        let (mut kernel, mut ledger) = (Kernel::default(), Ledger::new(MAX_FLOWS, 0));
        let (mut told, mut known) = (Ledger::new(MAX_FLOWS, 0), BTreeMap::new());
        for step in &steps {
            kernel.step(step);
            let Step::Sample { delete, .. } = *step else { continue };
            let mut changed = kernel.sample();
            let flows = std::mem::take(&mut changed.flows);
            let has_changed = |(key, flow): &(FlowKey, Flow)| {
                known.get(key) != Some(flow) || flow.flags & flags::ENDED != 0
            };
            let places = (0..flows.len()).filter(|place| has_changed(&flows[*place]));
            let news: Vec<_> = places.map(|place| (place, flows[place].0, flows[place].1)).collect();
            told.begin(&changed);
            let mut next = 0;
            for &(place, key, flow) in &news {
                told.take_changed(&[(place - next, key, flow)]);
                next = place + 1;
            }
            told.take_unchanged(flows.len() - news.len());
            told.finish();
            known = kernel.table.clone();
            kernel.show(&mut ledger, delete);
            prop_assert_eq!(told.removable(), ledger.removable());
            prop_assert_eq!((told.totals(), told.present()), (ledger.totals(), ledger.present()));
            prop_assert_eq!(told.lines(), ledger.lines());
        }
        prop_assert_eq!(told.entries().count(), ledger.entries().count());
        for (key, entry) in ledger.entries() {
            let other = told.get(key).expect("both have the same flows");
            prop_assert_eq!((entry.flow(), entry.closed_ns()), (other.flow(), other.closed_ns()));
        }
    }

    #[test]
    fn the_order_of_a_sample_says_nothing(steps in steps(), rotation: usize) {
        let (mut kernel, mut ledger) = (Kernel::default(), Ledger::new(MAX_FLOWS, 0));
        let mut turned = Ledger::new(MAX_FLOWS, 0);
        for step in &steps {
            kernel.step(step);
            if matches!(step, Step::Sample { .. }) {
                let mut flows: Vec<_> = kernel.table.iter().map(|(key, flow)| (*key, *flow)).collect();
                ledger.apply(&sample(kernel.at_s, &flows));
                let middle = rotation.checked_rem(flows.len()).unwrap_or(0);
                flows.rotate_left(middle);
                flows.reverse();
                turned.apply(&sample(kernel.at_s, &flows));
            }
        }
        prop_assert_eq!(ledger.totals(), turned.totals());
        for (key, entry) in ledger.entries() {
            let other = turned.get(key).expect("both have the same flows");
            prop_assert_eq!(entry.bytes(), other.bytes());
            prop_assert_eq!(peer_of(&ledger, key), peer_of(&turned, key));
            prop_assert_eq!(entry.has_peer(), other.has_peer());
            prop_assert_eq!(ledger.rates(entry), turned.rates(other));
        }
    }
}
