//! A cache: socket → slot of its entry, or that it is not of interest. A hit needs no helper call.
//!
//! An array of slot numbers indexed by some bits of what tells the socket apart. That is its cookie, a number that the
//! kernel gives a socket once and to no other (`sock_gen_cookie`, counts up on each CPU), or, where programs cannot give
//! it one, its address. A slot holds that of its socket until the socket's end, so an element that belongs to another
//! socket, or to none any more, is noticed.
//!
//! A socket that is not of interest has its own cookie there, with [`IGNORED`], in place of a slot. Not its address: that
//! may be another socket's next.

use crate::{
    constants::{by_cookie, constant},
    entry::Entry,
    maps::SLOT_OF_SOCKET,
    read::{Access, Socket},
};
use core::{arch::asm, ffi::c_void};
use flowtop_common::{Constant, Field};

/// Bit of an element of the cache beside the socket's cookie: the socket is not of interest.
const IGNORED: u64 = 1 << 63;

/// What the cache knows of a socket.
pub enum Cached<A> {
    /// Its entry.
    Entry(Socket<A>, Entry),
    /// It is not of interest.
    Ignored,
    /// Nothing.
    Unknown,
}

/// What the cache knows of the socket at this address.
#[inline(always)]
pub fn lookup<A: Access>(sk: *const c_void) -> Cached<A> {
    let number = if by_cookie() {
        // SAFETY: hooks hand over sockets.
        unsafe { A::load(sk, Field::Cookie) }
    } else {
        sk as u64
    };
    let Some(element) = SLOT_OF_SOCKET.get(index_of(sk, number)) else { return Cached::Unknown };
    let element = element.get();
    if let Some(entry) = Entry::at(element as u32)
        && entry.slot.socket.get() == number
        // A slot that is not in use has 0, and so has a socket without a cookie.
        && number != 0
        && let Some(sk) = A::known(sk)
    {
        return Cached::Entry(sk, entry);
    }
    if by_cookie() && element == IGNORED | number { Cached::Ignored } else { Cached::Unknown }
}

/// Puts a slot into the cache, or that the socket has none because it is not of interest.
#[inline(always)]
pub fn insert<A: Access>(sk: *const c_void, slot: Option<u32>) {
    let number = A::number(sk);
    if number == 0 || slot.is_none() && !by_cookie() {
        return;
    }
    if let Some(element) = SLOT_OF_SOCKET.get(index_of(sk, number)) {
        element.set(slot.map_or(IGNORED | number, u64::from));
    }
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
