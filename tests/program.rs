//! The program as a process: its command line, filters on real traffic, recording, and reports of recordings.

mod cli;
mod command_lines;
mod filter;
mod history;
#[allow(dead_code, reason = "each test program needs a part")]
#[path = "iftop/network.rs"]
mod network;
mod record;
#[path = "tools/recorded.rs"]
mod recorded;
#[path = "tools/records.rs"]
mod records;
#[allow(dead_code, reason = "each test program needs a part")]
mod tools;
