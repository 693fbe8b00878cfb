//! Names that tell hosts apart.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::Host;

/// Digits of a machine ID that follow the name of a host, unless that leaves two hosts with one name.
const SHORT: usize = 8;

/// Shortest names that tell the hosts of a report apart.
#[derive(Clone, Debug)]
pub struct Names {
    /// How many digits of the machine ID follow a name that several machines have.
    digits: BTreeMap<String, usize>,
}

/// Finds names for these hosts, the same host in several of its lives included: two machines of one name, clones of one
/// image say, are told apart by the first digits of `/etc/machine-id`, as in `node-1@2f9c01d4`.
#[must_use]
pub fn tell_apart<'a>(hosts: impl Iterator<Item = &'a Host>) -> Names {
    let mut machines: BTreeMap<&str, BTreeSet<[u8; 16]>> = BTreeMap::new();
    for host in hosts {
        machines.entry(&host.name).or_default().insert(host.machine_id);
    }
    let several = machines.into_iter().filter(|(_, ids)| ids.len() > 1);
    Names { digits: several.map(|(name, ids)| (name.to_owned(), digits(&ids))).collect() }
}

impl Names {
    /// The name of one of them.
    #[must_use]
    pub fn of(&self, host: &Host) -> String {
        match self.digits.get(&host.name) {
            Some(digits) => format!("{}@{}", host.name, &hex(host.machine_id)[..*digits]),
            None => host.name.clone(),
        }
    }
}

fn hex(machine_id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(machine_id))
}

fn digits(ids: &BTreeSet<[u8; 16]>) -> usize {
    let starts: BTreeSet<_> = ids.iter().map(|id| hex(*id)[..SHORT].to_owned()).collect();
    if starts.len() == ids.len() { SHORT } else { 32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, id: u128, boot: u8) -> Host {
        Host { name: name.to_owned(), machine_id: id.to_be_bytes(), boot_id: [boot; 16] }
    }

    fn named(hosts: &[Host]) -> Vec<String> {
        let names = tell_apart(hosts.iter());
        hosts.iter().map(|host| names.of(host)).collect()
    }

    #[test]
    fn hosts_of_one_name_are_told_apart_by_their_machine_ids() {
        let hosts = [host("a", 1 << 127, 1), host("b", 5, 2), host("a", 0x0123_4567 << 96, 3)];
        assert_eq!(named(&hosts), ["a@80000000", "b", "a@01234567"]);
    }

    #[test]
    fn a_host_that_was_booted_again_keeps_its_name() {
        assert_eq!(named(&[host("a", 1, 1), host("a", 1, 2)]), ["a", "a"]);
    }

    #[test]
    fn machine_ids_that_begin_alike_are_told_in_full() {
        let [first, second] = [1, 2].map(|id| format!("a@{id:032x}"));
        assert_eq!(named(&[host("a", 1, 1), host("a", 2, 1)]), [first, second]);
    }
}
