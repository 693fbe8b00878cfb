//! Names of hosts and services, asked for in the background.
//!
//! A report never waits: a name is shown when it has come. Lookups go the way of this system (`nsswitch.conf`), one
//! at a time. Where that takes DNS over TCP, the connection is flowtop's own and is listed as what it is, with the
//! command `flowtop`.

use std::fs;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::core::names::{Cache, Names, Services};

/// Hosts that wait to be asked for. Those beyond are asked for by a later report.
const QUEUE: usize = 256;

/// Names of hosts and services.
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
