//! Interned processes: a million sockets may belong to a hundred of them.

use alloc::sync::Arc;
use hashbrown::HashSet;

use foldhash::fast::RandomState;

use super::Seen;

/// So many are kept before unused ones are searched for.
const MIN_ROOM: usize = 1024;

/// Interned processes, because many sockets share one.
#[derive(Debug, Default)]
pub struct Processes {
    known: HashSet<Arc<Seen>, RandomState>,
    /// How many there may be before those without a socket are forgotten.
    room: usize,
}

impl Processes {
    /// The one copy of a process.
    pub fn get(&mut self, seen: Seen) -> Arc<Seen> {
        if let Some(known) = self.known.get(&seen) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.room {
            self.known.retain(|process| Arc::strong_count(process) > 1);
            self.room = MIN_ROOM.max(2 * self.known.len());
        }
        let new = Arc::new(seen);
        self.known.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pid: u32) -> Seen {
        Seen { pid, ..Seen::default() }
    }

    #[test]
    fn a_process_is_in_memory_once() {
        let mut processes = Processes::default();
        let (one, same, other) =
            (processes.get(seen(1)), processes.get(seen(1)), processes.get(Seen { cgroup_id: 5, ..seen(1) }));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn processes_without_a_socket_are_forgotten_and_those_with_one_stay() {
        let mut processes = Processes::default();
        let kept: Vec<_> = (1..3000).map(|pid| processes.get(seen(pid))).collect();
        for pid in 10_000..100_000 {
            processes.get(seen(pid));
        }
        assert!(processes.known.len() <= processes.room && processes.room <= 4 * kept.len());
        assert!(kept.iter().all(|process| Arc::ptr_eq(process, &processes.get(**process))));
    }
}
