//! Finds the sockets of a record in the record before, by key or by 5-tuple.

use std::cmp::Ordering;
use std::collections::HashMap;

use flowtop_common::FlowKey;
use foldhash::fast::RandomState;

use super::super::moved::NO_PAIR;
use super::Socket;
use flowtop_core::record::FlowRecord;

/// Maps the sockets of a record to those of the previous record.
#[derive(Debug)]
pub struct Matched {
    /// For each flow its place in the previous record, or [`NO_PLACE`].
    same: Vec<u32>,
    /// Places in the previous record whose key this record does not have.
    not_found: Vec<usize>,
    /// Places in the previous record that were found under another id, sorted.
    pub moved_on: Vec<usize>,
}

/// Marks a socket that the previous record does not have.
const NO_PLACE: u32 = u32::MAX;

impl Matched {
    /// Compares sockets and flows, which must both be sorted by [`Socket::order`].
    pub fn new(sockets: &[Socket], flows: &[FlowRecord], until_ns: u64) -> Self {
        let mut matched =
            Self { same: Vec::with_capacity(flows.len()), not_found: Vec::new(), moved_on: Vec::new() };
        let (mut passed, mut by_tuple) = (0, None);
        for flow in flows {
            let found = matched
                .pass(sockets, &mut passed, &flow.key)
                .or_else(|| matched.by_tuple(sockets, &mut by_tuple, flow, until_ns));
            matched.same.push(found.map_or(NO_PLACE, |place| u32::try_from(place).unwrap_or(NO_PLACE)));
        }
        matched.not_found.extend(passed..sockets.len());
        matched.moved_on.sort_unstable();
        matched
    }

    pub fn same(&self, place: usize) -> Option<usize> {
        self.same.get(place).filter(|place| **place != NO_PLACE).map(|place| *place as usize)
    }

    /// Advances `passed` to the socket with this key.
    fn pass(&mut self, sockets: &[Socket], passed: &mut usize, key: &FlowKey) -> Option<usize> {
        while let Some(socket) = sockets.get(*passed) {
            match Socket::order(&socket.key).cmp(&Socket::order(key)) {
                Ordering::Less => self.not_found.push(*passed),
                Ordering::Equal => {
                    *passed += 1;
                    return Some(*passed - 1);
                }
                Ordering::Greater => break,
            }
            *passed += 1;
        }
        None
    }

    /// The same socket under another id: each run of a recorder gives its own to those that it finds, or sees born. Of
    /// all sockets that were open at the end of the last record, one has this tuple; and it has moved no more than this
    /// one.
    fn by_tuple(
        &mut self,
        sockets: &[Socket],
        by_tuple: &mut Option<HashMap<FlowKey, usize, RandomState>>,
        flow: &FlowRecord,
        until_ns: u64,
    ) -> Option<usize> {
        let is_new = flow.is_born() && flow.flow.opened_ns >= until_ns;
        if is_new || sockets.is_empty() {
            return None;
        }
        let by_tuple = by_tuple.get_or_insert_with(|| {
            let open = sockets.iter().enumerate().filter(|(_, socket)| !socket.has_ended());
            open.map(|(place, socket)| (FlowKey { id: 0, ..socket.key }, place)).collect()
        });
        let place = *by_tuple.get(&FlowKey { id: 0, ..flow.key })?;
        let socket = &sockets[place];
        let (then, now) = (socket.lifetime, flow.lifetime());
        let is_it = socket.key.id != flow.key.id && then.tx <= now.tx && then.rx <= now.rx;
        is_it.then(|| {
            self.moved_on.push(place);
            place
        })
    }

    /// Sockets that the next record does not have. One that was found under another id is included without its pair,
    /// because only its old id is gone.
    pub fn gone<'a>(&'a self, sockets: &'a [Socket]) -> impl Iterator<Item = Socket> + 'a {
        self.not_found.iter().map(|place| {
            let socket = sockets[*place].clone();
            let has_moved_on = self.moved_on.binary_search(place).is_ok();
            if has_moved_on { Socket { pair: NO_PAIR, ..socket } } else { socket }
        })
    }
}
