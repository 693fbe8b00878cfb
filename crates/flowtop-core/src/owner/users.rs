//! The processes that use one socket: those that passed it on or hold it, and the one that moves most bytes.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Seen;
use super::processes::Processes;

/// Users remembered one by one, beside the current one.
const MAX_OTHERS: usize = 63;

/// A process and what the socket has moved while it was the last one seen.
#[derive(Clone, Debug, Default)]
struct User {
    /// `None` while no process was seen.
    process: Option<Arc<Seen>>,
    bytes: u64,
}

impl User {
    fn seen(&self) -> Seen {
        self.process.as_deref().copied().unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, |process| process.pid)
    }

    fn is_user_process(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.is_user_process())
    }
}

/// The users of one socket. One costs no allocation: most sockets have no more, and there may be a million of them.
#[derive(Clone, Debug, Default)]
pub struct Users {
    current: User,
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    others: Vec<User>,
    /// Those for whom there was no room.
    beyond: u32,
}

impl Users {
    /// The kernel has seen this process use the socket last; the socket has moved so many bytes since it was looked at
    /// before.
    pub fn used_by(&mut self, seen: Seen, bytes: u64, processes: &mut Processes) {
        if seen.pid == 0 {
            return;
        }
        if self.current.pid() != seen.pid {
            self.pass_on(seen.pid);
        }
        if self.current.process.as_deref() != Some(&seen) {
            self.current.process = Some(processes.get(seen));
        }
        self.current.bytes = self.current.bytes.saturating_add(bytes);
    }

    /// The same where the only user goes on; false where anything else has happened, of which nothing is taken in.
    pub fn goes_on(&mut self, seen: &Seen, bytes: u64) -> bool {
        let is_same = self.more.is_none() && self.current.process.as_deref() == Some(seen);
        if is_same {
            self.current.bytes = self.current.bytes.saturating_add(bytes);
        }
        is_same
    }

    /// There are `count` users, of whom only the shown one is remembered.
    pub fn set_count(&mut self, count: u32) {
        let shown = u32::from(self.current.is_user_process());
        self.more = Some(Box::new(More { others: Vec::new(), beyond: count.saturating_sub(shown) }));
    }

    /// This process has the socket open.
    pub fn held_by(&mut self, seen: Seen, processes: &mut Processes) {
        if self.current.process.is_none() {
            self.current.process = seen.is_process().then(|| processes.get(seen));
        } else if self.current.pid() == seen.pid {
            self.renamed(seen, processes);
        } else if self.position(seen.pid).is_none() {
            self.remember(User { process: Some(processes.get(seen)), bytes: 0 });
        }
    }

    /// The current process may have become another program since it used the socket.
    fn renamed(&mut self, seen: Seen, processes: &mut Processes) {
        let current = self.current.seen();
        if current.comm != seen.comm {
            self.current.process = Some(processes.get(Seen { comm: seen.comm, ..current }));
        }
    }

    #[must_use]
    pub fn current(&self) -> Seen {
        self.current.seen()
    }

    /// The one that moved most bytes; of equals the one seen last.
    #[must_use]
    pub fn busiest(&self) -> Seen {
        self.busiest_process().map_or_else(Seen::default, |process| **process)
    }

    /// The same as it is in memory once; `None` while no process was seen.
    pub fn busiest_process(&self) -> Option<&Arc<Seen>> {
        let mut busiest = &self.current;
        for other in self.others() {
            busiest = if other.bytes > busiest.bytes { other } else { busiest };
        }
        busiest.process.as_ref()
    }

    /// Every user, the busiest first.
    #[must_use]
    pub fn all(&self) -> Vec<Seen> {
        let mut all: Vec<_> = [&self.current].into_iter().chain(self.others()).collect();
        all.retain(|user| user.is_user_process());
        all.sort_by_key(|user| core::cmp::Reverse(user.bytes));
        all.into_iter().map(User::seen).collect()
    }

    #[must_use]
    pub fn count(&self) -> u32 {
        let others = u32::try_from(self.others().len()).unwrap_or(u32::MAX);
        let beyond = self.more.as_ref().map_or(0, |more| more.beyond);
        u32::from(self.current.is_user_process()) + others + beyond
    }

    fn others(&self) -> &[User] {
        self.more.as_ref().map_or(&[], |more| &more.others)
    }

    fn position(&self, pid: u32) -> Option<usize> {
        self.others().iter().position(|user| user.pid() == pid)
    }

    /// The process with this number is the current one from now on.
    fn pass_on(&mut self, pid: u32) {
        if let (Some(at), Some(more)) = (self.position(pid), &mut self.more) {
            core::mem::swap(&mut self.current, &mut more.others[at]);
            return;
        }
        let before = core::mem::take(&mut self.current);
        // What the kernel has made for a process, as the subflows of MPTCP, is the process's once it uses it.
        if before.is_user_process() {
            self.remember(before);
        }
    }

    /// With no room left the idlest goes.
    fn remember(&mut self, user: User) {
        let More { others, beyond } = &mut **self.more.get_or_insert_default();
        others.push(user);
        if others.len() <= MAX_OTHERS {
            return;
        }
        *beyond = beyond.saturating_add(1);
        if let Some((at, _)) = others.iter().enumerate().min_by_key(|(_, user)| user.bytes) {
            others.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(pid: u32) -> Seen {
        Seen { pid, ..Seen::default() }
    }

    fn pids(users: &Users) -> Vec<u32> {
        users.all().iter().map(|seen| seen.pid).collect()
    }

    #[test]
    fn a_socket_that_is_passed_on_keeps_both_and_shows_the_busier() {
        let (mut users, processes) = (Users::default(), &mut Processes::default());
        users.used_by(seen(1), 100, processes);
        users.used_by(seen(2), 10, processes);
        assert_eq!((users.busiest().pid, users.count(), pids(&users)), (1, 2, vec![1, 2]));
        users.used_by(seen(2), 500, processes);
        users.used_by(seen(1), 1, processes);
        assert_eq!((users.busiest().pid, users.count(), pids(&users)), (2, 2, vec![2, 1]));
    }

    #[test]
    fn who_holds_a_socket_counts_and_who_uses_it_is_shown() {
        let (mut users, processes) = (Users::default(), &mut Processes::default());
        users.held_by(seen(5), processes);
        users.held_by(seen(6), processes);
        users.held_by(seen(5), processes);
        assert_eq!((users.busiest().pid, users.count()), (5, 2));
        users.used_by(seen(6), 1, processes);
        users.used_by(seen(0), 9, processes);
        assert_eq!((users.busiest().pid, users.count()), (6, 2));
    }

    #[test]
    fn a_holder_that_has_become_another_program_has_its_name() {
        let (mut users, processes) = (Users::default(), &mut Processes::default());
        users.used_by(Seen { pid: 5, cgroup_id: 9, comm: *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0" }, 7, processes);
        users.held_by(Seen { pid: 5, cgroup_id: 0, comm: *b"curl\0\0\0\0\0\0\0\0\0\0\0\0" }, processes);
        let shown = users.busiest();
        assert_eq!((&shown.comm[..4], shown.cgroup_id, users.count()), (&b"curl"[..], 9, 1));
    }

    #[test]
    fn the_kernel_owns_a_socket_until_a_process_uses_it_and_counts_for_no_user() {
        let (mut users, processes) = (Users::default(), &mut Processes::default());
        users.held_by(seen(flowtop_common::KERNEL_PID), processes);
        assert_eq!((users.busiest().is_kernel(), users.count()), (true, 0));
        users.used_by(seen(7), 10, processes);
        assert_eq!((users.busiest().pid, users.count()), (7, 1));
    }

    #[test]
    fn nobody_is_nobody() {
        let users = Users::default();
        assert_eq!((users.busiest(), users.count(), users.all().len()), (Seen::default(), 0, 0));
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_the_busiest_is_kept(uses in prop::collection::vec((1..200_u32, 0..100_u64), 0..400)) {
            let (mut users, processes) = (Users::default(), &mut Processes::default());
            for (pid, bytes) in &uses {
                users.used_by(seen(*pid), *bytes, processes);
                users.used_by(seen(777), 1000, processes);
            }
            prop_assert!(users.others().len() <= MAX_OTHERS);
            if !uses.is_empty() {
                prop_assert_eq!(users.busiest().pid, 777);
            }
        }
    }
}
