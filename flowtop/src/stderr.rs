//! Messages on stderr. A closed stderr is not an error.

use std::time::Duration;

use flowtop_core::sanitize::harmless_lines;

use crate::output;

/// How long the end of the program waits for a reader that is slow.
const READS_WITHIN: Duration = Duration::from_millis(200);

/// Writes text, newline included, with control characters escaped.
pub fn print(text: &str) {
    write(&harmless_lines(text));
}

/// Overwrites the current line of a terminal.
pub fn overwrite(text: &str) {
    write(&format!("\r\x1b[K{}", harmless_lines(text)));
}

fn write(text: &str) {
    output::stderr().say(text);
}

/// Has what was printed last written before the program ends, unless nobody reads.
pub fn finish() {
    output::stderr().wait(Some(READS_WITHIN));
}
