//! The counters of the interfaces whose traffic the flows are compared with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use crate::interfaces::Interfaces;
use crate::source::Source;
use flowtop_core::coverage::Coverage;
use flowtop_core::ledger::Ledger;
use flowtop_core::scope::Carriers;
use flowtop_core::window::Bytes;

/// Of the network namespace of the thread, unlike `/sys/class/net`, which is that of the mount.
const COUNTERS: &str = "/proc/thread-self/net/dev";
const ROUTES: &str = "/proc/thread-self/net/route";
const ROUTES_V6: &str = "/proc/thread-self/net/ipv6_route";

/// Interfaces, with their counters at the start.
pub struct Meter {
    start: BTreeMap<String, Bytes>,
}

impl Meter {
    /// The same for what is counted now; `None` for a demo.
    pub fn of(source: &Source, interfaces: &Interfaces) -> Option<Self> {
        matches!(source, Source::Live(_)).then(|| Self::start(interfaces)).flatten()
    }

    /// Starts to measure the interfaces of `-i`, else the physical ones, else those with a default route. `None` if there are
    /// none, or the kernel does not tell.
    fn start(interfaces: &Interfaces) -> Option<Self> {
        let mut start = counters()?;
        let chosen: Vec<String> = if interfaces.are_all() {
            default_names(&start)
        } else {
            interfaces.names().iter().map(|name| without_label(name).to_owned()).collect()
        };
        start.retain(|name, _| chosen.contains(name));
        (!start.is_empty()).then_some(Self { start })
    }

    /// What they have carried since, against the flows of a ledger that was empty then.
    pub fn read(&self, ledger: &Ledger) -> Option<Coverage> {
        let now = counters()?;
        let grown = |(name, start): (&String, &Bytes)| now.get(name).map(|now| now.since(*start));
        let interfaces = self.start.iter().filter_map(grown).fold(Bytes::default(), |sum, more| sum + more);
        Some(Coverage {
            names: self.start.keys().cloned().collect(),
            interfaces,
            tcp: ledger.on_interfaces(),
        })
    }
}

/// The ledger that counts what its sockets have put on these interfaces.
pub fn counting(ledger: Ledger, interfaces: &Rc<Interfaces>) -> Ledger {
    if interfaces.are_all() {
        return ledger;
    }
    ledger.over(Rc::<Interfaces>::clone(interfaces) as Rc<dyn Carriers>)
}

/// The device of a label, as `eth0` of `eth0:vip`.
fn without_label(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

fn default_names(all: &BTreeMap<String, Bytes>) -> Vec<String> {
    let is_physical = |name: &&String| Path::new("/sys/class/net").join(name).join("device").exists();
    let physical: Vec<String> = all.keys().filter(is_physical).cloned().collect();
    if !physical.is_empty() {
        return physical;
    }
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    routed(&read(ROUTES), &read(ROUTES_V6))
}

/// Names of the interfaces with a default route, of `lo` and what is rejected none.
fn routed(v4: &str, v6: &str) -> Vec<String> {
    let of_v4 = v4.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")).then(|| fields[0])
    });
    let of_v6 = v6.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_default = fields.first().is_some_and(|to| to.bytes().all(|digit| digit == b'0'));
        (is_default && fields.get(1) == Some(&"00")).then(|| fields.last().copied())?
    });
    of_v4.chain(of_v6).filter(|name| *name != "lo").map(str::to_owned).collect()
}

fn counters() -> Option<BTreeMap<String, Bytes>> {
    Some(parse(&fs::read_to_string(COUNTERS).ok()?))
}

/// Received and sent bytes of each line: the first and the ninth number behind the name.
fn parse(text: &str) -> BTreeMap<String, Bytes> {
    let line = |line: &str| {
        let (name, numbers) = line.rsplit_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|number| number.parse().ok()).collect();
        let [rx, tx] = [numbers.first()?, numbers.get(8)?];
        Some((name.trim().to_owned(), Bytes { tx: *tx, rx: *rx }))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_the_first_and_the_ninth_number() {
        let text = "Inter-|   Receive                            |  Transmit\n \
                    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n    \
                    lo:       7      1    0    0    0     0          0         0        8       1    0\n  \
                    eth0: 1048576   12    0    0    0     0          0         0 20971520      99    0\n";
        let all = parse(text);
        assert_eq!(all["eth0"], Bytes { tx: 20_971_520, rx: 1_048_576 });
        assert_eq!((all["lo"], all.len()), (Bytes { tx: 8, rx: 7 }, 2));
    }

    #[test]
    fn the_way_out_is_that_of_a_default_route() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                  eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n\
                  eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
        let zeros = "0".repeat(32);
        let v6 = format!(
            "{zeros} 00 {zeros} 00 fe80 00000400 00000001 00000000 00000003 eth2\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200 lo\n"
        );
        assert_eq!(routed(v4, &v6), ["eth0", "eth2"]);
        assert_eq!(without_label("eth0:vip"), "eth0");
    }
}
