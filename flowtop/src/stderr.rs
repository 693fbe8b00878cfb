//! Messages on stderr. A closed stderr is not an error.

use std::io::{self, Write as _};

use flowtop_core::sanitize::harmless_lines;

/// Writes text, newline included, with control characters escaped.
pub fn print(text: &str) {
    write(&harmless_lines(text));
}

/// Overwrites the current line of a terminal.
pub fn overwrite(text: &str) {
    write(&format!("\r\x1b[K{}", harmless_lines(text)));
}

fn write(text: &str) {
    // `eprint!` would panic if the other end of a pipe is closed.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
