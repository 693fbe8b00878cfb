//! Parsers of files in `/proc`: a process's user, its start, its command line; the sockets of a namespace.
//!
//! Not in here: reading them (`read`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::secrets;
use flowtop_core::flow::Tuple;

const NS_PER_S: u64 = 1_000_000_000;

/// The effective user of a process, from the text of `/proc/PID/status`.
#[must_use]
pub fn uid(status: &str) -> Option<u32> {
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a process may give its network other addresses, from the text of `/proc/PID/status`: it has `CAP_NET_ADMIN`, or
/// can get it.
#[must_use]
pub fn may_change_addresses(status: &str) -> Option<bool> {
    /// In `linux/capability.h`.
    const CAP_NET_ADMIN: u32 = 12;
    let set = |name: &str| {
        let digits = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(digits.trim(), 16).ok()
    };
    let may = |set: u64| set & (1 << CAP_NET_ADMIN) != 0;
    Some(may(set("CapPrm:")?) || may(set("CapBnd:")?))
}

/// When a process started, in nanoseconds of the clock since boot, from `/proc/PID/stat`, with the kernel's ticks per
/// second. The name in the file may hold blanks and parentheses.
#[must_use]
pub fn start_ns(stat: &[u8], ticks_per_s: u64) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    Some(ticks.saturating_mul(NS_PER_S / ticks_per_s.max(1)))
}

/// Whether a process is a thread of the kernel, from `/proc/PID/stat`.
#[must_use]
pub fn is_kernel_thread(stat: &[u8]) -> bool {
    /// In `include/linux/sched.h`.
    const PF_KTHREAD: u64 = 0x0020_0000;
    let flags = || {
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        fields.split_whitespace().nth(6)?.parse::<u64>().ok()
    };
    flags().is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// A command line with blanks between the arguments and without what looks like a secret, where there is one: kernel threads
/// and zombies have none. Of one whose end was not read, the last word goes too, because it may be cut.
#[must_use]
pub fn command(cmdline: &[u8], is_whole: bool) -> Option<Vec<u8>> {
    let end = cmdline.iter().rposition(|byte| *byte != 0)? + 1;
    let is_between = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let last_word = cmdline[..end].iter().rposition(is_between).filter(|_| !is_whole && end == cmdline.len());
    let arguments: Vec<&[u8]> = cmdline[..last_word.unwrap_or(end)].split(|byte| *byte == 0).collect();
    let mut command = secrets::hide(&arguments).join(&b' ');
    if last_word.is_some() {
        command.extend(" …".as_bytes());
    }
    Some(command)
}

/// The name of a user in the text of `/etc/passwd`.
#[must_use]
pub fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
}

/// The inode number in the target of a link in `/proc/PID/fd`, if it is a socket.
#[must_use]
pub fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// A socket of `/proc/net/tcp` or `tcp6`: its ends and its inode number, if it has one.
#[must_use]
pub fn socket(line: &str) -> Option<(Tuple, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, _, _, _, _, _, _, inode, ..] = fields[..] else { return None };
    let inode = inode.parse().ok().filter(|inode| *inode != 0)?;
    Some((Tuple { local: end(local)?, remote: end(remote)? }, inode))
}

/// `ADDRESS:PORT` in hexadecimal; each word of the address is in the byte order of this host.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

/// Addresses of one namespace that are kept.
const MAX_ADDRESSES: usize = 64;

/// The addresses that a network namespace has itself, in its `fib_trie`: each stands on the line before `/32 host LOCAL`.
#[must_use]
pub fn local_v4(fib_trie: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        }
        let address = leaf.filter(|_| line == "/32 host LOCAL").map(IpAddr::from);
        // Every one stands in the main table and in the local one.
        if let Some(address) =
            address.filter(|address| found.len() < MAX_ADDRESSES && !found.contains(address))
        {
            found.push(address);
        }
    }
    found
}

/// The same of IPv6, in its `if_inet6`: 32 hexadecimal digits at the beginning of each line.
#[must_use]
pub fn local_v6(if_inet6: &str) -> Vec<IpAddr> {
    let digits = if_inet6.lines().filter_map(|line| line.get(..32));
    let bits = digits.filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    bits.map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits))).take(MAX_ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_effective_user_is_the_second_of_the_line() {
        assert_eq!(uid("Name:\tx\nUid:\t1000\t33\t1000\t1000\n"), Some(33));
        assert_eq!(uid("Name:\tUid: 5\n"), None);
    }

    #[test]
    fn who_has_or_can_get_cap_net_admin_may_change_addresses() {
        // What docker and containerd leave a container, and one that is privileged.
        let of = |permitted: &str, bounding: &str| {
            may_change_addresses(&format!(
                "Name:\tx\nCapInh:\t0\nCapPrm:\t{permitted}\nCapBnd:\t{bounding}\n"
            ))
        };
        assert_eq!(of("00000000a80425fb", "00000000a80425fb"), Some(false));
        assert_eq!(of("0000000000000000", "000001ffffffffff"), Some(true));
        assert_eq!(of("0000000000001000", "0000000000000000"), Some(true));
        assert_eq!((of("x", "0"), may_change_addresses("CapBnd:\t0\n")), (None, None));
    }

    #[test]
    fn a_name_with_parentheses_does_not_hide_the_start() {
        let stat = b"7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 250 1 1 ";
        assert_eq!(start_ns(stat, 100), Some(2_500_000_000));
        assert_eq!(start_ns(b"7 (a) S 1", 100), None);
    }

    #[test]
    fn arguments_are_joined_by_blanks() {
        let shown = |cmdline: &[u8], is_whole| {
            command(cmdline, is_whole).map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(shown(b"nginx\0-g\0daemon off;\0", true).as_deref(), Some("nginx -g daemon off;"));
        assert_eq!(shown(b"\0\0", true), None);
        assert_eq!(shown(b"app\0--password=hunter2\0\0x", true).as_deref(), Some("app --password=***  x"));
    }

    /// A part of a password says no more of itself than that there is one.
    #[test]
    fn of_a_command_line_that_is_cut_the_last_word_goes() {
        let shown = |cmdline: &[u8]| String::from_utf8(command(cmdline, false).unwrap()).unwrap();
        assert_eq!(shown(b"app\0postgres://u:unfini"), "app …");
        assert_eq!(shown(b"app\0-v\0--password\0hun"), "app -v --password …");
        assert_eq!(shown(b"app\0-v\0"), "app -v");
        assert_eq!(shown(b"title of a process ghp_01"), "title of a process …");
        assert_eq!(shown(b"oneword"), "oneword");
    }

    #[test]
    fn threads_of_the_kernel_are_told_by_their_flags() {
        assert!(is_kernel_thread(b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0"));
        assert!(!is_kernel_thread(b"2 (kthreadd) S 0 0 0 0 -1 4194560 0 0 0"));
        assert!(!is_kernel_thread(b"2 (a) b 2129984") && !is_kernel_thread(b""));
    }

    #[test]
    fn users_are_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nwww-data:x:33:33::/:/bin/false\n";
        assert_eq!(user_name(passwd, 33), Some("www-data"));
        assert_eq!(user_name(passwd, 1), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_socket_of_proc_has_its_ends_and_inode() {
        let line = "   1: 0100007F:1F90 0200007F:9C40 01 00000000:00000000 00:00000000 00000000  33        0 4711 1 0";
        let tuple = |local: &str, remote: &str| Tuple {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
        };
        assert_eq!(socket(line), Some((tuple("127.0.0.1:8080", "127.0.0.2:40000"), 4711)));
        let v6 = "0: 0000000000000000FFFF00000100007F:0050 B80D0120000000000000000001000000:01BB 01 0:0 0:0 0 0 0 9 1";
        assert_eq!(socket(v6), Some((tuple("127.0.0.1:80", "[2001:db8::1]:443"), 9)));
        assert_eq!(
            socket(
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode"
            ),
            None
        );
        assert_eq!(socket_inode("socket:[4711]"), Some(4711));
        assert_eq!(socket_inode("pipe:[4711]"), None);
    }

    #[test]
    fn the_addresses_of_a_namespace_are_its_own() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 10.244.0.0\n        \
                    /24 link UNICAST\n           |-- 127.0.0.1\n              /32 host LOCAL\n           |-- 10.244.0.7\n      \
                    /24 link UNICAST\n        /32 host LOCAL\n        |-- 10.244.0.255\n           /32 link BROADCAST\n";
        let local = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 244, 0, 7])];
        assert_eq!(local_v4(&format!("{trie}Local:\n{trie}")), local);
        let lines = "20010db8000000000000000000000007 04 40 00 82     eth0\nx\n\n";
        assert_eq!(local_v6(lines), ["2001:db8::7".parse::<IpAddr>().unwrap()]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_readers_of_addresses(text in "\\PC*", lines in prop::collection::vec("(\\|-- |/32 host LOCAL|[0-9a-f]{32}|\u{e9}){0,3}", 0..20)) {
            for text in [&text, &lines.join("\n")] {
                prop_assert!(local_v4(text).len() <= MAX_ADDRESSES && local_v6(text).len() <= MAX_ADDRESSES);
            }
        }

        #[test]
        fn no_text_breaks_the_readers(text in "\\PC*", bytes: Vec<u8>) {
            let _ = (uid(&text), user_name(&text, 0), socket(&text), socket_inode(&text));
            let _ = (start_ns(&bytes, 100), command(&bytes, true), command(&bytes, false));
        }

        #[test]
        fn no_line_of_its_form_breaks_the_reader_of_sockets(line in "[0-9A-F: ]{0,120}") {
            let _ = socket(&line);
        }
    }
}
