//! What iterators write for user space: a [`Holder`] for each pair of a flow and a process, at the start and now and then
//! later, and at the start the sockets that listen. No entry is touched; no event runs anything of this.

use crate::{
    constants::constant,
    entry::Target,
    key,
    read::{Access, Socket, Typed},
    shared::Shared,
};
use aya_ebpf::helpers::generated::{bpf_seq_write, bpf_sock_from_file};
use core::{ffi::c_void, mem::transmute, ptr};
use flowtop_common::{Constant, Field, FlowKey, Holder, KERNEL_PID, flags};

/// `struct bpf_iter_meta`.
#[repr(C)]
pub struct Meta {
    seq: *mut c_void,
}

/// `struct bpf_iter__task_file`.
#[repr(C)]
pub struct TaskFileContext {
    meta: *const Meta,
    task: *const c_void,
    descriptor: u32,
    file: *const c_void,
}

/// `struct bpf_iter__tcp`.
#[repr(C)]
pub struct TcpContext {
    meta: *const Meta,
    pub sk_common: *const c_void,
}

/// One open file of one process; both are null at the end of the walk.
#[inline(always)]
pub fn open_file(ctx: &TaskFileContext) {
    if ctx.task.is_null() || ctx.file.is_null() {
        return;
    }
    // SAFETY: the verifier knows the file, and the socket that it belongs to.
    let sk = unsafe {
        let socket: *const c_void = bpf_sock_from_file(ctx.file.cast_mut().cast()).cast();
        if socket.is_null() {
            return;
        }
        Typed::load::<usize>(socket, Field::SocketSk) as *const c_void
    };
    let Some(key) = key_of(sk) else { return };
    // SAFETY: `task` is a `struct task_struct`, and so is its leader.
    let holder = unsafe {
        let leader = Typed::load::<usize>(ctx.task, Field::TaskLeader) as *const c_void;
        let comm = transmute::<[u64; 2], [u8; 16]>(Typed::load(leader, Field::TaskComm));
        Holder { key, pid: Typed::load(ctx.task, Field::TaskTgid), pad: 0, comm }
    };
    write(ctx.meta, &holder);
}

/// One socket of a namespace, or a null pointer at its end. Those that the kernel has made for itself are reported.
#[inline(always)]
pub fn socket_of_namespace(ctx: &TcpContext) {
    let Some(sk) = Socket::<Typed>::typed(ctx.sk_common) else { return };
    if sk.tcp::<u8>(Field::KernSock) as u64 & constant(Constant::KernSockMask) == 0 {
        return;
    }
    if let Some(key) = key_of(ctx.sk_common) {
        write(ctx.meta, &Holder { key, pid: KERNEL_PID, pad: 0, comm: *b"kernel\0\0\0\0\0\0\0\0\0\0" });
    }
}

/// A socket that listens: a key without a remote end.
#[inline(always)]
pub fn listener(ctx: &TcpContext, sk: &Socket<Typed>) {
    write(ctx.meta, &key::of(sk, 0));
}

/// The key of the socket's flow, if it has an entry.
#[inline(always)]
fn key_of(sk: *const c_void) -> Option<FlowKey> {
    let sk = Socket::<Typed>::typed(sk)?;
    let Target::Entry(entry) = Target::of(Typed::state(sk.sk)?) else { return None };
    let detail = entry.detail()?;
    let is_open = u32::from(entry.slot.flags.get()) & flags::OPEN != 0;
    // SAFETY: the words of a key that was stored before the flag.
    is_open.then(|| unsafe { transmute::<[u64; 7], FlowKey>(detail.key.each_ref().map(Shared::get)) })
}

/// Writes a value without padding. If it does not fit, the kernel asks for the socket again.
#[inline(always)]
fn write<T>(meta: *const Meta, value: &T) {
    // SAFETY: the kernel passes a valid context; all bytes of the value are initialised.
    unsafe {
        bpf_seq_write((*meta).seq.cast(), ptr::from_ref(value).cast(), size_of::<T>() as u32);
    }
}
