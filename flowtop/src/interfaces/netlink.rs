//! Questions to the kernel about interfaces, addresses and routes of flowtop's network namespace: rtnetlink(7).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// Multicast groups that say when something changes: links, and addresses, routes and rules of both families
/// (`enum rtnetlink_groups` in `include/uapi/linux/rtnetlink.h`).
const GROUPS: [u32; 7] = [1, 5, 7, 8, 9, 11, 19];

/// Asks, and waits for the answer, which the kernel gives at once.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    pub fn links(&mut self) -> io::Result<Vec<LinkMessage>> {
        let answers = self.ask(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP)?;
        let link = |answer| match answer {
            RouteNetlinkMessage::NewLink(link) => Some(link),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(link).collect())
    }

    pub fn addresses(&mut self) -> io::Result<Vec<AddressMessage>> {
        let answers = self.ask(RouteNetlinkMessage::GetAddress(AddressMessage::default()), NLM_F_DUMP)?;
        let address = |answer| match answer {
            RouteNetlinkMessage::NewAddress(address) => Some(address),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(address).collect())
    }

    /// Number of the interface over which a packet from `local` to `remote` leaves. A source that is not an address of this
    /// host is left out of the question, which the kernel would refuse.
    ///
    /// # Errors
    /// There is no such route.
    pub fn route(&mut self, local: IpAddr, remote: IpAddr) -> io::Result<Option<u32>> {
        self.route_from(Some(local), remote).or_else(|_| self.route_from(None, remote))
    }

    fn route_from(&mut self, local: Option<IpAddr>, remote: IpAddr) -> io::Result<Option<u32>> {
        let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let mut question = RouteMessage::default();
        question.header.address_family =
            if remote.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        question.header.destination_prefix_length = bits(remote);
        question.attributes.push(RouteAttribute::Destination(RouteAddress::from(remote)));
        if let Some(local) = local {
            question.header.source_prefix_length = bits(local);
            question.attributes.push(RouteAttribute::Source(RouteAddress::from(local)));
        }
        let answers = self.ask(RouteNetlinkMessage::GetRoute(question), 0)?;
        Ok(answers.into_iter().find_map(|answer| {
            let RouteNetlinkMessage::NewRoute(route) = answer else { return None };
            route.attributes.into_iter().find_map(|attribute| match attribute {
                RouteAttribute::Oif(index) => Some(index),
                _ => None,
            })
        }))
    }

    /// The number that this namespace has for the namespace behind `netns`; `None` if it has none.
    pub fn number_of_netns(&mut self, netns: BorrowedFd<'_>) -> io::Result<Option<i32>> {
        let mut question = NsidMessage::default();
        question.attributes.push(NsidAttribute::Fd(netns.as_raw_fd().cast_unsigned()));
        let answers = self.ask(RouteNetlinkMessage::GetNsId(question), 0)?;
        let number = answers.into_iter().find_map(|answer| {
            let RouteNetlinkMessage::NewNsId(message) = answer else { return None };
            message.attributes.into_iter().find_map(|attribute| match attribute {
                NsidAttribute::Id(number) => Some(number),
                _ => None,
            })
        });
        Ok(number.filter(|number| *number >= 0))
    }

    fn ask(&mut self, question: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        (header.flags, header.sequence_number) = (NLM_F_REQUEST | flags, self.sequence);
        let mut question = NetlinkMessage::new(header, NetlinkPayload::from(question));
        question.finalize();
        let mut bytes = vec![0; question.buffer_len()];
        question.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answers = Vec::new();
        while self.receive(flags & NLM_F_DUMP != 0, &mut answers)? {}
        Ok(answers)
    }

    /// Takes one datagram; false if it was the last one of the answer. What this library cannot read is passed over.
    fn receive(&self, is_dump: bool, answers: &mut Vec<RouteNetlinkMessage>) -> io::Result<bool> {
        let (datagram, _) = self.socket.recv_from_full()?;
        for message in messages(&datagram) {
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) else { continue };
            if message.header.sequence_number != self.sequence {
                continue;
            }
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(false),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                _ => {}
            }
            if !is_dump {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The messages in a datagram, each with its header. One whose length is wrong ends them.
fn messages(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        let message = rest.get(..length).filter(|_| length >= HEADER_BYTES)?;
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some(message)
    })
}

/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// `NLMSG_ALIGNTO`.
const ALIGNMENT: usize = 4;

/// Tells whether interfaces, addresses or routes have changed.
#[derive(Debug)]
pub struct Changes(Socket);

impl Changes {
    pub fn watch() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Whether anything has changed since the last call. More messages than fit are a change too.
    pub fn take(&self) -> bool {
        let mut has_changed = false;
        loop {
            let mut buffer = Vec::with_capacity(DATAGRAM_BYTES);
            match self.0.recv_from(&mut buffer, 0) {
                Ok(_) => has_changed = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return has_changed,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => has_changed = true,
                Err(_) => return true,
            }
        }
    }
}

/// More than the kernel puts into one (`NLMSG_GOODSIZE`). What is cut off is not read.
const DATAGRAM_BYTES: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_cut_into_its_messages() {
        let of = |length: u32, bytes: usize| {
            let mut message = vec![0; bytes];
            message[..4].copy_from_slice(&length.to_ne_bytes());
            message
        };
        let lengths = |datagram: &[u8]| messages(datagram).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[of(18, 20), of(16, 16)].concat()), [18, 16]);
        for broken in [vec![], vec![1, 0], of(15, 16), of(17, 16), of(u32::MAX, 16), of(0, 16)] {
            assert_eq!(lengths(&broken), [] as [usize; 0], "{broken:?}");
        }
    }

    #[test]
    fn the_host_reaches_itself_over_its_loopback_interface() {
        let mut netlink = Netlink::open().unwrap();
        let lo = netlink.links().unwrap().into_iter().map(|link| link.header.index).min();
        for address in [[127, 0, 0, 1], [127, 1, 2, 3]].map(IpAddr::from) {
            assert_eq!(netlink.route(address, [127, 0, 0, 1].into()).unwrap(), lo);
        }
    }
}
