//! What user space knows of the running kernel, as constants in the instructions: each is a move of a placeholder into a
//! register, and user space writes the number into it before the object is loaded (`flowtop_bpf::link`).
//!
//! A read-only global would be a constant to the verifier as well, and a load from memory to the processor: with
//! globals an event cost half as much again, and twice as much when the caches were cold.

use core::arch::asm;
use flowtop_common::{Constant, Field, placeholder};

#[inline(always)]
fn number<const PLACEHOLDER: u32>() -> u64 {
    let number: u64;
    // SAFETY: one move into a register.
    unsafe {
        asm!(
            "{number} = {placeholder}",
            number = out(reg) number,
            placeholder = const PLACEHOLDER,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    number
}

macro_rules! numbers {
    ($kind:ident, $first:expr, $value:expr, [$($variant:ident)*]) => {
        match $value { $($kind::$variant => number::<{ $first + $kind::$variant as u32 }>()),* }
    };
}

/// A constant; at compile time it must be known which.
#[inline(always)]
pub fn constant(constant: Constant) -> u64 {
    numbers!(Constant, placeholder::CONSTANTS, constant, [
        Store Task SlotCount FreeMask Cookies CacheMask RefreshUs TcpSock KernSockMask
    ])
}

/// Whether sockets are told apart by their cookies, and not by their addresses.
#[inline(always)]
pub fn by_cookie() -> bool {
    constant(Constant::Cookies) != 0
}

/// Offset in bytes of a field; at compile time it must be known which.
#[inline(always)]
pub fn offset(field: Field) -> usize {
    numbers!(Field, placeholder::FIELDS, field, [
        Family State LocalPort RemotePort LocalV4 RemoteV4 LocalV6 RemoteV6 Net SockFlags LockOwned Cookie
        NetInum WriteSeq SndUna SndNxt BytesAcked BytesReceived RcvNxt CopiedSeq BytesSent BytesRetrans TotalRetrans SegsIn
        SegsOut SrttUs TcpMstamp TaskFlags TaskLeader TaskComm TaskTgid SocketSk KernSock Ulp RepairQueue
    ]) as usize
}
