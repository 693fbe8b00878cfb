//! The live suite: workloads with known bytes on real sockets, compared with what flowtop reports, to the byte.
//!
//! It runs on the host as root, and as `/init` of a virtual machine. What is inside:
//!
//! - `cli`: what was typed; `suite`: plans × cases → lines and a verdict; `plan`: what a hook plan can do here
//! - `cases`: every workload; `stage`: what a case works with
//! - `net`, `netns`: counted sockets; `flowtop`, `report`: the program under test and its JSON; `compare`: the judge
//! - `worker`: other processes that use sockets
//! - `init`: the duties of process 1; `sys`: the only unsafe code

mod cases;
mod cli;
mod compare;
mod flowtop;
mod init;
mod net;
mod netns;
mod plan;
mod report;
mod stage;
mod suite;
#[expect(unsafe_code, reason = "socket options, ioctl, unshare and io_uring have no safe interface")]
mod sys;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        init::run();
    }
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(worker::FLAG) {
        return match worker::run(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("flowtop-live: worker: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    match cli::parse(std::env::args().skip(1)) {
        Err(usage) => {
            eprintln!("flowtop-live: {usage}");
            ExitCode::from(2)
        }
        Ok(options) => verdict(suite::run(&options)),
    }
}

fn verdict(outcome: anyhow::Result<suite::Tally>) -> ExitCode {
    match outcome {
        Ok(tally) if tally.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("flowtop-live: {error:#}");
            ExitCode::FAILURE
        }
    }
}
