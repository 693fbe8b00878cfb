//! The processes that use one socket: who passes it on, who holds it, and which of them moves most bytes.

use super::Seen;

/// Users remembered one by one, beside the current one.
const MAX_OTHERS: usize = 63;

/// A process and what the socket has moved while it was the last one seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct User {
    seen: Seen,
    bytes: u64,
}

/// The users of one socket. One costs no allocation: most sockets have no more, and there may be a million of them.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// The last one seen.
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
    pub fn used_by(&mut self, seen: Seen, bytes: u64) {
        if seen.pid == 0 {
            return;
        }
        if self.current.seen.pid != seen.pid {
            self.pass_on(seen);
        }
        self.current.seen = seen;
        self.current.bytes = self.current.bytes.saturating_add(bytes);
    }

    /// There are `count` users, of whom nobody remembers more than the one that is shown.
    pub(in crate::core) fn set_count(&mut self, count: u32) {
        let shown = u32::from(self.current.seen.is_user_process());
        self.more = Some(Box::new(More { others: Vec::new(), beyond: count.saturating_sub(shown) }));
    }

    /// This process has the socket open.
    pub fn held_by(&mut self, seen: Seen) {
        if self.current.seen.pid == 0 {
            self.current.seen = seen;
        } else if self.current.seen.pid != seen.pid && self.position(seen.pid).is_none() {
            self.remember(User { seen, bytes: 0 });
        }
    }

    /// The one seen last.
    #[must_use]
    pub fn current(&self) -> Seen {
        self.current.seen
    }

    /// The one that moved most bytes; of equals the one seen last.
    #[must_use]
    pub fn busiest(&self) -> Seen {
        let busier = |best: User, other: &User| if other.bytes > best.bytes { *other } else { best };
        self.others().iter().fold(self.current, busier).seen
    }

    /// Every user, the busiest first.
    #[must_use]
    pub fn all(&self) -> Vec<Seen> {
        let mut all: Vec<_> = [self.current].into_iter().chain(self.others().iter().copied()).collect();
        all.retain(|user| user.seen.is_user_process());
        all.sort_by_key(|user| std::cmp::Reverse(user.bytes));
        all.iter().map(|user| user.seen).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        let others = u32::try_from(self.others().len()).unwrap_or(u32::MAX);
        let beyond = self.more.as_ref().map_or(0, |more| more.beyond);
        u32::from(self.current.seen.is_user_process()) + others + beyond
    }

    fn others(&self) -> &[User] {
        self.more.as_ref().map_or(&[], |more| &more.others)
    }

    fn position(&self, pid: u32) -> Option<usize> {
        self.others().iter().position(|user| user.seen.pid == pid)
    }

    fn pass_on(&mut self, seen: Seen) {
        if let (Some(at), Some(more)) = (self.position(seen.pid), &mut self.more) {
            std::mem::swap(&mut self.current, &mut more.others[at]);
            return;
        }
        let before = std::mem::replace(&mut self.current, User { seen, bytes: 0 });
        // What the kernel has made for a process, as the subflows of MPTCP, is the process's once it uses it.
        if before.seen.is_user_process() {
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
        let mut users = Users::default();
        users.used_by(seen(1), 100);
        users.used_by(seen(2), 10);
        assert_eq!((users.busiest().pid, users.count(), pids(&users)), (1, 2, vec![1, 2]));
        users.used_by(seen(2), 500);
        users.used_by(seen(1), 1);
        assert_eq!((users.busiest().pid, users.count(), pids(&users)), (2, 2, vec![2, 1]));
    }

    #[test]
    fn who_holds_a_socket_counts_and_who_uses_it_is_shown() {
        let mut users = Users::default();
        users.held_by(seen(5));
        users.held_by(seen(6));
        users.held_by(seen(5));
        assert_eq!((users.busiest().pid, users.count()), (5, 2));
        users.used_by(seen(6), 1);
        users.used_by(seen(0), 9);
        assert_eq!((users.busiest().pid, users.count()), (6, 2));
    }

    #[test]
    fn the_kernel_owns_a_socket_until_a_process_uses_it_and_counts_for_no_user() {
        let mut users = Users::default();
        users.held_by(seen(flowtop_common::KERNEL_PID));
        assert_eq!((users.busiest().is_kernel(), users.count()), (true, 0));
        users.used_by(seen(7), 10);
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
            let mut users = Users::default();
            for (pid, bytes) in &uses {
                users.used_by(seen(*pid), *bytes);
                users.used_by(seen(777), 1000);
            }
            prop_assert!(users.others().len() <= MAX_OTHERS);
            if !uses.is_empty() {
                prop_assert_eq!(users.busiest().pid, 777);
            }
        }
    }
}
