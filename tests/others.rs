//! flowtop beside the programs of others: iftop, what reads iftop's text, tcpdump and iperf3.

mod command_lines;
mod consumers;
mod filter_pcap;
mod iftop;
mod iperf3;
#[allow(dead_code, reason = "each test program needs a part")]
mod tools;
