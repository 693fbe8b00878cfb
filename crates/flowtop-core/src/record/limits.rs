//! The settings that kept traffic out of a record, as values.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::filter::Boundary;

/// All settings that kept traffic out, in the order in which they are shown. None: everything counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficLimits(pub Vec<TrafficLimit>);

/// One setting that kept traffic out. Its text (`Display`) is the flag that sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficLimit {
    /// `-f`, as typed.
    Filter(String),
    /// `-i`: name of the interface.
    Interface(String),
    /// `-F` or `-G`: only flows with one end in the network, or in another one of its family, count.
    Network { address: IpAddr, prefix_bits: u8 },
    /// `-4`
    Ipv4Only,
    /// `-6`
    Ipv6Only,
    /// `--pid`
    Process(u64),
    /// `--cgroup`, as typed.
    Cgroup(String),
    /// `--mntns`: inode number.
    MountNamespace(u64),
    /// A setting of another flowtop that this one does not know, as that one shows it.
    Other(String),
}

impl TrafficLimits {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The border around the networks: it says which end of a connection is left.
    #[must_use]
    pub fn border(&self) -> Boundary {
        let network = |limit: &TrafficLimit| match limit {
            TrafficLimit::Network { address, prefix_bits } => Some((*address, *prefix_bits)),
            _ => None,
        };
        Boundary::around(self.0.iter().filter_map(network))
    }
}

impl fmt::Display for TrafficLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, limit) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{limit}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TrafficLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(text) => write!(f, "-f '{text}'"),
            Self::Interface(name) => write!(f, "-i {name}"),
            Self::Network { address, prefix_bits } => {
                let flag = if address.is_ipv4() { "-F" } else { "-G" };
                write!(f, "{flag} {address}/{prefix_bits}")
            }
            Self::Ipv4Only => f.write_str("-4"),
            Self::Ipv6Only => f.write_str("-6"),
            Self::Process(pid) => write!(f, "--pid {pid}"),
            Self::Cgroup(path) => write!(f, "--cgroup {path}"),
            Self::MountNamespace(inode) => write!(f, "--mntns {inode}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}
