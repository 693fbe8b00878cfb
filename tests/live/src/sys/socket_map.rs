//! The smallest socket map: what one socket sends goes into the receive queue of another one, past TCP.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::process::{Resource, Rlimit, setrlimit};

/// `bpf(2)` with the attribute of one command, which has no pointers but those to what lives through the call.
fn bpf(command: libc::c_int, attribute: &[u64]) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads as many bytes of the attribute as are there; the addresses in it are the callers'.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_ptr(), size_of_val(attribute)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same of a command that opens a descriptor.
fn open(command: libc::c_int, attribute: &[u64]) -> io::Result<OwnedFd> {
    let fd = i32::try_from(bpf(command, attribute)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Two numbers of 32 bits as an attribute has them.
fn both(first: u32, second: u32) -> u64 {
    u64::from_ne_bytes([first.to_ne_bytes(), second.to_ne_bytes()].concat().try_into().expect("8 bytes"))
}

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// One instruction: operation and registers, and a number.
fn instruction(operation: u8, registers: u8, value: u32) -> u64 {
    both(u32::from_ne_bytes([operation, registers, 0, 0]), value)
}

/// A map of two sockets with its program. The sockets leave it some time after it is dropped.
pub struct SocketMap {
    map: OwnedFd,
    _program: OwnedFd,
}

impl SocketMap {
    /// Redirects bytes that the socket `from` sends to the receive queue of `to`.
    pub fn redirecting(from: impl AsFd, to: impl AsFd) -> io::Result<Self> {
        const MAP_CREATE: i32 = 0;
        const PROG_ATTACH: i32 = 8;
        const SOCKMAP: u32 = 15;
        const SK_MSG_VERDICT: u32 = 7;
        // Before Linux 5.11 a map counts as locked memory. Where this is not allowed, the map says whether it matters.
        setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).ok();
        let map = open(MAP_CREATE, &[both(SOCKMAP, 4), both(4, 2), 0])?;
        let program = Self::program(&map)?;
        bpf(PROG_ATTACH, &[both(number(&map), number(&program)), both(SK_MSG_VERDICT, 0)])?;
        let this = Self { map, _program: program };
        this.put(1, to)?;
        this.put(0, from)?;
        Ok(this)
    }

    /// Takes both sockets out of the map.
    pub fn release(self) -> io::Result<()> {
        const MAP_DELETE_ELEM: i32 = 3;
        for place in [0_u32, 1] {
            bpf(MAP_DELETE_ELEM, &[both(number(&self.map), 0), (&raw const place) as u64, 0, 0])?;
        }
        Ok(())
    }

    /// `return bpf_msg_redirect_map(msg, map, 1, BPF_F_INGRESS)`.
    fn program(map: &OwnedFd) -> io::Result<OwnedFd> {
        const PROG_LOAD: i32 = 5;
        const SK_MSG: u32 = 16;
        const MSG_REDIRECT_MAP: u32 = 60;
        let code = [
            // The map is a number of 64 bits in two instructions.
            instruction(0x18, 0x12, number(map)),
            0,
            instruction(0xb7, 3, 1),
            instruction(0xb7, 4, 1),
            instruction(0x85, 0, MSG_REDIRECT_MAP),
            instruction(0x95, 0, 0),
        ];
        let length = u32::try_from(code.len()).map_err(io::Error::other)?;
        let licence = c"GPL";
        let mut attribute = [0; 15];
        attribute[..4].copy_from_slice(&[
            both(SK_MSG, length),
            code.as_ptr() as u64,
            licence.as_ptr() as u64,
            0,
        ]);
        open(PROG_LOAD, &attribute)
    }

    fn put(&self, place: u32, socket: impl AsFd) -> io::Result<()> {
        const MAP_UPDATE_ELEM: i32 = 2;
        let value = socket.as_fd().as_raw_fd();
        let addresses = [(&raw const place) as u64, (&raw const value) as u64];
        bpf(MAP_UPDATE_ELEM, &[both(number(&self.map), 0), addresses[0], addresses[1], 0])?;
        Ok(())
    }
}
