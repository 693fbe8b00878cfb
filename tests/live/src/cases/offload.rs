//! Protocols around TCP: Fast Open before it, kTLS and MPTCP on top of it.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use rustix::net::{self, Protocol, SendFlags, ipproto};

use super::Case;
use super::sending::check_open_and_closed;
use crate::net::{End, LOOPBACK, Listener, PAYLOAD, Pair, stream, while_draining};
use crate::netns;
use crate::stage::Stage;
use crate::sys;

pub const CASES: &[Case] = &[
    Case::exact("TCP Fast Open with data in the SYN", "data before the connection exists", fast_open)
        .where_possible(namespaces_are_possible),
    Case::exact("kTLS 1.2", "ciphertext that passes no sendmsg hook", |stage| ktls(stage, &TLS_1_2))
        .where_possible(ktls_is_possible),
    Case::exact("kTLS 1.3", "ciphertext that passes no sendmsg hook", |stage| ktls(stage, &TLS_1_3))
        .where_possible(ktls_is_possible),
    Case::exact("MPTCP", "subflows that nobody counts", mptcp).where_possible(mptcp_is_possible).limited(
        "the bytes are those of the subflow: what MPTCP itself sends again counts again, and some are counted only \
         at the close",
        |applied, reported| applied <= reported && reported <= 2 * applied,
    ),
];

fn namespaces_are_possible() -> Result<()> {
    netns::in_new(|| Ok(()))
}

/// Client and server without a cookie (0x1 | 0x2 | 0x4 | 0x200): the first SYN already carries data. The switch
/// belongs to the namespace.
fn fast_open_connection() -> Result<Pair> {
    const BYTES: usize = 1_001;
    fs::write("/proc/sys/net/ipv4/tcp_fastopen", "519").context("cannot switch TCP Fast Open on")?;
    let listener = Listener::bind(LOOPBACK)?;
    sys::set_number(listener.socket(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN, 16).context("TCP_FASTOPEN")?;
    let socket = stream(LOOPBACK, None)?;
    let flags = SendFlags::from_bits_retain(libc::MSG_FASTOPEN.cast_unsigned());
    let sent = net::sendto(&socket, &PAYLOAD[..BYTES], flags, &listener.address).context("MSG_FASTOPEN")?;
    let mut initiator = End::new(socket)?;
    initiator.sent += sent as u64;
    Pair::of(initiator, listener.accept()?)
}

fn fast_open(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = netns::in_new(fast_open_connection)?;
    ensure!(syn_carried_data(&pair.initiator)?, "the workload is wrong: the SYN carried no data");
    let queued = pair.initiator.sent;
    pair.acceptor.receive_exactly(queued)?;
    stage.bench()?.check("after the SYN's data", &[pair.outcome()?])?;
    pair.exchange(10_007)?;
    check_open_and_closed(stage, &mut pair)
}

fn syn_carried_data(end: &End) -> Result<bool> {
    /// `tcpi_options` in `struct tcp_info`, and `TCPI_OPT_SYN_DATA` in it (`include/uapi/linux/tcp.h`).
    const OPTIONS: usize = 5;
    const SYN_DATA: u8 = 32;
    let mut info = [0; 8];
    let length =
        sys::option(end.socket(), libc::IPPROTO_TCP, libc::TCP_INFO, &mut info).context("TCP_INFO")?;
    ensure!(length > OPTIONS, "TCP_INFO is too short");
    Ok(info[OPTIONS] & SYN_DATA != 0)
}

/// A version of TLS with AES-128-GCM.
struct Tls {
    /// Version field of a TLS record.
    version: u16,
    /// Bytes that a record adds to its payload: header, nonce, tag.
    record_overhead_bytes: u64,
}

/// Header 5, explicit nonce 8, tag 16 (RFC 5288).
const TLS_1_2: Tls = Tls { version: 0x0303, record_overhead_bytes: 5 + 8 + 16 };
/// Header 5, content type 1, tag 16 (RFC 8446).
const TLS_1_3: Tls = Tls { version: 0x0304, record_overhead_bytes: 5 + 1 + 16 };

/// The largest payload of a record.
const RECORD_BYTES: usize = 16_384;

fn ktls_is_possible() -> Result<()> {
    let path = "/proc/sys/net/ipv4/tcp_available_ulp";
    let names = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    ensure!(names.split_whitespace().any(|name| name == "tls"), "the kernel has no kTLS (module tls)");
    TLS_1_2
        .start(&Pair::connect()?.initiator)
        .context("the kernel's kTLS has no AES-GCM (modules gcm, ghash, ctr)")
}

impl Tls {
    /// Hands both directions of a connected socket to the kernel, with fixed keys.
    fn start(&self, end: &End) -> Result<()> {
        sys::set_option(end.socket(), libc::IPPROTO_TCP, libc::TCP_ULP, b"tls").context("TCP_ULP")?;
        for direction in [libc::TLS_TX, libc::TLS_RX] {
            sys::set_option(end.socket(), libc::SOL_TLS, direction, &self.crypto_info())
                .context("SOL_TLS")?;
        }
        Ok(())
    }

    /// `struct tls12_crypto_info_aes_gcm_128`: version, cipher, iv, key, salt, record number.
    fn crypto_info(&self) -> [u8; 40] {
        let mut info = [0; 40];
        info[..2].copy_from_slice(&self.version.to_ne_bytes());
        info[2..4].copy_from_slice(&libc::TLS_CIPHER_AES_GCM_128.to_ne_bytes());
        info[4..32].fill(0x2a);
        info
    }

    /// Moves records of the given payload sizes, and counts what they weigh on the connection.
    fn pass(&self, from: &mut End, to: &mut End, sends: &[usize]) -> Result<()> {
        let payload: usize = sends.iter().sum();
        while_draining(to, payload as u64, || {
            for &send in sends {
                let taken = from.send(&PAYLOAD[..send], SendFlags::empty()).context("send over kTLS")?;
                ensure!(taken == send, "the kernel took {taken} of {send} bytes");
            }
            Ok(())
        })?;
        let records: usize = sends.iter().map(|send| send.div_ceil(RECORD_BYTES)).sum();
        from.sent += records as u64 * self.record_overhead_bytes;
        to.received += records as u64 * self.record_overhead_bytes;
        Ok(())
    }
}

fn ktls(stage: &mut Stage<'_>, tls: &Tls) -> Result<()> {
    let mut pair = Pair::connect()?;
    pair.exchange(517)?;
    tls.start(&pair.initiator)?;
    tls.start(&pair.acceptor)?;
    let Pair { initiator, acceptor, .. } = &mut pair;
    tls.pass(initiator, acceptor, &[1, 100, RECORD_BYTES, 40_001, 65_536, 7])?;
    tls.pass(acceptor, initiator, &[5_003, 1, 30_011])?;
    check_open_and_closed(stage, &mut pair)
}

pub const MPTCP: Option<Protocol> = Some(ipproto::MPTCP);

pub fn mptcp_is_possible() -> Result<()> {
    stream(LOOPBACK, MPTCP).map(drop).context("the kernel has no MPTCP")
}

fn mptcp(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind_with(SocketAddr::new(LOOPBACK, 0), MPTCP)?;
    let socket = stream(LOOPBACK, MPTCP)?;
    net::connect(&socket, &listener.address)?;
    let mut pair = Pair::of(End::new(socket)?, listener.accept()?)?;
    sys::option(pair.initiator.socket(), SOL_MPTCP, MPTCP_INFO, &mut [0; 64])
        .context("the workload is wrong: the connection fell back to plain TCP")?;
    pair.exchange(1_000_003)?;
    pair.close();
    stage.bench()?.check("after the close", &[pair.outcome()?])
}

const SOL_MPTCP: i32 = 284;
/// `MPTCP_INFO` of `include/uapi/linux/mptcp.h`; answered only while the connection is MPTCP.
const MPTCP_INFO: i32 = 1;
