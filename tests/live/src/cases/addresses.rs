//! Address families and network namespaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, ensure};

use super::Case;
use super::sending::check_open_and_closed;
use crate::net::{End, LOOPBACK, Listener, Pair};
use crate::netns;
use crate::stage::Stage;

pub const CASES: &[Case] = &[
    Case::exact("IPv6", "addresses cut to 32 bits", ipv6).where_possible(ipv6_is_possible),
    Case::exact("IPv4 mapped into IPv6 at both ends", "an IPv4 connection shown as IPv6", mapped)
        .where_possible(ipv6_is_possible),
    Case::exact("an IPv4 client of an IPv6 server", "one connection shown as two, one of each family", mixed)
        .where_possible(ipv6_is_possible),
    Case::exact("equal tuples in two network namespaces", "two pods taken for one", equal_tuples)
        .where_possible(namespaces_are_possible),
];

pub const MAPPED: IpAddr = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());

pub fn ipv6_is_possible() -> Result<()> {
    Listener::bind(IpAddr::V6(Ipv6Addr::LOCALHOST)).map(drop)
}

fn namespaces_are_possible() -> Result<()> {
    netns::in_new(|| Ok(()))
}

fn ipv6(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind(IpAddr::V6(Ipv6Addr::LOCALHOST))?;
    let mut pair = Pair::over(&listener, None)?;
    pair.exchange(100_003)?;
    check_open_and_closed(stage, &mut pair)
}

fn mapped(stage: &mut Stage<'_>) -> Result<()> {
    let mut pair = Pair::over(&Listener::bind(MAPPED)?, None)?;
    ensure!(pair.initiator.local.is_ipv4(), "the workload is wrong: {} is not mapped", pair.initiator.local);
    pair.exchange(100_003)?;
    check_open_and_closed(stage, &mut pair)
}

fn mixed(stage: &mut Stage<'_>) -> Result<()> {
    let listener = Listener::bind(MAPPED)?;
    let initiator = End::dial(SocketAddr::new(LOOPBACK, listener.address.port()), None)?;
    let mut pair = Pair::of(initiator, listener.accept()?)?;
    pair.exchange(100_003)?;
    check_open_and_closed(stage, &mut pair)
}

fn equal_tuples(stage: &mut Stage<'_>) -> Result<()> {
    let mut first = netns::in_new(Pair::connect).context("first namespace")?;
    let (source, target) = (first.initiator.local, first.acceptor.local);
    let mut second = netns::in_new(|| Pair::over(&Listener::bind_with(target, None)?, Some(source)))
        .context("second namespace")?;
    first.exchange(11_003)?;
    second.exchange(22_005)?;
    let (one, other) = (first.outcome()?, second.outcome()?);
    ensure!(one.netns != other.netns && one.initiator == other.initiator, "the workload is wrong");
    stage.bench()?.check("while open", &[one, other])?;
    first.close();
    second.exchange(33_007)?;
    second.close();
    stage.bench()?.check("after the close", &[first.outcome()?, second.outcome()?])
}
