//! The cache of libcni: which pod a sandbox is. Not every network plugin's runtime keeps one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::files::{Pace, Trouble};
use crate::core::owner::cni::{Attachment, attachment};
use crate::core::owner::kubernetes::Names;

/// Files that are read. A node has some hundred pods.
const MAX_FILES: usize = 4096;
/// Most of a file that is read: it holds the configuration of the network too.
const MAX_FILE_BYTES: usize = 256 << 10;

/// What was in the folder when it was last read.
pub struct Results {
    folder: PathBuf,
    /// By the name of the file, which has the sandbox in it: such a file does not change.
    read: HashMap<String, Attachment>,
    pace: Pace,
}

impl Results {
    /// Looks below `root`.
    pub fn new(root: &Path) -> Self {
        Self { folder: root.join("var/lib/cni/results"), read: HashMap::new(), pace: Pace::default() }
    }

    /// The names of a sandbox's pod.
    pub fn of_sandbox(&mut self, id: &str, trouble: &Trouble) -> Option<Names> {
        self.find(|attachment| attachment.sandbox_id == id, trouble)
    }

    /// The names of a pod.
    pub fn of_pod(&mut self, uid: &str, trouble: &Trouble) -> Option<Names> {
        self.find(|attachment| attachment.pod_uid.as_deref() == Some(uid), trouble)
    }

    fn find(&mut self, is_meant: impl Fn(&Attachment) -> bool, trouble: &Trouble) -> Option<Names> {
        let found = |read: &HashMap<String, Attachment>| {
            read.values().find(|attachment| is_meant(attachment)).map(|attachment| attachment.names.clone())
        };
        let Self { folder, read, pace } = self;
        found(read).or_else(|| {
            pace.walk(|| look(folder, read, trouble));
            found(read)
        })
    }
}

/// Reads files that are new, and those that could not be understood: they may have been written since.
fn look(folder: &Path, read: &mut HashMap<String, Attachment>, trouble: &Trouble) {
    let mut names = trouble.names_in(folder);
    if names.len() > MAX_FILES {
        trouble.cut();
        names.truncate(MAX_FILES);
    }
    let mut before = std::mem::take(read);
    for name in names {
        let new = || attachment(&trouble.read(&folder.join(&name), MAX_FILE_BYTES)?);
        let attachment = before.remove(&name).or_else(new);
        read.extend(attachment.map(|attachment| (name, attachment)));
    }
}
