//! Why the kernel refuses a program, in a few words.

use std::error::Error;
use std::io;

use aya::programs::ProgramError;
use rustix::io::Errno;

/// The innermost cause in few words; a verifier log of hundreds of lines is not a reason that a user can read.
pub fn reason(error: &(dyn Error + 'static)) -> String {
    if let Some(ProgramError::LoadError { io_error, verifier_log }) = error.downcast_ref()
        && is_verdict(io_error)
    {
        let log = verifier_log.to_string();
        let verdict = log.lines().rev().find(|line| !line.is_empty() && !line.starts_with("processed "));
        let verdict = verdict.map(|line| format!(" ({line})")).unwrap_or_default();
        return format!("{}{verdict}", os_reason(io_error));
    }
    match os_error(error) {
        Some(io_error) => os_reason(io_error),
        None => innermost(error).to_string(),
    }
}

/// Whether the error may be the verifier's. What is wanting behind it leaves the log of a program that it has accepted.
pub fn is_verdict(error: &io::Error) -> bool {
    let wanting = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOSYS];
    Errno::from_io_error(error).is_none_or(|error| !wanting.contains(&error))
}

/// The error of a system call that is behind it, if one is.
pub fn os_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    innermost(error).downcast_ref()
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// `operation not permitted` for `Operation not permitted (os error 1)`.
fn os_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(error: Errno) -> ProgramError {
        let verifier_log = aya_obj::VerifierLog::new("R0 invalid\nprocessed 7 insns\n".to_owned());
        ProgramError::LoadError { io_error: error.into(), verifier_log }
    }

    #[test]
    fn the_verifier_is_quoted_for_its_own_errors_only() {
        assert_eq!(reason(&refused(Errno::ACCESS)), "permission denied (R0 invalid)");
        assert_eq!(reason(&refused(Errno::MFILE)), "too many open files");
    }
}
