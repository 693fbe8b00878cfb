//! Identity of this host, and counters of its interfaces.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flowtop_core::record::{Host, InterfaceRecord};
use flowtop_core::window::Bytes;

const INTERFACES: &str = "/sys/class/net";

/// Name and ids of this host, from files below `root`.
#[must_use]
pub fn host(root: &Path) -> Host {
    let id = |path: PathBuf| fs::read_to_string(path).ok().and_then(|text| id(&text)).unwrap_or_default();
    Host {
        name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        machine_id: id(root.join("etc/machine-id")),
        // The boot id is that of the running kernel, whatever `root` is.
        boot_id: id(PathBuf::from("/proc/sys/kernel/random/boot_id")),
    }
}

/// Parses 32 hexadecimal digits, with or without dashes.
fn id(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32).map(u128::to_be_bytes)
}

/// Counters of the interfaces in flowtop's network namespace, each since the interface was created.
#[derive(Clone, Debug, Default)]
pub struct Interfaces(BTreeMap<String, InterfaceRecord>);

impl Interfaces {
    /// Reads the counters. Empty if the kernel does not provide them.
    #[must_use]
    pub fn read() -> Self {
        let entries = fs::read_dir(INTERFACES).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        Self(names.filter_map(|name| Some((name.clone(), counters(&name)?))).collect())
    }

    /// Difference to `earlier`. If an interface has been created since, all of its count.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Vec<InterfaceRecord> {
        let new = InterfaceRecord::default();
        self.0.iter().map(|(name, now)| difference(now, earlier.0.get(name).unwrap_or(&new))).collect()
    }
}

fn counters(name: &str) -> Option<InterfaceRecord> {
    let counter = |counter: &str| -> Option<u64> {
        let path = Path::new(INTERFACES).join(name).join("statistics").join(counter);
        fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    let both =
        |what: &str| Some(Bytes { tx: counter(&format!("tx_{what}"))?, rx: counter(&format!("rx_{what}"))? });
    Some(InterfaceRecord {
        name: name.to_owned(),
        bytes: both("bytes")?,
        packets: both("packets")?,
        drops: both("dropped")?,
    })
}

fn difference(now: &InterfaceRecord, earlier: &InterfaceRecord) -> InterfaceRecord {
    let one = |now: u64, earlier: u64| if now < earlier { now } else { now - earlier };
    let both =
        |now: Bytes, earlier: Bytes| Bytes { tx: one(now.tx, earlier.tx), rx: one(now.rx, earlier.rx) };
    InterfaceRecord {
        name: now.name.clone(),
        bytes: both(now.bytes, earlier.bytes),
        packets: both(now.packets, earlier.packets),
        drops: both(now.drops, earlier.drops),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_32_digits() {
        let expected = Some([0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(id("0f1e2d3c4b5a69780001020304050607\n"), expected);
        assert_eq!(id("0f1e2d3c-4b5a-6978-0001-020304050607\n"), expected);
        assert_eq!(id("uninitialized"), None);
        assert!(host(Path::new("/")).boot_id != [0; 16]);
    }

    #[test]
    fn an_interface_counts_from_where_it_stood_or_came() {
        let one = |name: &str, tx| InterfaceRecord {
            name: name.to_owned(),
            bytes: Bytes { tx, rx: 0 },
            ..InterfaceRecord::default()
        };
        let all = |interfaces: &[(&str, u64)]| {
            Interfaces(interfaces.iter().map(|(name, tx)| ((*name).to_owned(), one(name, *tx))).collect())
        };
        let earlier = all(&[("eth0", 10), ("gone", 5), ("again", 100)]);
        let now = all(&[("again", 3), ("eth0", 30), ("new", 7)]);
        assert_eq!(now.since(&earlier), [one("again", 3), one("eth0", 20), one("new", 7)]);
    }
}
