//! Requirements of tests that a machine may lack: the programs that flowtop is compared with, which `cargo xtask setup`
//! installs; rights; and a kernel in which hooks load. A test that cannot have it is reported by [`skip`], and returns.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

mod skip;
pub use skip::skip;

/// Set by `cargo xtask test`, under which no program may be missing.
const REQUIRED: &str = "FLOWTOP_TEST_TOOLS_REQUIRED";

/// Whether hooks load here; where not, the running test is skipped. Asked of `flowtop doctor` once for all tests of a
/// file.
pub fn can_count() -> bool {
    static WHY_NOT: LazyLock<Option<String>> = LazyLock::new(|| {
        let doctor = Command::new(env!("CARGO_BIN_EXE_flowtop")).arg("doctor").output().unwrap();
        (!doctor.status.success()).then(|| why_not(&doctor))
    });
    WHY_NOT.as_ref().inspect(|why| skip(why)).is_none()
}

/// The first reason that a doctor gives for hooks that do not work; all that it says on stderr where it gives none.
fn why_not(doctor: &Output) -> String {
    let [found, said] = [&doctor.stdout, &doctor.stderr].map(|text| String::from_utf8_lossy(text));
    let reason = found.lines().find_map(|line| Some(line.split_once("does not work: ")?.1));
    format!("no hooks work here: {}", reason.unwrap_or(said.trim()))
}

/// Whether the test has root's rights; where not, it is skipped.
pub fn has_root() -> bool {
    let has_root = rustix::process::geteuid().is_root();
    if !has_root {
        skip("needs root");
    }
    has_root
}

/// A program; `None` where it is not installed, and then the running test is skipped.
///
/// # Panics
/// If it is missing and has to be here.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A user's PATH leaves out where Debian puts iftop.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), own_folder(name)]);
    let found = folders.map(|folder| folder.join(name)).find(|program| runs(program));
    or_skipped(found, name)
}

/// The Python that has a module, or `None` as [`find`].
///
/// # Panics
/// If the module is missing and has to be here.
pub fn find_python_with(module: &str) -> Option<PathBuf> {
    let python = own_folder(module).join("python3");
    let imports = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    let found = imports.is_ok_and(|said| said.status.success()).then_some(python);
    or_skipped(found, module)
}

fn or_skipped(found: Option<PathBuf>, name: &str) -> Option<PathBuf> {
    if found.is_none() {
        let why = format!("{name} is not here; `cargo xtask setup` installs it");
        assert!(std::env::var_os(REQUIRED).is_none(), "{why}");
        skip(why);
    }
    found
}

/// The text of an iftop, parsed by jc.
///
/// # Panics
/// If jc cannot read it.
pub fn read_by_jc(jc: &Path, text: &[u8]) -> serde_json::Value {
    let mut command = Command::new(jc);
    command.args(["--iftop", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let read = child.wait_with_output().unwrap();
    assert!(read.status.success(), "jc failed on\n{}", String::from_utf8_lossy(text));
    serde_json::from_slice(&read.stdout).unwrap()
}

/// Where setup puts what is not a package of the system.
fn own_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools").join(name).join("bin")
}

/// A file with the right name may still be a stand-in for a program that is not there.
fn runs(program: &Path) -> bool {
    // tmux has no -h, iftop no -V, and logrotate neither.
    ["-h", "-V", "--version"].into_iter().any(|flag| {
        let said = Command::new(program).arg(flag).stdin(Stdio::null()).output();
        said.is_ok_and(|said| said.status.success())
    })
}
