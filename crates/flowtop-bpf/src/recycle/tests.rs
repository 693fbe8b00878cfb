use super::*;
use proptest::prelude::*;
use std::convert::Infallible;

/// The kernel side, as far as slots go. `collide` lets a second processor interfere with one that takes a slot.
#[derive(Default)]
struct Kernel {
    allocation: Allocation,
    ring: Vec<usize>,
    open: Vec<bool>,
}

impl Kernel {
    fn new(slots: usize) -> Self {
        Self { ring: vec![0; slots.next_power_of_two()], open: vec![false; slots], ..Self::default() }
    }

    fn take(&mut self, collide: bool) -> Option<usize> {
        let Allocation { next, head, tail } = self.allocation;
        let (counter, number) = if head < tail {
            (&mut self.allocation.head, self.ring[usize::try_from(head).unwrap() & (self.ring.len() - 1)])
        } else if next + 1 < self.open.len() as u64 {
            (&mut self.allocation.next, usize::try_from(next).unwrap() + 1)
        } else {
            return None;
        };
        *counter += 1 + u64::from(collide);
        if collide {
            return None;
        }
        assert!(!self.open[number], "slot {number} was given out twice");
        self.open[number] = true;
        Some(number)
    }

    fn read(&mut self, recycler: &mut Recycler, remove: &[usize]) {
        for number in Recycler::used(&self.allocation, self.open.len()) {
            if !self.open[number] {
                recycler.saw_empty(number, &self.allocation);
            }
        }
        for &number in remove {
            self.open[number] = false;
        }
        let mask = self.ring.len() - 1;
        let ring = &mut self.ring;
        let put = |position: usize, number| {
            ring[position & mask] = number;
            Ok::<_, Infallible>(())
        };
        if let Ok(Some(tail)) = recycler.give_back(remove, &self.allocation, put) {
            self.allocation.tail = tail;
        }
    }
}

#[test]
fn a_slot_that_is_given_back_is_given_out_again() {
    let (mut kernel, mut recycler) = (Kernel::new(4), Recycler::default());
    let taken = [(); 3].map(|()| kernel.take(false).unwrap());
    assert_eq!((taken, kernel.take(false)), ([1, 2, 3], None));
    kernel.read(&mut recycler, &[2]);
    assert_eq!((kernel.take(false), kernel.take(false)), (Some(2), None));
}

#[test]
fn a_slot_lost_to_a_collision_comes_back() {
    let (mut kernel, mut recycler) = (Kernel::new(4), Recycler::default());
    assert_eq!(kernel.take(true), None);
    assert_eq!((kernel.take(false), kernel.take(false)), (Some(3), None));
    for _ in 0..=EMPTY_READS {
        kernel.read(&mut recycler, &[]);
    }
    let mut back = [kernel.take(false).unwrap(), kernel.take(false).unwrap()];
    back.sort_unstable();
    assert_eq!((back, kernel.take(false)), ([1, 2], None));
}

#[test]
fn a_slot_that_waits_in_the_ring_is_not_lost() {
    let (mut kernel, mut recycler) = (Kernel::new(4), Recycler::default());
    let taken = kernel.take(false).unwrap();
    kernel.read(&mut recycler, &[taken]);
    for _ in 0..10 {
        kernel.read(&mut recycler, &[]);
    }
    assert_eq!((kernel.allocation.head, kernel.allocation.tail), (0, 1));
}

proptest! {
    /// Whatever opens, ends and collides: no slot is given out twice (asserted in `take`), and in the end all of
    /// them can be had.
    #[test]
    fn no_slot_is_shared_and_none_is_lost(steps in prop::collection::vec((0u8..4, any::<bool>(), any::<u16>()), 0..200)) {
        const SLOTS: usize = 9;
        let (mut kernel, mut recycler) = (Kernel::new(SLOTS), Recycler::default());
        let mut open = Vec::new();
        for (kind, collide, pick) in steps {
            if kind < 3 {
                open.extend(kernel.take(collide && kind == 0));
            } else {
                let ended: Vec<usize> = if open.is_empty() { Vec::new() } else { vec![open.swap_remove(usize::from(pick) % open.len())] };
                kernel.read(&mut recycler, &ended);
            }
        }
        for _ in 0..=EMPTY_READS {
            kernel.read(&mut recycler, &[]);
        }
        kernel.read(&mut recycler, &open.split_off(0));
        let all = std::iter::from_fn(|| kernel.take(false)).count();
        prop_assert_eq!(all, SLOTS - 1);
    }
}
