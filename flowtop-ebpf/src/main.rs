//! flowtop's kernel side: one short function a hook.
//!
//! An event is a trigger, never a number: each hook hands its socket to [`account`], which reads the socket's own
//! counters. So a hook that misses a call delays bytes and loses none. Which of these programs are loaded is user
//! space's choice (`flowtop_bpf::plan`); the two flow-end tracepoints are always among them.
#![no_std]
#![no_main]
// For instructions that Rust cannot say on this target: see `shared`, `constants` and `cache`.
#![feature(asm_experimental_arch)]

mod account;
mod cache;
mod calls;
mod constants;
mod counters;
mod entry;
mod holders;
mod key;
mod layout;
mod lifecycle;
mod maps;
mod opening;
mod owner;
mod read;
mod redirect;
mod refresh;
mod shared;
mod slots;
mod sweep;
mod untracked;

use account::Sent;
use aya_ebpf::{
    macros::{btf_tracepoint, fentry, fexit, kprobe, kretprobe},
    programs::{BtfTracePointContext, FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use core::ffi::c_void;
use counters::state;
use read::{Probed, Socket, Typed};

/// Says what happened, in a debugging build only.
macro_rules! trace {
    ($($arg:tt)*) => {{
        #[cfg(feature = "log")]
        aya_log_ebpf::debug!($($arg)*);
    }};
}

/// `inet_sock_set_state(sk, old, new)`: raised before `sk_state` changes.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn set_state(ctx: BtfTracePointContext) -> i32 {
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    trace!(&ctx, "state {} to {}", old, new);
    if let Some(sk) = Socket::<Typed>::typed(ctx.arg(0)) {
        lifecycle::state_changed(sk, old as u32, new as u32);
    }
    0
}

/// `tcp_destroy_sock(sk)`: the last event of a socket.
#[btf_tracepoint(function = "tcp_destroy_sock")]
fn destroy(ctx: BtfTracePointContext) -> i32 {
    trace!(&ctx, "destroy");
    if let Some(sk) = Socket::<Typed>::typed(ctx.arg(0)) {
        lifecycle::destroyed(sk);
    }
    0
}

/// `tcp_rcv_space_adjust(sk)`: under the socket lock, `copied_seq` has moved already.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
fn received_tp(ctx: BtfTracePointContext) -> i32 {
    account::received::<Typed>(ctx.arg(0));
    0
}

/// `sock_send_length(sk, ret, flags)`, Linux 6.3: the socket lock has been released.
#[btf_tracepoint(function = "sock_send_length")]
fn sent_tp(ctx: BtfTracePointContext) -> i32 {
    let ret: i32 = ctx.arg(1);
    if ret > 0 {
        account::sent::<Typed>(ctx.arg(0), Sent::Unlocked(ret));
    }
    0
}

/// `tcp_probe(sk, skb)`: a segment, so perhaps an acknowledgement, has arrived. What the application sent before is
/// in the socket's counters by now. Only for kernels without `sock_send_length`.
#[btf_tracepoint(function = "tcp_probe")]
fn acked_tp(ctx: BtfTracePointContext) -> i32 {
    account::sent::<Typed>(ctx.arg(0), Sent::Locked(0));
    0
}

/// `tcp_sendmsg_locked(sk, msg, size)` returns, under the socket lock.
#[fexit(function = "tcp_sendmsg_locked")]
fn sent_fexit(ctx: FExitContext) -> i32 {
    // The value returned follows the arguments. `FExitContext::ret` would need Linux 5.17.
    account::sent::<Typed>(ctx.arg(0), Sent::Locked(ctx.arg(3)));
    0
}

/// `do_tcp_sendpages(sk, page, offset, size, flags)` returns, under the socket lock. Linux 6.4 and older.
#[fexit(function = "do_tcp_sendpages")]
fn sent_pages_fexit(ctx: FExitContext) -> i32 {
    account::sent::<Typed>(ctx.arg(0), Sent::Locked(ctx.arg(5)));
    0
}

/// `tcp_bpf_sendmsg(sk, msg, size)` returns: the send call of a socket in a socket map, after the release of the lock.
#[fexit(function = "tcp_bpf_sendmsg")]
fn sent_map_fexit(ctx: FExitContext) -> i32 {
    account::sent_by_map::<Typed>(ctx.arg(0), ctx.arg(3));
    0
}

/// `tcp_cleanup_rbuf(sk, copied)`: under the socket lock. `copied` is not used: it can be a running total.
#[fentry(function = "tcp_cleanup_rbuf")]
fn received_fentry(ctx: FEntryContext) -> i32 {
    account::received::<Typed>(ctx.arg(0));
    0
}

/// Entry of `tcp_sendmsg_locked`, `do_tcp_sendpages` or `tcp_bpf_sendmsg`: remembers the socket for the return.
#[kprobe]
fn send_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg::<*const c_void>(0) {
        calls::enter(sk);
    }
    0
}

/// Return of `tcp_sendmsg_locked` or `do_tcp_sendpages`, under the socket lock.
#[kretprobe]
fn sent_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(sk) = calls::leave() {
        account::sent::<Probed>(sk, Sent::Locked(ctx.ret::<i32>()));
    }
    0
}

/// Return of `tcp_bpf_sendmsg`, likewise. When TCP has sent meanwhile, the socket of that call took its place.
#[kretprobe]
fn sent_map_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(sk) = calls::leave() {
        account::sent_by_map::<Probed>(sk, ctx.ret::<i32>());
    }
    0
}

/// Entry of `tcp_cleanup_rbuf(sk, copied)`, under the socket lock.
#[kprobe]
fn received_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg::<*const c_void>(0) {
        account::received::<Probed>(sk);
    }
    0
}

/// Does nothing: what an event costs without us, for the benchmark. Loaded on any tracepoint.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
fn empty(_ctx: BtfTracePointContext) -> i32 {
    0
}

/// One socket of a walk over all of a namespace, or a null pointer at its end. A listener is written, since it tells which
/// end of an older connection is the server.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn visit(ctx: *const holders::TcpContext) -> i32 {
    // SAFETY: the kernel passes a valid context; the pointer in it is checked for null before use.
    let ctx = unsafe { &*ctx };
    let Some(sk) = Socket::<Typed>::typed(ctx.sk_common) else { return 0 };
    if sk.tcp_state() == state::LISTEN {
        holders::listener(ctx, &sk);
    } else {
        lifecycle::visited(sk);
    }
    0
}

/// One socket that has a state, of any namespace, or a null pointer at the end of the walk. Linux 5.12, for the atomic
/// exchange.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_sk_storage_map")]
extern "C" fn sweep(ctx: *const sweep::Context) -> i32 {
    // SAFETY: the kernel passes a valid context.
    sweep::visit(unsafe { &*ctx });
    0
}

/// One open file of one process: which process has which socket open. Needs `bpf_sock_from_file`, Linux 5.11.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn holders(ctx: *const holders::TaskFileContext) -> i32 {
    // SAFETY: the kernel passes a valid context.
    holders::open_file(unsafe { &*ctx });
    0
}

/// One socket of a walk over all of a namespace: is it the kernel's own?
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn kernel_sockets(ctx: *const holders::TcpContext) -> i32 {
    // SAFETY: the kernel passes a valid context.
    holders::socket_of_namespace(unsafe { &*ctx });
    0
}

// The helpers below are only offered to programs with a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
