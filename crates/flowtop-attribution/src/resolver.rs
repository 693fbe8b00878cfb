//! Names of hosts and services, resolved in the background.
//!
//! A report never waits: a name is shown when it has come. Lookups go the way of this system (`nsswitch.conf`), one
//! at a time. Where that takes DNS over TCP, the connection is flowtop's own: it counts like any other, its owner is
//! flowtop, and stderr says so once.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use crate::lookups::{Answers, Limits, Lookups, Questions};
use crate::system_names;
use flowtop_core::ledger::Ledger;
use flowtop_core::names::{Names, Services, is_resolvable};
use flowtop_core::sanitize::{harmless, printable};

/// The name of this host, fit for a screen: it may hold any bytes.
#[must_use]
pub fn own_host() -> String {
    harmless(&rustix::system::uname().nodename().to_string_lossy())
}

const LIMITS: Limits = Limits { answers: 16_384, questions: 256 };
/// How long a name holds, in seconds.
const NAME_HOLDS_S: u64 = 600;
/// How long it holds that an address has no name, in seconds.
const FAILURE_HOLDS_S: u64 = 60;

type Hosts = Lookups<IpAddr, String, IpAddr>;

/// Names of hosts, resolved on another thread, and of services.
#[derive(Debug)]
pub struct Resolver {
    hosts: Hosts,
    services: Services,
}

impl Resolver {
    /// Reads the services database, and starts the thread that resolves host names; it ends with the resolver. If the
    /// database is missing, no service has a name.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let services = fs::read("/etc/services").unwrap_or_default();
        let services = Services::parse(&String::from_utf8_lossy(&services));
        Ok(Self { hosts: Hosts::start("names", LIMITS, work)?, services })
    }
}

impl Names for Resolver {
    fn host(&self, address: IpAddr) -> Option<String> {
        let now_s = self.hosts.answers.now_s();
        is_resolvable(address).then(|| self.hosts.get(&address, now_s, || address))?
    }

    fn service(&self, port: u16) -> Option<&str> {
        self.services.get(port)
    }
}

fn work(questions: Questions<IpAddr, String, IpAddr>) {
    let answers = Arc::clone(&questions.answers);
    for address in questions {
        let name = system_names::name(address);
        store(&answers, address, name.as_deref());
    }
}

/// Stores a name as words of ASCII, since whoever runs the DNS zone chooses it.
fn store(answers: &Answers<IpAddr, String>, address: IpAddr, name: Option<&str>) {
    let hold_s = if name.is_some() { NAME_HOLDS_S } else { FAILURE_HOLDS_S };
    let until_s = answers.now_s() + hold_s;
    answers.cache().answer(&address, name.map(printable), Some(until_s));
}

/// Watches for flowtop's own connections: it makes none but to look names up.
#[derive(Debug)]
pub struct OwnLookups {
    /// Of flowtop, as the kernel numbers it; `None` once it has been said.
    pid: Option<u32>,
}

impl OwnLookups {
    /// `host_root` is where the file system of the host is: there the process is not numbered as in a container.
    pub fn new(host_root: &str) -> Self {
        let link = fs::read_link(Path::new(host_root).join("proc/self")).ok();
        let on_host = link.and_then(|pid| pid.to_str()?.parse().ok());
        Self { pid: on_host.or_else(|| Some(std::process::id())) }
    }

    /// One-time note when the first of them is in the ledger.
    pub fn note(&mut self, ledger: &Ledger) -> Option<&'static str> {
        let is_own = |pid: &mut u32| ledger.new_owners().any(|(seen, _)| seen.pid == *pid);
        self.pid.take_if(is_own).map(|_| "its own lookups of names are among the connections")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_may_have_a_name_are_asked_for() {
        let (hosts, queue) = Hosts::without_thread(LIMITS);
        let resolver = Resolver { hosts, services: Services::default() };
        for address in ["fe80::1", "fec0::1", "::1", "192.0.2.1"] {
            assert_eq!(resolver.host(address.parse().unwrap()), None);
        }
        let asked: Vec<_> = queue.try_iter().map(|address| address.to_string()).collect();
        assert_eq!(asked, ["::1", "192.0.2.1"]);
        let host = IpAddr::from([192, 0, 2, 1]);
        store(&resolver.hosts.answers, host, Some("a b\x1b[2J\u{202e}ü"));
        assert_eq!(resolver.host(host).as_deref(), Some("a?b?[2J??"));
    }

    #[test]
    fn a_failure_is_tried_again_sooner_than_a_name() {
        let (hosts, _queue) = Hosts::without_thread(LIMITS);
        let address = IpAddr::from([192, 0, 2, 1]);
        let is_wanted = |name, now_s| {
            hosts.answers.cache().ask(address, 0);
            store(&hosts.answers, address, name);
            hosts.answers.cache().get(&address, now_s).1
        };
        let later_s = FAILURE_HOLDS_S + 30;
        assert!(is_wanted(None, later_s));
        assert!(!is_wanted(Some("gate.example"), later_s));
    }
}
