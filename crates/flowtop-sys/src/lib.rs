//! The only unsafe code in user space: system calls that no library offers. Each wrapper is safe to call.
#![expect(unsafe_code, reason = "raw system calls; see the SAFETY comment of each")]

pub mod clock;

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_attr__bindgen_ty_14__bindgen_ty_3__bindgen_ty_1, bpf_cmd, bpf_prog_info,
};
use flowtop_common::{Admission, Allocation, Detail, FlowKey, Slot, flags};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use rustix::process::Uid;
use std::{
    ffi::CStr,
    fs::File,
    io,
    mem::{self, MaybeUninit, offset_of},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence},
};

/// An element type of a mapped array.
///
/// # Safety
/// Any bytes are a value of the type, and it has no padding.
pub unsafe trait Element: Copy {}
// SAFETY: an integer.
unsafe impl Element for u64 {}
// SAFETY: `repr(C)` integers without padding, asserted by their sizes in `flowtop-common`.
unsafe impl Element for Slot {}
// SAFETY: as above.
unsafe impl Element for Detail {}
// SAFETY: as above.
unsafe impl Element for Allocation {}
// SAFETY: as above.
unsafe impl Element for Admission {}

/// A BPF array in our own memory (`BPF_F_MMAPABLE`, Linux 5.5).
///
/// The kernel side writes it at any time, from any processor. So nothing here makes a `&T` or `&mut T` of an element:
/// elements are copied in and out by relaxed atomic loads and stores of their words of 64 bits, each of which is whole
/// because the processor reads and writes an aligned word at once. The kernel side makes its accesses outside of this
/// program, with instructions that are as wide as the field or wider.
///
/// The kernel makes all pages of a mapping resident at once (`remap_vmalloc_range`), so only the beginning of a large
/// array is mapped, as far as it is in use: [`Mapped::cover`].
pub struct Mapped<T> {
    array: OwnedFd,
    start: NonNull<T>,
    len: usize,
    /// Bytes from `start` on that are the array; behind them, up to the end of the last element, is nothing.
    covered: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and this is its only owner.
unsafe impl<T: Element> Send for Mapped<T> {}

/// Step in which a mapping grows, in bytes.
const COVER_STEP: usize = 1 << 16;

impl<T: Element> Mapped<T> {
    /// 64-bit words of an element. The kernel rounds elements up to 8 bytes; all of ours are whole words.
    const WORDS: usize = {
        assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>().is_multiple_of(align_of::<u64>()));
        size_of::<T>() / 8
    };

    /// Reserves addresses for an array of `len` elements, of which none is covered yet.
    pub fn new(array: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let array = array.try_clone_to_owned()?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), len * size_of::<T>(), ProtFlags::empty(), flags) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { array, start, len, covered: 0 })
    }

    #[must_use]
    pub fn elements(&self) -> usize {
        self.len
    }

    /// Maps the array up to this element, and some behind it.
    pub fn cover(&mut self, elements: usize) -> io::Result<()> {
        let all = (self.len * size_of::<T>()).next_multiple_of(rustix::param::page_size());
        let wanted = (elements.min(self.len) * size_of::<T>()).next_multiple_of(COVER_STEP).min(all);
        let Some(more @ 1..) = wanted.checked_sub(self.covered) else { return Ok(()) };
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED | MapFlags::FIXED);
        // SAFETY: the addresses are part of the reservation of `new`, and nothing is there yet.
        unsafe {
            let start = self.start.as_ptr().byte_add(self.covered).cast();
            mmap(start, more, protection, flags, &self.array, self.covered as u64)?;
        }
        self.covered = wanted;
        Ok(())
    }

    /// Where an element is. Only atomic accesses may be made there.
    fn pointer(&self, index: usize) -> *mut T {
        assert!(index < self.covered / size_of::<T>(), "element {index} is not covered");
        // SAFETY: within the mapping.
        unsafe { self.start.as_ptr().add(index) }
    }

    fn words(&self, index: usize) -> &[AtomicU64] {
        // SAFETY: within the mapping, which is aligned to a page and lives as long as `self`. An atomic has the layout of
        // its integer and may change while it is borrowed, and this program makes no other accesses than atomic ones.
        unsafe { slice::from_raw_parts(self.pointer(index).cast(), Self::WORDS) }
    }

    /// A copy of an element. Each of its words is whole; two of them may be of different moments.
    #[must_use]
    pub fn get(&self, index: usize) -> T {
        let mut copy = MaybeUninit::<T>::uninit();
        let to = copy.as_mut_ptr().cast::<u64>();
        for (at, word) in self.words(index).iter().enumerate() {
            // SAFETY: the copy has as many words as an element, and its alignment is that of a word or a multiple.
            unsafe { to.add(at).write(word.load(Ordering::Relaxed)) };
        }
        // SAFETY: all its words have been written, and any bytes are a value.
        unsafe { copy.assume_init() }
    }

    /// Replaces an element, word by word.
    pub fn set(&mut self, index: usize, value: T) {
        let from = (&raw const value).cast::<u64>();
        for (at, word) in self.words(index).iter().enumerate() {
            // SAFETY: the value has as many words as an element, all of them initialised since it has no padding.
            word.store(unsafe { from.add(at).read() }, Ordering::Relaxed);
        }
    }
}

impl Mapped<Slot> {
    /// A copy of a slot, if a flow is open in it. What is read after this is not older.
    #[must_use]
    pub fn open(&self, index: usize) -> Option<Slot> {
        const FLAGS: usize = offset_of!(Slot, flags);
        let word = self.words(index)[FLAGS / 8].load(Ordering::Acquire);
        if u32::from(word.to_ne_bytes()[FLAGS % 8]) & flags::OPEN == 0 {
            return None;
        }
        let slot = self.get(index);
        fence(Ordering::Acquire);
        Some(slot)
    }

    pub fn clear_flags(&mut self, index: usize) {
        // SAFETY: a byte within the mapping. One byte alone, since a program that is just ending may still write its
        // neighbours; our own accesses to the word are never at the same time, as the borrow is exclusive.
        unsafe { AtomicU8::from_ptr(&raw mut (*self.pointer(index)).flags) }.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
    }
}

impl Mapped<Allocation> {
    /// Publishes the end of the ring of free slots; what was written before is seen first.
    pub fn set_tail(&mut self, tail: u64) {
        self.words(0)[offset_of!(Allocation, tail) / 8].store(tail, Ordering::Release);
    }
}

impl Mapped<Admission> {
    /// Replaces the condition. Programs run meanwhile: as long as it is incomplete there is none.
    pub fn publish(&mut self, admission: &Admission) {
        self.set_checks(0);
        fence(Ordering::Release);
        self.set(0, Admission { checks: 0, ..*admission });
        self.set_checks(admission.checks);
    }

    /// Sets the field that says which conditions there are; what was written before is seen first.
    fn set_checks(&mut self, checks: u32) {
        // SAFETY: an aligned field within the mapping, which only we write; our own accesses to the word are never at
        // the same time, as the borrow is exclusive.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.pointer(0)).checks) }.store(checks, Ordering::Release);
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`; nothing borrows from it. There is nothing to do about a failure.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len * size_of::<T>()) };
    }
}

/// Removes flows from the table (`BPF_MAP_DELETE_BATCH`, Linux 5.6). Keys that are not there are passed over.
pub fn delete_batch(table: BorrowedFd<'_>, mut keys: &[FlowKey]) -> io::Result<()> {
    while !keys.is_empty() {
        // SAFETY: an attribute union of all zeros is valid, and the kernel demands zeros in what a command does not use.
        let mut attr: bpf_attr = unsafe { mem::zeroed() };
        attr.batch.keys = keys.as_ptr() as u64;
        attr.batch.count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        attr.batch.map_fd = fd_number(table);
        // SAFETY: the kernel reads `count` keys of the map's key size.
        let result = unsafe { bpf(bpf_cmd::BPF_MAP_DELETE_BATCH, &mut attr) };
        // SAFETY: `batch` is the member in use; the kernel has written how many were deleted.
        let deleted = unsafe { attr.batch.count } as usize;
        match result {
            Ok(()) => return Ok(()),
            // It stops at a key that is not there.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                keys = keys.get(deleted + 1..).unwrap_or_default();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens a walk of an iterator over tasks or their files: over those of one process, by its number in the PID namespace of
/// the caller (`bpf_iter_link_info`, Linux 6.1). Reading drives it.
pub fn walk_of_process(program: BorrowedFd<'_>, pid: u32) -> io::Result<File> {
    // `tid`, `pid`, `pid_fd`, and what the union has beyond.
    walk(link_of_walk(program, [0, pid, 0, 0])?.as_fd())
}

/// Attaches an iterator over the elements of a map (`bpf_iter_link_info`, Linux 5.9); [`walk`] opens its walks.
pub fn walks_of_map(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // `map_fd`, and what the union has beyond.
    link_of_walk(program, [fd_number(map), 0, 0, 0])
}

/// Opens a walk of an attached iterator. Reading drives it.
pub fn walk(link: BorrowedFd<'_>) -> io::Result<File> {
    // SAFETY: an attribute union of all zeros is valid, and the kernel demands zeros in what a command does not use.
    let mut attr: bpf_attr = unsafe { mem::zeroed() };
    attr.iter_create.link_fd = fd_number(link);
    // SAFETY: the command takes no addresses.
    unsafe { bpf_fd(bpf_cmd::BPF_ITER_CREATE, &mut attr) }.map(File::from)
}

/// Attaches an iterator with what the union `bpf_iter_link_info` says of it.
fn link_of_walk(program: BorrowedFd<'_>, info: [u32; 4]) -> io::Result<OwnedFd> {
    // SAFETY: an attribute union of all zeros is valid, and the kernel demands zeros in what a command does not use.
    let mut attr: bpf_attr = unsafe { mem::zeroed() };
    attr.link_create.__bindgen_anon_1.prog_fd = fd_number(program);
    attr.link_create.attach_type = bpf_attach_type::BPF_TRACE_ITER as u32;
    attr.link_create.__bindgen_anon_3.__bindgen_anon_1 =
        bpf_attr__bindgen_ty_14__bindgen_ty_3__bindgen_ty_1 {
            iter_info: info.as_ptr() as u64,
            iter_info_len: u32::try_from(mem::size_of_val(&info)).unwrap_or_default(),
        };
    // SAFETY: the kernel reads `iter_info_len` bytes of `info`.
    unsafe { bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr) }
}

/// Runs of a loaded program and their time in nanoseconds, as far as the kernel kept statistics meanwhile
/// (`BPF_ENABLE_STATS`, Linux 5.8).
pub fn run_statistics(program: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    // SAFETY: plain data, all zeros is a value, and asks for no lists.
    let mut info: bpf_prog_info = unsafe { mem::zeroed() };
    // SAFETY: an attribute union of all zeros is valid, and the kernel demands zeros in what a command does not use.
    let mut attr: bpf_attr = unsafe { mem::zeroed() };
    attr.info.bpf_fd = fd_number(program);
    attr.info.info = (&raw mut info) as u64;
    attr.info.info_len = u32::try_from(mem::size_of_val(&info)).unwrap_or_default();
    // SAFETY: the kernel writes at most `info_len` bytes to `info`.
    unsafe { bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok((info.run_cnt, info.run_time_ns))
}

/// Number of the next BPF map of the host with a number above this one, if there is one (`BPF_MAP_GET_NEXT_ID`, Linux 4.13).
pub fn map_after(number: u32) -> io::Result<Option<u32>> {
    // SAFETY: an attribute union of all zeros is valid, and the kernel demands zeros in what a command does not use.
    let mut attr: bpf_attr = unsafe { mem::zeroed() };
    attr.__bindgen_anon_6.__bindgen_anon_1.start_id = number;
    // SAFETY: the command takes no addresses.
    match unsafe { bpf(bpf_cmd::BPF_MAP_GET_NEXT_ID, &mut attr) } {
        // SAFETY: the member in use; the kernel has written the number.
        Ok(()) => Ok(Some(unsafe { attr.__bindgen_anon_6.next_id })),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// # Safety
/// The addresses in `attr` fit the command, which opens a descriptor.
unsafe fn bpf_fd(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    // SAFETY: the size is that of the union; the rest is the caller's promise.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_mut(attr), mem::size_of::<bpf_attr>()) };
    let fd = i32::try_from(result).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn fd_number(fd: BorrowedFd<'_>) -> u32 {
    // A borrowed descriptor is never negative.
    fd.as_raw_fd().cast_unsigned()
}

/// # Safety
/// The addresses in `attr` fit the command.
unsafe fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<()> {
    // SAFETY: the size is that of the union; the rest is the caller's promise.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_mut(attr), mem::size_of::<bpf_attr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Moves the calling thread, and it alone, into a new network namespace.
pub fn enter_new_netns() -> io::Result<()> {
    // SAFETY: the flag does not unshare memory or the descriptor table.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.map_err(Into::into)
}

/// Brings the loopback device of the calling thread's network namespace up.
pub fn bring_loopback_up() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: plain data, all zeros is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    // SAFETY: SIOCSIFFLAGS reads an `ifreq` with a NUL-terminated name.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether a signal is ignored, as `nohup` has it of SIGHUP.
#[must_use]
pub fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: plain data, all zeros is a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: nothing is changed, and the kernel writes one `sigaction`.
    let result = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    result == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Most bytes that this system's entry of a user may have.
const MAX_USER_BYTES: usize = 1 << 20;

/// A user, as this system knows it by whatever `nsswitch.conf` tells it to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
}

impl User {
    /// The user with a number, if there is one.
    ///
    /// A static program asks nobody: glibc would load the modules of `nsswitch.conf` into it, which crash there
    /// (`libnss_systemd` of Debian 12 does, on a thread).
    pub fn from_uid(uid: Uid) -> io::Result<Option<Self>> {
        if cfg!(target_feature = "crt-static") {
            return Ok(None);
        }
        let mut texts = vec![0; 1 << 10];
        loop {
            let (mut entry, mut found) = (MaybeUninit::<libc::passwd>::uninit(), ptr::null_mut());
            // SAFETY: it writes an entry, texts up to the length of their room, and a pointer.
            let error = unsafe {
                libc::getpwuid_r(
                    uid.as_raw(),
                    entry.as_mut_ptr(),
                    texts.as_mut_ptr(),
                    texts.len(),
                    &raw mut found,
                )
            };
            match error {
                0 if found.is_null() => return Ok(None),
                0 => {
                    // SAFETY: it points to `entry`, which is filled in; its name ends with NUL and is among `texts`.
                    let name = unsafe { CStr::from_ptr((*found).pw_name) };
                    return Ok(Some(Self { name: name.to_string_lossy().into_owned() }));
                }
                libc::EINTR => {}
                libc::ERANGE if texts.len() < MAX_USER_BYTES => texts.resize(texts.len() * 4, 0),
                error => return Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}

/// Gives memory that has been freed back to the system: the kernel's type information is large and needed only once.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; other threads may allocate meanwhile.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use std::{fs::File, os::unix::fs::FileExt as _, thread};

    /// Memory that can be mapped twice, in place of a BPF array.
    fn memory<T>(len: usize) -> OwnedFd {
        let memory = memfd_create("flowtop-test", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&memory, (len * size_of::<T>()) as u64).unwrap();
        memory
    }

    fn whole<T: Element>(memory: &OwnedFd, len: usize) -> Mapped<T> {
        let mut mapped = Mapped::new(memory.as_fd(), len).unwrap();
        mapped.cover(len).unwrap();
        mapped
    }

    fn bytes_of(memory: &OwnedFd, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        File::from(memory.try_clone().unwrap()).read_exact_at(&mut bytes, at as u64).unwrap();
        bytes
    }

    fn write_bytes(memory: &OwnedFd, at: usize, bytes: &[u8]) {
        File::from(memory.try_clone().unwrap()).write_all_at(bytes, at as u64).unwrap();
    }

    #[test]
    fn every_byte_of_an_element_is_read_and_written_in_its_place() {
        let memory = memory::<Detail>(2);
        let mut details = whole::<Detail>(&memory, 2);
        let written: Vec<u8> = (0..128).collect();
        write_bytes(&memory, 128, &written);
        let detail = details.get(1);
        assert_eq!((detail.key.local_addr[15], detail.comm[0]), (15, written[offset_of!(Detail, comm)]));
        details.set(0, detail);
        assert_eq!(bytes_of(&memory, 0, 128), written);
        assert_eq!(details.get(0), detail);
    }

    #[test]
    fn only_an_open_slot_is_handed_out_and_only_its_flags_are_cleared() {
        let memory = memory::<Slot>(3);
        let mut slots = whole::<Slot>(&memory, 3);
        let all_ones =
            Slot { pad: 0xff, ..Slot { generation: u32::MAX, state: 0xff, uses: 0xff, ..Slot::default() } };
        let open = Slot { flags: flags::byte(flags::OPEN | flags::ENDED), ..all_ones };
        slots.set(1, open);
        slots.set(2, Slot { flags: flags::byte(!flags::OPEN), ..all_ones });
        assert_eq!((slots.open(0), slots.open(1), slots.open(2)), (None, Some(open), None));
        slots.clear_flags(1);
        assert_eq!((slots.open(1), slots.get(1)), (None, all_ones));
    }

    #[test]
    fn the_ring_and_the_condition_are_published() {
        let (ring, condition) = (memory::<Allocation>(1), memory::<Admission>(1));
        let mut allocation = whole::<Allocation>(&ring, 1);
        allocation.set(0, Allocation { next: 1, head: 2, tail: 3 });
        allocation.set_tail(u64::MAX);
        assert_eq!(whole::<Allocation>(&ring, 1).get(0), Allocation { next: 1, head: 2, tail: u64::MAX });
        let mut admission = Admission { checks: 7, families: 3, ..Admission::default() };
        admission.port[7].last = 443;
        admission.net[7].family = 1;
        whole::<Admission>(&condition, 1).publish(&admission);
        assert_eq!(whole::<Admission>(&condition, 1).get(0), admission);
    }

    #[test]
    #[should_panic(expected = "element 1024 is not covered")]
    fn what_is_not_covered_is_not_read() {
        let memory = memory::<Slot>(4096);
        let mut slots = Mapped::<Slot>::new(memory.as_fd(), 4096).unwrap();
        slots.cover(1).unwrap();
        assert_eq!(slots.get(1023), Slot::default());
        let _ = slots.get(1024);
    }

    #[test]
    fn the_own_user_has_its_name_and_an_unused_number_has_none() {
        let id = std::process::Command::new("id").arg("-un").output().unwrap();
        let own = String::from_utf8(id.stdout).unwrap();
        let found = User::from_uid(rustix::process::geteuid()).unwrap();
        assert_eq!(found, Some(User { name: own.trim_end().to_owned() }));
        assert_eq!(User::from_uid(Uid::from_raw(u32::MAX - 1)).unwrap(), None);
    }

    /// Another thread stands for the kernel side: it writes through a mapping of its own while this one reads.
    #[test]
    fn words_are_whole_while_others_write() {
        const ROUNDS: u32 = 20_000;
        let memory = memory::<Slot>(1);
        let (reader, mut writer) = (whole::<Slot>(&memory, 1), whole::<Slot>(&memory, 1));
        let patterned = |round: u32| {
            let word = u64::from(round) << 32 | u64::from(round);
            Slot {
                tx_bytes: word,
                rx_bytes: word,
                last_us: word,
                flags: flags::byte(flags::OPEN),
                ..Slot::default()
            }
        };
        writer.set(0, patterned(0));
        thread::scope(|scope| {
            scope.spawn(|| (0..=ROUNDS).for_each(|round| writer.set(0, patterned(round))));
            loop {
                let slot = reader.open(0).unwrap();
                let words = [slot.tx_bytes, slot.rx_bytes, slot.last_us];
                assert!(words.iter().all(|word| word >> 32 == word & 0xffff_ffff), "{words:x?}");
                if words == [patterned(ROUNDS).tx_bytes; 3] {
                    break;
                }
            }
        });
    }

    proptest! {
        #[test]
        fn elements_come_back(words: [u64; 3], at in 0_usize..100) {
            let memory = memory::<Allocation>(100);
            let value = Allocation { next: words[0], head: words[1], tail: words[2] };
            whole::<Allocation>(&memory, 100).set(at, value);
            prop_assert_eq!(whole::<Allocation>(&memory, 100).get(at), value);
        }
    }
}
