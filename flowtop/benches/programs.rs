//! The BPF programs of a process.

use aya::programs::{ProgramInfo, loaded_programs};
use std::{collections::HashSet, fs, io};

/// The programs that a process has open.
pub fn of_process(pid: u32) -> io::Result<Vec<ProgramInfo>> {
    let texts = fs::read_dir(format!("/proc/{pid}/fdinfo"))?;
    let texts = texts.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let id = |text: String| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
    let ids: HashSet<u32> = texts.filter_map(id).collect();
    Ok(loaded_programs().filter_map(Result::ok).filter(|program| ids.contains(&program.id())).collect())
}

/// The same programs as they are now; those that have gone are left out.
pub fn now(ids: &[u32]) -> impl Iterator<Item = ProgramInfo> {
    loaded_programs().filter_map(Result::ok).filter(move |program| ids.contains(&program.id()))
}
