//! Who is on the CPU, if it is the user of the socket.

use crate::{
    constants::constant,
    read::{Access, Probed, Socket, Typed},
};
use aya_ebpf::helpers::{
    bpf_get_current_comm, bpf_get_current_pid_tgid,
    generated::{bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_task_btf},
};
use core::ffi::c_void;
use flowtop_common::{Constant, Detail, Field, Slot, task};

/// Bit of `task_struct.flags`: a kernel thread (`PF_KTHREAD` in `include/linux/sched.h`).
const PF_KTHREAD: u32 = 0x0020_0000;

/// Uses of a socket that are each looked at: it may pass from the process that accepted it to the one that serves it.
const FIRST_USES: u8 = 16;

/// Whether it is time to look at more than the bytes. To do so costs more than all the counting, so at the first uses,
/// and then again when TCP's clock of the socket says that the last look is long ago.
#[inline(always)]
pub fn is_due<A: Access>(sk: &Socket<A>, slot: &mut Slot) -> bool {
    if slot.uses < FIRST_USES {
        slot.uses += 1;
        return true;
    }
    sk.tcp::<u64>(Field::TcpMstamp).wrapping_sub(slot.last_us) >= constant(Constant::LookUs)
}

/// Books the current process as the owner of the flow, if it is not already. To be called in process context only:
/// in a softirq the current task is whoever was interrupted.
#[inline(always)]
pub fn note(detail: &mut Detail) {
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
        _ if pid == detail.pid => return,
        _ => bpf_get_current_comm().ok(),
    };
    // A process becomes another program without another number.
    if let Some(comm) = comm.filter(|comm| pid != detail.pid || *comm != detail.comm) {
        detail.pid = pid;
        detail.comm = comm;
        // SAFETY: no arguments.
        detail.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
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
