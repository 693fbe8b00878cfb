//! The one way in which a test ends without having tested anything.
//!
//! libtest knows no such end and counts the test as passed. So it is written down, and `cargo xtask test` takes what is
//! written there off the passed tests; where every test has to run it is a failure.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};

/// Set by `.ci/run` and by the services that run it: there, what a test needs has to be there.
pub const CI: &str = "CI";
/// Names the file to which the skipped tests are appended, a line each. `cargo xtask test` sets it.
pub const LIST: &str = "FLOWTOP_TEST_SKIPPED";

/// Reports that the running test, or a part of it, is left out. The test returns after it.
///
/// # Panics
/// Under CI, and where there is no writing to the list.
pub fn skip(why: impl fmt::Display) {
    let test = running_test();
    assert!(std::env::var_os(CI).is_none(), "{test} is left out, and CI leaves none out: {why}");
    let line = format!("skipped: {test}: {why}\n");
    // Not by `eprintln`, which libtest hides.
    io::stderr().lock().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os(LIST) {
        // All at once: other tests append at the same time.
        File::options().append(true).create(true).open(list).unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// As libtest calls it, behind the name of the test file. A thread that the test has started has no name.
fn running_test() -> String {
    let thread = std::thread::current();
    let name =
        thread.name().filter(|name| *name != "main").expect("`skip` is called on the test's own thread");
    format!("{}::{name}", env!("CARGO_CRATE_NAME"))
}
