//! Scopes that depend on the owner of a connection: filters on owners, and the options of tcptop.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Scope, Subject, User, Verdict};
use crate::filter::Filter;
use crate::label::Labels;
use crate::owner::{Owners, is_cgroup_within};

/// A filter that knows owners and labels.
#[derive(Debug)]
pub struct Attributed {
    pub filter: Filter,
    pub owners: Arc<dyn Owners>,
    pub labels: Arc<Labels>,
}

impl Scope for Attributed {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        let asks = self.filter.asks_owner();
        let mut known = subject.users().map(|user| {
            let identity = asks.then(|| self.owners.identity(&user.owner, user.used_ns));
            identity.flatten()
        });
        let [identity, of_peer] = [known.next().flatten(), known.next().flatten()];
        drop(known);
        let peer = subject.peer.map(|user| User { identity: of_peer.as_deref(), ..user });
        let remote = subject.tuple.remote.ip();
        let label = Some(self.labels.of(remote, subject.both_here));
        let asks_pods = self.filter.asks_pods();
        let remote_pod = asks_pods.then(|| self.owners.pod_at(remote)).flatten();
        let namespaces = [Some(subject.netns), subject.peer.map(|peer| peer.netns)]
            .map(|netns| netns.filter(|_| asks_pods));
        let in_netns = namespaces.map(|netns| self.owners.pod_in(netns?));
        let netns_pods = in_netns.each_ref().map(Option::as_deref);
        let (identity, remote_pod) = (identity.as_deref(), remote_pod.as_deref());
        self.filter.verdict(&Subject { identity, peer, netns_pods, label, remote_pod, ..*subject })
    }

    fn asks_for(&self, subject: &Subject<'_>) -> Option<bool> {
        let alone = Subject { peer: None, ..*subject };
        self.filter.tells_ends_apart().then(|| self.verdict(&alone) != Verdict::NONE)
    }

    fn waits(&self, subject: &Subject<'_>) -> bool {
        let waits_for_owner = || self.filter.asks_owner() && waits_for_files(&*self.owners, subject);
        (self.filter.asks_pods() && !self.owners.knows_addresses()) || waits_for_owner()
    }

    fn asks_processes(&self) -> bool {
        self.filter.tells_ends_apart()
    }
}

/// Connections of some processes, whichever end is theirs: `--pid`, `--cgroup` and `--mntns`. What is empty asks nothing.
#[derive(Debug)]
pub struct Processes {
    pub pids: Vec<u32>,
    /// Paths of cgroups, each with all below it.
    pub cgroups: Vec<String>,
    /// Inode numbers of mount namespaces.
    pub mntns: Vec<u64>,
    pub owners: Arc<dyn Owners>,
}

impl Processes {
    fn asks_files(&self) -> bool {
        !(self.cgroups.is_empty() && self.mntns.is_empty())
    }

    fn passes(&self, user: &User<'_>) -> bool {
        let is_one = |pid| self.pids.contains(&pid);
        if !self.pids.is_empty() && !user.pid.is_some_and(is_one) {
            return false;
        }
        if !self.asks_files() {
            return true;
        }
        let Some(identity) = self.owners.identity(&user.owner, user.used_ns) else { return false };
        let within = |path: &str| self.cgroups.iter().any(|subtree| is_cgroup_within(path, subtree));
        (self.cgroups.is_empty() || identity.cgroup.as_deref().is_some_and(within))
            && (self.mntns.is_empty() || identity.mntns.is_some_and(|inode| self.mntns.contains(&inode)))
    }
}

impl Scope for Processes {
    fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        Verdict::both(subject.users().any(|user| self.passes(&user)))
    }

    fn asks_for(&self, subject: &Subject<'_>) -> Option<bool> {
        Some(self.passes(&subject.user()))
    }

    fn waits(&self, subject: &Subject<'_>) -> bool {
        self.asks_files() && waits_for_files(&*self.owners, subject)
    }

    fn asks_processes(&self) -> bool {
        true
    }
}

/// Whether files have not been read yet for a process at one of the ends.
fn waits_for_files(owners: &dyn Owners, subject: &Subject<'_>) -> bool {
    subject.users().any(|user| owners.identity(&user.owner, user.used_ns).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Unresolved;
    use crate::fixture::{ACCEPTED, CONNECTED, flow, key, sample};
    use crate::ledger::{Entry, Ledger};
    use crate::owner::{Identity, Pod, Seen};
    use crate::scope::AllOf;
    use crate::window::Bytes;
    use flowtop_common::Flow;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Answers from the given question on.
    #[derive(Debug)]
    struct Late {
        questions: AtomicU32,
        silent: u32,
    }

    impl Owners for Late {
        fn identity(&self, seen: &Seen, _: u64) -> Option<Arc<Identity>> {
            let asked = self.questions.fetch_add(1, Ordering::Relaxed) + 1;
            let pod = (seen.pid == 7).then(|| "web-0".to_owned());
            let cgroup = Some(format!("/pods/{}", seen.pid));
            let known = Identity { pod, cgroup, mntns: Some(seen.pid.into()), ..Identity::default() };
            (asked > self.silent).then(|| Arc::new(known))
        }

        fn pod_at(&self, address: std::net::IpAddr) -> Option<Arc<Pod>> {
            let is_db = address == std::net::IpAddr::from([192, 0, 2, 1]);
            is_db.then(|| Arc::new(Pod { namespace: None, name: "db-0".to_owned() }))
        }

        fn knows_addresses(&self) -> bool {
            self.questions.fetch_add(1, Ordering::Relaxed) >= self.silent
        }
    }

    fn late(silent: u32) -> Arc<Late> {
        Arc::new(Late { questions: AtomicU32::new(0), silent })
    }

    struct Words;

    impl crate::filter::Names for Words {
        fn addresses(&self, _: &str) -> Result<Vec<std::net::IpAddr>, Unresolved> {
            Err(Unresolved("nobody is asked".to_owned()))
        }

        fn service(&self, _: &str) -> Option<u16> {
            None
        }

        fn own_netns(&self) -> u32 {
            1
        }
    }

    fn attributed(expression: &str, owners: Arc<Late>) -> Box<dyn Scope> {
        let filter = Filter::parse(expression, &Words).unwrap();
        let labels = Arc::new(Labels::parse("192.0.2.0/24 lab").unwrap());
        Box::new(Attributed { filter, owners, labels })
    }

    /// Bytes that count after a sample with 100 of process 7 and 1000 of process 8, and one more of each.
    fn counted(scope: Box<dyn Scope>) -> [u64; 2] {
        let of = |pid, tx| Flow { pid, ..flow(CONNECTED, tx, 0) };
        let keys = [1, 2].map(|id| key(1, "10.0.0.1:40000", "192.0.2.1:80", id));
        let mut ledger = Ledger::new(10, 0);
        ledger.set_scope(Some(scope));
        ledger.apply(&sample(0, &[]));
        for (at_s, more) in [(1, 0), (2, 1)] {
            let flows = [(keys[0], of(7, 100 + more)), (keys[1], of(8, 1000 + more))];
            ledger.apply(&sample(at_s, &flows));
        }
        assert_eq!(
            ledger.totals().bytes,
            ledger.entries().fold(Bytes::default(), |sum, (_, e)| sum + e.bytes())
        );
        keys.map(|key| ledger.get(&key).unwrap().bytes().sum())
    }

    #[test]
    fn a_filter_may_ask_for_the_pod_and_loses_nothing_while_it_waits() {
        assert_eq!(counted(attributed("pod web-*", late(0))), [101, 0]);
        // Both flows ask twice in vain.
        assert_eq!(counted(attributed("pod web-*", late(4))), [101, 0]);
        assert_eq!(counted(attributed("not pod web-*", late(4))), [0, 1001]);
        assert_eq!(counted(attributed("label lab", late(u32::MAX))), [101, 1001]);
        assert_eq!(counted(attributed("label private", late(0))), [0, 0]);
    }

    #[test]
    fn a_filter_may_ask_for_the_pod_at_the_other_end_and_waits_for_its_address() {
        for silent in [0, 2] {
            assert_eq!(counted(attributed("remote-pod db-*", late(silent))), [101, 1001]);
            assert_eq!(counted(attributed("not remote-pod db-*", late(silent))), [0, 0]);
        }
        assert_eq!(counted(attributed("remote-pod db-*", late(u32::MAX))), [0, 0]);
    }

    #[test]
    fn what_nobody_answers_for_is_not_counted_yet() {
        assert_eq!(counted(attributed("pod web-*", late(u32::MAX))), [0, 0]);
    }

    #[test]
    fn processes_are_chosen_by_number_cgroup_and_namespace() {
        let of = |pids: &[u32], cgroups: &[&str], mntns: &[u64]| {
            let cgroups = cgroups.iter().map(|&path| path.to_owned()).collect();
            let scope = Processes { pids: pids.to_vec(), cgroups, mntns: mntns.to_vec(), owners: late(0) };
            counted(Box::new(scope))
        };
        assert_eq!(of(&[8], &[], &[]), [0, 1001]);
        assert_eq!(of(&[], &["/pods/7"], &[]), [101, 0]);
        assert_eq!(of(&[], &["/pods"], &[8]), [0, 1001]);
        assert_eq!(of(&[7], &["/pods/8"], &[]), [0, 0]);
    }

    /// Bytes that count of a connection of process 7 to process 8, which hands it to process 9 after 100 bytes of 300.
    fn counted_between(scope: Box<dyn Scope>) -> u64 {
        let client = key(1, "10.0.0.1:40000", "10.0.0.1:80", 1);
        let server = key(1, "10.0.0.1:80", "10.0.0.1:40000", 2);
        let mut ledger = Ledger::new(10, 0);
        ledger.set_scope(Some(scope));
        ledger.apply(&sample(0, &[]));
        for (at_s, bytes, pid) in [(1, 100, 8), (2, 300, 9)] {
            let [sent, received] = [flow(CONNECTED, bytes, 0), flow(ACCEPTED, 0, bytes)];
            ledger.apply(&sample(
                at_s,
                &[(client, Flow { pid: 7, ..sent }), (server, Flow { pid, ..received })],
            ));
        }
        let ends = [client, server].map(|key| ledger.get(&key).unwrap().bytes());
        let left = [client, server].into_iter().position(|key| !ledger.get(&key).unwrap().is_peer());
        assert_eq!((ends[0], ledger.totals().bytes), (ends[1].mirror(), ends[left.unwrap()]));
        ends[0].sum()
    }

    #[test]
    fn processes_at_either_end_are_asked_about_and_again_when_they_change() {
        let pid = |pid| Processes { pids: vec![pid], cgroups: vec![], mntns: vec![], owners: late(0) };
        assert_eq!([7, 8, 9, 10].map(|number| counted_between(Box::new(pid(number)))), [300, 100, 200, 0]);
        let of = |expression| counted_between(attributed(expression, late(0)));
        assert_eq!(["pid 7", "pid 8", "not pid 8", "pid 9"].map(of), [300, 100, 200, 200]);
        assert_eq!(["pod web-*", "not pod web-*"].map(of), [300, 0]);
        // Whatever is not known yet is waited for, at both ends.
        assert_eq!(counted_between(attributed("pod web-*", late(2))), 300);
    }

    /// What is counted of a connection of process 7 in namespace 1 to process 8 in namespace 2, which has sent 100 bytes and
    /// received 30, and whether the end of process 8 stands left.
    fn turned(scope: Box<dyn Scope>) -> (Bytes, bool) {
        let client = key(1, "10.0.0.1:40000", "10.0.0.2:80", 1);
        let server = key(2, "10.0.0.2:80", "10.0.0.1:40000", 2);
        let mut ledger = Ledger::new(10, 0);
        ledger.set_scope(Some(scope));
        ledger.apply(&sample(0, &[]));
        for at_s in 1..3 {
            let [sent, received] =
                [flow(CONNECTED, 50 * at_s, 15 * at_s), flow(ACCEPTED, 15 * at_s, 50 * at_s)];
            let received = Flow { pid: 8, state: 8, ..received };
            ledger.apply(&sample(at_s, &[(client, Flow { pid: 7, ..sent }), (server, received)]));
        }
        let ends = [client, server].map(|key| ledger.get(&key).unwrap());
        assert_eq!(ends.map(Entry::is_peer).iter().filter(|is_right| **is_right).count(), 1);
        (ledger.totals().bytes, ends[0].is_peer())
    }

    #[test]
    fn the_end_that_is_asked_for_stands_left() {
        let (as_client, as_server) = (Bytes { tx: 100, rx: 30 }, Bytes { tx: 30, rx: 100 });
        let pid = |pid| Processes { pids: vec![pid], cgroups: vec![], mntns: vec![], owners: late(0) };
        assert_eq!(turned(Box::new(pid(7))), (as_client, false));
        assert_eq!(turned(Box::new(pid(8))), (as_server, true));
        let of = |expression| turned(attributed(expression, late(0)));
        // It is asked for by its process, its cgroup's names, and by its socket.
        for expression in ["pid 8", "not pod web-*", "netns 2", "state close-wait", "pid 8 and port 80"] {
            let is_excluded = expression.starts_with("not");
            let counted = if is_excluded { Bytes::default() } else { as_server };
            assert_eq!(of(expression), (counted, true), "{expression}");
        }
        for expression in ["pid 7", "pod web-*", "netns 1", "port 80", "pid 7 or pid 8", "not pid 9"] {
            assert_eq!(of(expression), (as_client, false), "{expression}");
        }
        // Directions are those of the end that is asked for.
        assert_eq!(of("pid 8 and outbound"), (Bytes { tx: 30, rx: 0 }, true));
        // A name that comes late loses nothing.
        assert_eq!(turned(attributed("not pod web-* or pid 8", late(2))), (as_server, true));
    }

    #[test]
    fn of_several_scopes_the_first_that_tells_ends_apart_decides() {
        let pid = |pid| Processes { pids: vec![pid], cgroups: vec![], mntns: vec![], owners: late(0) };
        let both = |number, expression| {
            turned(Box::new(AllOf(vec![Box::new(pid(number)), attributed(expression, late(0))])))
        };
        assert!(both(8, "pid 7").1);
        assert!(!both(7, "pid 8").1);
    }

    #[test]
    fn an_end_that_is_counted_already_stays_where_it_is() {
        let client = key(1, "10.0.0.1:40000", "10.0.0.2:80", 1);
        let server = key(1, "10.0.0.2:80", "10.0.0.1:40000", 2);
        let mut ledger = Ledger::new(10, 0);
        ledger.set_scope(Some(attributed("pid 7 or pid 8", late(0))));
        ledger.apply(&sample(0, &[]));
        for (at_s, pids) in [(1, [7, 8]), (2, [6, 8])] {
            let [sent, received] = [flow(CONNECTED, 50 * at_s, 0), flow(ACCEPTED, 0, 50 * at_s)];
            let of = |flow, pid| Flow { pid, ..flow };
            ledger.apply(&sample(at_s, &[(client, of(sent, pids[0])), (server, of(received, pids[1]))]));
        }
        assert_eq!(ledger.totals().bytes, Bytes { tx: 100, rx: 0 });
        assert!(ledger.get(&server).unwrap().is_peer());
    }
}
