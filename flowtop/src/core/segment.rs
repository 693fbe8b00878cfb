//! The files of a recording: one an hour, named by it.

/// How the names of all of them end.
const SUFFIX: &str = ".rec";
/// How they begin.
const PREFIX: &str = "flowtop-";

/// Whether a file of this name belongs to a recording.
#[must_use]
pub fn is_segment(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_may_lie_beside() {
        assert!(is_segment("flowtop-20261102T08Z.rec"));
        for other in ["flowtop.lock", "flowtop-20261102T08Z.rec.gz", "notes.rec", ".flowtop-1.rec"] {
            assert!(!is_segment(other));
        }
    }
}
