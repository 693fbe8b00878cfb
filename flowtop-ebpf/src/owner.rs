//! Who is on the CPU, if it is the user of the socket.

use crate::{
    maps::{SocketState, TASK},
    read::{Access, Probed, Typed},
};
use aya_ebpf::helpers::{
    bpf_get_current_comm, bpf_get_current_pid_tgid,
    generated::{bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_task_btf},
};
use core::ffi::c_void;
use flowtop_common::{Field, Flow, task};

/// Bit of `task_struct.flags`: a kernel thread (`PF_KTHREAD` in `include/linux/sched.h`).
const PF_KTHREAD: u32 = 0x0020_0000;

/// Whether it is time to look who uses the socket: at the first uses, during which a socket may pass from the process
/// that accepted it to the one that serves it, and at every 16th after that. To ask costs as much as all the counting.
#[inline(always)]
pub fn is_due(of: &mut SocketState) -> bool {
    of.uses = of.uses.wrapping_add(1);
    of.uses <= 16 || of.uses & 15 == 0
}

/// Books the current process as the owner of the flow, if it is not already. To be called in process context only:
/// in a softirq the current task is whoever was interrupted.
#[inline(always)]
pub fn note(flow: &mut Flow) {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    if pid == flow.pid || pid == 0 {
        return;
    }
    let comm = match TASK.load() {
        // SAFETY: the helper returns the current task, typed.
        task::TYPED => comm_of_process::<Typed>(unsafe { bpf_get_current_task_btf() }.cast()),
        // SAFETY: the helper returns the address of the current task.
        task::PROBE => comm_of_process::<Probed>(unsafe { bpf_get_current_task() } as *const c_void),
        _ => bpf_get_current_comm().ok(),
    };
    if let Some(comm) = comm {
        flow.pid = pid;
        flow.comm = comm;
        // SAFETY: no arguments.
        flow.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    }
}

/// The name of the process (not of the thread), or `None` for a kernel thread.
#[inline(always)]
fn comm_of_process<A: Access>(task: *const c_void) -> Option<[u8; 16]> {
    // SAFETY: `task` is a `struct task_struct`, and so is its leader.
    unsafe {
        if A::load::<u32>(task, Field::TaskFlags) & PF_KTHREAD != 0 {
            return None;
        }
        let leader = A::load::<usize>(task, Field::TaskLeader) as *const c_void;
        let words: [u64; 2] = A::load(leader, Field::TaskComm);
        Some(core::mem::transmute::<[u64; 2], [u8; 16]>(words))
    }
}
