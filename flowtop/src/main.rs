//! Parses the command line, runs the command and sets the exit code.

use flowtop::Usage;
use flowtop::cli::Typed;
use flowtop::raised;
use flowtop::stderr;
use std::{io, process::ExitCode};

fn main() -> ExitCode {
    let code = run();
    stderr::finish();
    code
}

fn run() -> ExitCode {
    match raised::refuse().and_then(|()| flowtop::run(&Typed::read())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            stderr::print(&format!("flowtop: {error:#}\n"));
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// The reader of stdout has closed the pipe, which is not a failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
