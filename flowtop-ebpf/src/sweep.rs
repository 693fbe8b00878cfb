//! A pass over all sockets that have a state: each entry is brought up to date, without any call of an application.
//!
//! The walk of the kernel (`iter/bpf_sk_storage_map`, Linux 5.9; `kernel/bpf/bpf_local_storage.c` and
//! `net/core/bpf_sk_storage.c`) goes over the map in which sockets keep their state, so it meets those of every network
//! namespace and no others. It holds no lock of the socket: meanwhile the application may send and receive, the
//! connection may end, and the socket may begin another one. So the counters of an entry are raised by
//! [`raise_among_others`], and only if the entry was still the socket's after the last field had been read.

use crate::{
    counters::{self, raise_among_others, state},
    entry::{Entry, Target},
    holders::Meta,
    layout::{SharedSlot, SocketState, socket},
    read::{Socket, Typed},
    refresh, untracked,
};
use core::{
    ffi::c_void,
    sync::atomic::{Ordering, compiler_fence},
};
use flowtop_common::{Field, flags};

/// `struct bpf_iter__bpf_sk_storage_map`.
#[repr(C)]
pub struct Context {
    _meta: *const Meta,
    _map: *const c_void,
    sk: *const c_void,
    value: *const SocketState,
}

/// One socket and its state, both null at the end of the walk.
#[inline(always)]
pub fn visit(ctx: &Context) {
    if ctx.sk.is_null() || ctx.value.is_null() {
        return;
    }
    // SAFETY: the verifier knows the value as one of the map; its fields are all shared words.
    let of: &'static SocketState = unsafe { &*ctx.value };
    if !of.has(socket::HAS_FLOW) {
        return;
    }
    let Some(sk) = Socket::<Typed>::known(ctx.sk) else { return };
    match Target::of(of) {
        Target::Entry(entry) if is_open(entry.slot) && has_moved(&sk, entry.slot) => raise(&sk, of, entry),
        Target::Untracked(of) => raise_untracked(&sk, of),
        Target::Entry(_) | Target::Miss => {}
    }
}

#[inline(always)]
fn is_open(slot: &SharedSlot) -> bool {
    u32::from(slot.flags.get()) & (flags::OPEN | flags::ENDED) == flags::OPEN
}

/// Whether anything has happened to the socket since the entry was brought up to date: three words of the socket tell, so
/// that a pass over idle sockets costs little. A FIN that has been queued or read makes it look so; then nothing is raised.
#[inline(always)]
fn has_moved(sk: &Socket<Typed>, slot: &SharedSlot) -> bool {
    let is_at = |seq: u32, origin: u32, bytes: u64| seq.wrapping_sub(origin) == bytes as u32;
    sk.tcp::<u64>(Field::TcpMstamp) != slot.last_us.get()
        || !is_at(sk.tcp(Field::WriteSeq), slot.tx_origin.get(), slot.tx_bytes.get())
        || !is_at(sk.tcp(Field::CopiedSeq), slot.rx_origin.get(), slot.rx_bytes.get())
}

/// What a socket had carried at one moment.
struct Carried {
    /// `None` once the connection has ended.
    tx_bytes: Option<u64>,
    /// `None` while the application disconnects.
    rx_bytes: Option<u64>,
}

impl Carried {
    #[inline(always)]
    fn by(sk: &Socket<Typed>, role: u32, tx_origin: u32, rx_origin: u32) -> Self {
        // `write_seq` before the state: see `refresh::sent_unlocked`.
        let write_seq: u32 = sk.tcp(Field::WriteSeq);
        let tcp_state = sk.tcp_state();
        let sent = counters::sent_up_to(sk, write_seq, role, tcp_state).since(tx_origin);
        let (received, bytes_received) = counters::received(sk);
        let rx_bytes = received.since(rx_origin);
        compiler_fence(Ordering::SeqCst);
        // `tcp_disconnect` sets the state to CLOSE, and then zeroes fields and moves `copied_seq`, under the lock.
        let is_closed = sk.tcp_state() == state::CLOSE;
        let may_disconnect = is_closed && sk.sock::<u32>(Field::LockOwned) != 0;
        Self {
            tx_bytes: if is_closed || tcp_state == state::CLOSE { None } else { Some(sent) },
            rx_bytes: if may_disconnect || rx_bytes > bytes_received { None } else { Some(rx_bytes) },
        }
    }
}

/// Raises the counters of an entry, and refreshes its details if a segment has been sent or received.
#[inline(always)]
fn raise(sk: &Socket<Typed>, of: &SocketState, entry: Entry) {
    let slot = entry.slot;
    let role = u32::from(slot.flags.get());
    let carried = Carried::by(sk, role, slot.tx_origin.get(), slot.rx_origin.get());
    if of.slot.get() != entry.number || !is_open(slot) {
        return;
    }
    if let Some(rx_bytes) = carried.rx_bytes {
        raise_among_others(&slot.rx_bytes, rx_bytes);
    }
    let Some(tx_bytes) = carried.tx_bytes else { return };
    raise_among_others(&slot.tx_bytes, tx_bytes);
    if sk.tcp::<u64>(Field::TcpMstamp) != slot.last_us.get()
        && let Some(detail) = entry.detail()
    {
        refresh::details(sk, slot, detail, false);
        refresh::user_is_due(slot);
    }
}

/// Raises the reserved entry. A socket that has begun another connection meanwhile has another origin.
#[inline(always)]
fn raise_untracked(sk: &Socket<Typed>, of: &SocketState) {
    let (tx_origin, rx_origin) = (of.tx_origin.get(), of.rx_origin.get());
    let carried = Carried::by(sk, of.flags.get(), tx_origin, rx_origin);
    if !of.has(socket::UNTRACKED) || of.tx_origin.get() != tx_origin || of.rx_origin.get() != rx_origin {
        return;
    }
    if let Some(rx_bytes) = carried.rx_bytes {
        untracked::add_received(of, rx_bytes);
    }
    if let Some(tx_bytes) = carried.tx_bytes {
        untracked::add_sent(of, tx_bytes);
    }
}
