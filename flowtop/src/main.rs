//! Parses the command line, runs the command and sets the exit code.

use flowtop::Usage;
use flowtop::cli::Typed;
use flowtop::raised;
use flowtop::stderr;
use flowtop_bpf::{probe, refused};
use rustix::io::Errno;
use std::{error::Error, io, process::ExitCode};

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
            let advice = advice(&error).map(|advice| format!("; {advice}")).unwrap_or_default();
            stderr::print(&format!("flowtop: {error:#}{advice}\n"));
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// The next step where a file could not be opened because too many are open, whichever it was.
fn advice(error: &anyhow::Error) -> Option<String> {
    let code = |cause: &(dyn Error + 'static)| {
        let of_library = cause.downcast_ref::<Errno>().copied();
        of_library.or_else(|| Errno::from_io_error(cause.downcast_ref::<io::Error>()?))
    };
    let is_out_of_files = error.chain().filter_map(code).any(|code| code == Errno::MFILE);
    is_out_of_files.then(|| refused::too_many_files(probe::open_files()))
}

/// The reader of stdout has closed the pipe, which is not a failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
