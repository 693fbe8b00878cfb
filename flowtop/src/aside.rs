//! What is said on stderr, beside the reports. Nobody may be listening there, and that is no failure.

use std::io::{self, Write as _};

/// Says it, a line or a part of one, newline included.
pub fn say(text: &str) {
    // `eprint!` would panic when the other end of a pipe has gone.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
