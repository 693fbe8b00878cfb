//! Messages on stderr, beside the reports. A stderr that is closed is no failure.

use std::io::{self, Write as _};

use flowtop_core::sanitize::harmless_lines;

/// Says it, a line or a part of one, newline included. Names of files and errors of others may be in it.
pub fn say(text: &str) {
    write(&harmless_lines(text));
}

/// Writes over the line that the cursor is in, which is that of a terminal.
pub fn say_over(text: &str) {
    write(&format!("\r\x1b[K{}", harmless_lines(text)));
}

fn write(text: &str) {
    // `eprint!` would panic when the other end of a pipe has gone.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
