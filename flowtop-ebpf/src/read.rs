//! How the kernel's structs are read and where a socket's state is found: [`Typed`] for programs whose arguments
//! carry BTF types, [`Probed`] for kprobes. Nothing else knows the difference.

use crate::{
    constants::{by_cookie, constant, offset},
    layout::SocketState,
    maps::{SOCKET_STORAGE, SOCKET_TABLE},
};
use aya_ebpf::{
    bindings::{BPF_NOEXIST, BPF_SK_STORAGE_GET_F_CREATE},
    helpers::{
        bpf_probe_read_kernel,
        generated::{bpf_get_socket_cookie, bpf_sk_storage_get, bpf_skc_to_tcp_sock},
    },
};
use core::{ffi::c_void, marker::PhantomData, ptr};
use flowtop_common::{Constant, Field, placeholder, store};

/// A way to look at kernel memory.
pub trait Access: Copy {
    /// The socket at an address that a hook has got, if it is one of TCP.
    fn socket(sk: *const c_void) -> Option<Socket<Self>>;

    /// The same of a socket that is known to be one of TCP.
    fn known(sk: *const c_void) -> Option<Socket<Self>>;

    /// Reads `field` of the kernel struct at `base`.
    ///
    /// # Safety
    /// `base` points at the struct that the field belongs to.
    unsafe fn load<T: Copy + Default>(base: *const c_void, field: Field) -> T;

    /// The state of the socket, if it has one. For a program `'static` is its own run: RCU keeps what it has found until
    /// then, even if the socket is destroyed meanwhile.
    fn state(sk: *const c_void) -> Option<&'static SocketState>;

    /// The state of the socket, or a new one of all zeros; `None` when there is no memory for it.
    fn state_or_new(sk: *const c_void) -> Option<&'static SocketState>;

    /// The socket has ended.
    fn forget_state(sk: *const c_void);

    /// What tells the socket apart: its cookie, which it may get only now, or its address.
    fn number(sk: *const c_void) -> u64;
}

/// Direct loads through pointers whose type the verifier knows.
#[derive(Clone, Copy)]
pub struct Typed;

/// `bpf_probe_read_kernel` through plain addresses.
#[derive(Clone, Copy)]
pub struct Probed;

impl Access for Typed {
    #[inline(always)]
    fn socket(sk: *const c_void) -> Option<Socket<Self>> {
        Socket::typed(sk)
    }

    #[inline(always)]
    fn known(sk: *const c_void) -> Option<Socket<Self>> {
        Socket::known(sk)
    }

    #[inline(always)]
    unsafe fn load<T: Copy + Default>(base: *const c_void, field: Field) -> T {
        // SAFETY: the verifier knows the type of `base` and the (constant) offset, and refuses what lies outside.
        unsafe { ptr::read_volatile(base.byte_add(offset(field)).cast::<T>()) }
    }

    #[inline(always)]
    fn state(sk: *const c_void) -> Option<&'static SocketState> {
        if constant(Constant::Store) == u64::from(store::SOCKET) { storage(sk, 0) } else { table(sk) }
    }

    #[inline(always)]
    fn state_or_new(sk: *const c_void) -> Option<&'static SocketState> {
        if constant(Constant::Store) == u64::from(store::SOCKET) {
            storage(sk, BPF_SK_STORAGE_GET_F_CREATE as u64)
        } else {
            table_or_new(sk)
        }
    }

    #[inline(always)]
    fn forget_state(sk: *const c_void) {
        // Socket storage goes with the socket.
        if constant(Constant::Store) != u64::from(store::SOCKET) {
            let _ = SOCKET_TABLE.remove(&(sk as u64));
        }
    }

    #[inline(always)]
    fn number(sk: *const c_void) -> u64 {
        // SAFETY: the verifier knows `sk` as a socket.
        if by_cookie() { unsafe { bpf_get_socket_cookie(sk.cast_mut()) } } else { sk as u64 }
    }
}

impl Access for Probed {
    #[inline(always)]
    fn socket(sk: *const c_void) -> Option<Socket<Self>> {
        Some(Socket::raw(sk))
    }

    #[inline(always)]
    fn known(sk: *const c_void) -> Option<Socket<Self>> {
        Some(Socket::raw(sk))
    }

    #[inline(always)]
    unsafe fn load<T: Copy + Default>(base: *const c_void, field: Field) -> T {
        // SAFETY: the helper checks the address. A fault cannot be told from a zero here, and a live socket has none.
        unsafe { bpf_probe_read_kernel(base.byte_add(offset(field)).cast::<T>()) }.unwrap_or_default()
    }

    #[inline(always)]
    fn state(sk: *const c_void) -> Option<&'static SocketState> {
        table(sk)
    }

    #[inline(always)]
    fn state_or_new(sk: *const c_void) -> Option<&'static SocketState> {
        table_or_new(sk)
    }

    #[inline(always)]
    fn forget_state(sk: *const c_void) {
        let _ = SOCKET_TABLE.remove(&(sk as u64));
    }

    #[inline(always)]
    fn number(sk: *const c_void) -> u64 {
        sk as u64
    }
}

#[inline(always)]
fn storage(sk: *const c_void, create: u64) -> Option<&'static SocketState> {
    // SAFETY: the map is a socket storage of this value type, and the verifier knows `sk` as a socket.
    let state: *const SocketState = unsafe {
        bpf_sk_storage_get(
            (&raw const SOCKET_STORAGE).cast_mut().cast(),
            sk.cast_mut(),
            ptr::null_mut(),
            create,
        )
    }
    .cast();
    // SAFETY: null or a value of the storage, which is aligned, and whose fields are all shared words.
    unsafe { state.as_ref() }
}

#[inline(always)]
fn table(sk: *const c_void) -> Option<&'static SocketState> {
    // SAFETY: the fields of a value are all shared words.
    unsafe { SOCKET_TABLE.get(&(sk as u64)) }
}

#[inline(always)]
fn table_or_new(sk: *const c_void) -> Option<&'static SocketState> {
    if let Some(state) = table(sk) {
        return Some(state);
    }
    // SAFETY: integers only, so all zeros is a value.
    let empty: SocketState = unsafe { core::mem::zeroed() };
    let _ = SOCKET_TABLE.insert(&(sk as u64), &empty, BPF_NOEXIST as u64);
    table(sk)
}

/// A TCP socket and how to read it.
#[derive(Clone, Copy)]
pub struct Socket<A> {
    /// The socket as `struct sock`; also its identity.
    pub sk: *const c_void,
    tp: *const c_void,
    access: PhantomData<A>,
}

impl Socket<Typed> {
    /// `None` for a null pointer, for a request or time-wait socket and for every protocol but TCP.
    #[inline(always)]
    pub fn typed(sk: *const c_void) -> Option<Self> {
        if sk.is_null() {
            return None;
        }
        // SAFETY: the verifier knows `sk` as a socket.
        Self::of(sk, unsafe { bpf_skc_to_tcp_sock(sk.cast_mut()) }.cast())
    }

    /// A socket of which it is known that it is one of TCP.
    ///
    /// The call is the kernel function `bpf_rdonly_cast` where there is one (Linux 6.2), which costs nothing: the
    /// verifier takes the pointer for one of the type named, and leaves a move between registers. Else it is
    /// `bpf_skc_to_tcp_sock`, which ignores the second argument. User space writes in which (`flowtop_bpf::link`).
    #[inline(always)]
    pub fn known(sk: *const c_void) -> Option<Self> {
        // SAFETY: the number becomes a call instruction with it, like that of any helper.
        let cast: unsafe extern "C" fn(*const c_void, u32) -> *const c_void =
            unsafe { core::mem::transmute(placeholder::CAST as usize) };
        // SAFETY: the verifier knows `sk` as a socket.
        Self::of(sk, unsafe { cast(sk, constant(Constant::TcpSock) as u32) })
    }

    #[inline(always)]
    fn of(sk: *const c_void, tp: *const c_void) -> Option<Self> {
        if tp.is_null() { None } else { Some(Self { sk, tp, access: PhantomData }) }
    }
}

impl Socket<Probed> {
    /// The argument of a function that only takes TCP sockets.
    #[inline(always)]
    pub fn raw(sk: *const c_void) -> Self {
        Self { sk, tp: sk, access: PhantomData }
    }
}

impl<A: Access> Socket<A> {
    /// A field of `struct sock`.
    #[inline(always)]
    pub fn sock<T: Copy + Default>(&self, field: Field) -> T {
        // SAFETY: `sk` is a `struct sock`.
        unsafe { A::load(self.sk, field) }
    }

    /// A field of `struct tcp_sock`.
    #[inline(always)]
    pub fn tcp<T: Copy + Default>(&self, field: Field) -> T {
        // SAFETY: `tp` is a `struct tcp_sock`.
        unsafe { A::load(self.tp, field) }
    }

    /// A field of the `struct net` the socket lives in.
    #[inline(always)]
    pub fn net<T: Copy + Default>(&self, field: Field) -> T {
        let net: usize = self.sock(Field::Net);
        // SAFETY: a socket's namespace outlives it.
        unsafe { A::load(net as *const c_void, field) }
    }

    /// The state as the kernel has it now.
    #[inline(always)]
    pub fn tcp_state(&self) -> u32 {
        u32::from(self.sock::<u8>(Field::State))
    }
}
