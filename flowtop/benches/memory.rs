//! What the kernel says of the memory of a process.

use anyhow::{Context as _, Result};

/// A line of a process's `status` file that is a size, in 10^6 bytes.
pub fn megabytes(status: &str, line: &str) -> Result<f64> {
    let text = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')?.strip_suffix("kB"));
    let kib: f64 = text.with_context(|| format!("the kernel does not tell {line}"))?.trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}
