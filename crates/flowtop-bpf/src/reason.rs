//! Why the kernel refuses a program, in a few words.

use std::error::Error;
use std::io;

use aya::programs::ProgramError;

/// The innermost cause in few words; a verifier log of hundreds of lines is not a reason that a user can read.
pub fn reason(error: &(dyn Error + 'static)) -> String {
    if let Some(ProgramError::LoadError { io_error, verifier_log }) = error.downcast_ref() {
        let log = verifier_log.to_string();
        let verdict = log.lines().rev().find(|line| !line.is_empty() && !line.starts_with("processed "));
        let verdict = verdict.map(|line| format!(" ({line})")).unwrap_or_default();
        return format!("{}{verdict}", os_reason(io_error));
    }
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<io::Error>() {
        Some(io_error) => os_reason(io_error),
        None => innermost.to_string(),
    }
}

/// `operation not permitted` for `Operation not permitted (os error 1)`.
pub fn os_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
