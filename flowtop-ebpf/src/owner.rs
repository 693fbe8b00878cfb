//! Who is on the CPU, if it is the user of the socket.

use crate::{
    constants::constant,
    layout::SharedDetail,
    read::{Access, Probed, Typed},
};
use aya_ebpf::helpers::{
    bpf_get_current_comm, bpf_get_current_pid_tgid,
    generated::{bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_task_btf},
};
use core::{ffi::c_void, mem::transmute};
use flowtop_common::{Constant, Field, task};

/// Bit of `task_struct.flags`: a kernel thread (`PF_KTHREAD` in `include/linux/sched.h`).
const PF_KTHREAD: u32 = 0x0020_0000;

/// Records the current process as the owner of the flow, if it is not already. To be called in process context only:
/// in a softirq the current task is whoever was interrupted.
#[inline(always)]
pub fn record(detail: &SharedDetail) {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    if pid == 0 {
        return;
    }
    let comm = match constant(Constant::Task) as u32 {
        // SAFETY: the helper returns the current task, typed.
        task::TYPED => comm_of_process::<Typed>(unsafe { bpf_get_current_task_btf() }.cast()),
        // SAFETY: the helper returns the address of the current task.
        task::PROBE => comm_of_process::<Probed>(unsafe { bpf_get_current_task() } as *const c_void),
        // The thread's own name: of the threads of one process the first has to do.
        _ if pid == detail.pid.get() => return,
        // SAFETY: bytes of the same size.
        _ => bpf_get_current_comm().ok().map(|comm| unsafe { transmute::<[u8; 16], [u64; 2]>(comm) }),
    };
    let Some(comm) = comm else { return };
    // A process becomes another program without another number.
    if pid != detail.pid.get() || comm != [detail.comm[0].get(), detail.comm[1].get()] {
        detail.pid.set(pid);
        detail.comm[0].set(comm[0]);
        detail.comm[1].set(comm[1]);
        // SAFETY: no arguments.
        detail.cgroup_id.set(unsafe { bpf_get_current_cgroup_id() });
    }
}

/// The name of the process (not of the thread), or `None` for a kernel thread.
#[inline(always)]
fn comm_of_process<A: Access>(task: *const c_void) -> Option<[u64; 2]> {
    // SAFETY: `task` is a `struct task_struct`, and so is its leader.
    unsafe {
        if A::load::<u32>(task, Field::TaskFlags) & PF_KTHREAD != 0 {
            return None;
        }
        let leader = A::load::<usize>(task, Field::TaskLeader) as *const c_void;
        Some(A::load(leader, Field::TaskComm))
    }
}
