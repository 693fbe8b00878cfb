//! Where the bytes of a socket are counted. The hooks do not know which of three stores knew it: the cache by socket, the
//! storage in the socket, or the table of sockets (`read::Access::state`).
//!
//! The cache is an array of slot numbers indexed by some bits of what tells the socket apart. That is its cookie, a
//! number that the kernel gives a socket once and to no other (`sock_gen_cookie`, counts up on each CPU), or, where
//! programs cannot give it one, its address. A slot holds that of its socket until the socket's end, so an element that
//! belongs to another socket, or to nobody any more, is noticed. A hit needs no helper call to find the slot.
//!
//! A socket that is not of interest has its own cookie there, with [`IGNORED`], in place of a slot. Not its address: that
//! may be another socket's next.

use crate::{
    constants::constant,
    lifecycle,
    maps::{DETAILS, SLOT_OF_SOCKET, SLOTS, SocketState, lose, socket},
    read::{Access, Socket},
    slots,
    totals::state,
};
use core::{arch::asm, ffi::c_void};
use flowtop_common::{Constant, Detail, Field, Loss, Slot};

/// The entry of a flow.
pub struct Entry<'a> {
    /// What most events touch.
    pub slot: &'a mut Slot,
    /// Number of the slot.
    pub number: u32,
}

impl<'a> Entry<'a> {
    /// An entry by its number.
    #[inline(always)]
    pub fn at(number: u32) -> Option<Self> {
        let slot = SLOTS.get_ptr_mut(number)?;
        // SAFETY: the lookup succeeded. Others may write at the same time, each field in one store.
        Some(Self { slot: unsafe { &mut *slot }, number })
    }
}

/// The rest of the entry with this number.
#[inline(always)]
pub fn detail<'a>(number: u32) -> Option<&'a mut Detail> {
    let detail = DETAILS.get_ptr_mut(number)?;
    // SAFETY: as above.
    Some(unsafe { &mut *detail })
}

/// Where the bytes of a socket go.
pub enum Place<'a> {
    /// Into the entry of its flow.
    Entry(Entry<'a>),
    /// Into the reserved entry: the flow table was full.
    Untracked(&'a mut SocketState),
    /// It has no flow or is not of interest, or another event is opening it just now; then the next event, or the end
    /// of the flow, brings what this one would have.
    Nowhere,
}

/// The place of a socket that an event is about and that the cache does not know. A socket that nobody has seen so far
/// is older than the start and was missed by seeding: it counts from here on, with what the call at hand has sent. A
/// call on a socket that is not connected has no flow.
#[inline(always)]
pub fn known_or_missed<'a, A: Access>(sk: Socket<A>, ret: i32) -> Place<'a> {
    let Some(of) = state_or_missed(sk, ret) else { return Place::Nowhere };
    if of.flags & socket::IGNORED != 0 {
        remember::<A>(sk.sk, None);
    } else if of.slot != slots::NONE as u32 {
        remember::<A>(sk.sk, Some(of.slot));
    }
    place(of)
}

#[inline(always)]
fn state_or_missed<'a, A: Access>(sk: Socket<A>, ret: i32) -> Option<&'a mut SocketState> {
    let known = A::state(sk.sk);
    if let Some(of) = known {
        // SAFETY: the lookup succeeded.
        let of = unsafe { &mut *of };
        if of.flags & socket::HAS_FLOW != 0 {
            return Some(of);
        }
    }
    let tcp_state = sk.tcp_state();
    if matches!(tcp_state, state::CLOSE | state::LISTEN) {
        return None;
    }
    if known.is_none() {
        lose(Loss::Unseeded);
    }
    let of = lifecycle::new_state(sk)?;
    lifecycle::open(sk, of, tcp_state, ret);
    Some(of)
}

/// The place of a socket whose state is known.
#[inline(always)]
pub fn place(of: &mut SocketState) -> Place<'_> {
    if of.flags & socket::UNTRACKED != 0 {
        return Place::Untracked(of);
    }
    if of.slot == slots::NONE as u32 {
        return Place::Nowhere;
    }
    Entry::at(of.slot).map_or(Place::Nowhere, Place::Entry)
}

/// Bit of an element of the cache beside the socket's cookie: the socket is not of interest.
const IGNORED: u64 = 1 << 63;

/// What the cache knows of a socket.
pub enum Cached<'a, A> {
    /// Its entry.
    Entry(Socket<A>, Entry<'a>),
    /// It is not of interest.
    Ignored,
    /// Nothing.
    Unknown,
}

/// Asks the cache.
#[inline(always)]
pub fn cached<'a, A: Access>(sk: *const c_void) -> Cached<'a, A> {
    let number = if by_cookie() {
        // SAFETY: hooks hand over sockets.
        unsafe { A::load(sk, Field::Cookie) }
    } else {
        sk as u64
    };
    let Some(element) = SLOT_OF_SOCKET.get(index_of(sk, number)) else { return Cached::Unknown };
    if let Some(entry) = Entry::at(*element as u32)
        && entry.slot.socket == number
        // A slot that nobody uses has 0, and so has a socket without a cookie.
        && number != 0
        && let Some(sk) = A::known(sk)
    {
        return Cached::Entry(sk, entry);
    }
    if by_cookie() && *element == IGNORED | number { Cached::Ignored } else { Cached::Unknown }
}

/// Puts a slot into the cache, or that the socket has none because it is not of interest.
#[inline(always)]
pub fn remember<A: Access>(sk: *const c_void, slot: Option<u32>) {
    let number = A::number(sk);
    if number == 0 || slot.is_none() && !by_cookie() {
        return;
    }
    if let Some(element) = SLOT_OF_SOCKET.get_ptr_mut(index_of(sk, number)) {
        // SAFETY: the lookup succeeded; one store.
        unsafe { *element = slot.map_or(IGNORED | number, u64::from) }
    }
}

/// Whether sockets are told apart by their cookies.
#[inline(always)]
pub fn by_cookie() -> bool {
    constant(Constant::Cookies) != 0
}

#[inline(always)]
fn index_of(sk: *const c_void, number: u64) -> u32 {
    let bits = if by_cookie() { number as u32 } else { low_half(sk) / SOCKET_ALIGNMENT };
    bits & constant(Constant::CacheMask) as u32
}

/// Sockets of TCP begin at a multiple of this (`SLAB_HWCACHE_ALIGN`, `tcp_prot.slab_flags` and `proto_register`).
const SOCKET_ALIGNMENT: u32 = 64;

/// The lower half of an address. Written by hand: of a typed pointer the verifier lets nothing else be calculated with.
#[inline(always)]
fn low_half(sk: *const c_void) -> u32 {
    let low: u64;
    // SAFETY: one move between registers, which clears the upper half.
    unsafe {
        asm!("w0 = w1", in("r1") sk as u64, lateout("r0") low, options(pure, nomem, nostack, preserves_flags));
    }
    low as u32
}
