//! Names of hosts and services, resolved in the background.
//!
//! A report never waits: a name is shown when it has come. Lookups go the way of this system (`nsswitch.conf`), one
//! at a time. Where that takes DNS over TCP, the connection is flowtop's own: it counts like any other, its owner is
//! flowtop, and stderr says so once.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use flowtop_core::ledger::Ledger;
use flowtop_core::names::{Cache, Names, Services};
use flowtop_core::sanitize::harmless;

/// The name of this host, fit for a screen: it may hold any bytes.
#[must_use]
pub fn own_host() -> String {
    harmless(&rustix::system::uname().nodename().to_string_lossy())
}

/// Hosts that wait to be asked for. Those beyond are asked for by a later report.
const QUEUE: usize = 256;

/// Names of hosts, resolved on another thread, and of services.
#[derive(Debug)]
pub struct Resolver {
    shared: Arc<Shared>,
    questions: SyncSender<IpAddr>,
    services: Services,
}

#[derive(Debug)]
struct Shared {
    cache: Mutex<Cache>,
    start: Instant,
}

impl Shared {
    fn now_s(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// Reads the services and starts the thread that asks for hosts; it ends with the resolver. A system without a
    /// list of services has no names for them.
    pub fn start() -> std::io::Result<Self> {
        let services = fs::read("/etc/services").unwrap_or_default();
        let services = Services::parse(&String::from_utf8_lossy(&services));
        let shared = Arc::new(Shared { cache: Mutex::default(), start: Instant::now() });
        let (questions, queue) = sync_channel(QUEUE);
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("names".to_owned()).spawn(move || work(&queue, &theirs))?;
        Ok(Self { shared, questions, services })
    }
}

impl Names for Resolver {
    fn host(&self, address: IpAddr) -> Option<String> {
        let now_s = self.shared.now_s();
        let mut cache = self.shared.cache();
        let (name, wanted) = cache.get(address, now_s);
        if wanted && self.questions.try_send(address).is_ok() {
            cache.ask(address, now_s);
        }
        name
    }

    fn service(&self, port: u16) -> Option<&str> {
        self.services.get(port)
    }
}

fn work(queue: &Receiver<IpAddr>, shared: &Shared) {
    for address in queue {
        // A host without a name is given as its number.
        let name = dns_lookup::lookup_addr(&address).ok().filter(|name| name.parse::<IpAddr>().is_err());
        let now_s = shared.now_s();
        shared.cache().answer(address, name.as_deref(), now_s);
    }
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
    fn the_first_question_is_not_answered_and_does_not_wait() {
        let (questions, queue) = sync_channel(1);
        let shared = Arc::new(Shared { cache: Mutex::default(), start: Instant::now() });
        let resolver = Resolver { shared, questions, services: Services::default() };
        let hosts = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(hosts.map(|host| resolver.host(host)), [None, None]);
        assert_eq!(queue.try_recv(), Ok(hosts[0]));
        // The queue had no room for the second; it has now. The first is not asked for again.
        assert_eq!(hosts.map(|host| resolver.host(host)), [None, None]);
        assert_eq!(queue.try_recv(), Ok(hosts[1]));
        assert!(queue.try_recv().is_err());
        resolver.shared.cache().answer(hosts[0], Some("gate.example"), 0);
        assert_eq!(resolver.host(hosts[0]).as_deref(), Some("gate.example"));
    }
}
