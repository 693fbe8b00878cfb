//! The cache of libcni: pod and addresses of each sandbox. Not every network plugin's runtime keeps one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::parse::cni::{Attachment, attachment};
use crate::parse::kubernetes::Names;
use crate::read::files::{Pace, Trouble, written_ns};
use flowtop_core::owner::Pod;
use flowtop_core::owner::addresses::Claim;

/// Files that are read. A node has some hundred pods.
const MAX_FILES: usize = 4096;
/// Most of a file that is read: it holds the configuration of the network too.
const MAX_FILE_BYTES: usize = 256 << 10;

/// A file when it was last read.
struct Read {
    written_ns: u128,
    /// `None` of one that names no pod.
    attachment: Option<Attachment>,
}

/// Cache of the folder's files, re-read when their time of writing changes.
pub struct Results {
    folder: PathBuf,
    read: HashMap<String, Read>,
    pace: Pace,
}

impl Results {
    pub fn new(root: &Path) -> Self {
        Self { folder: root.join("var/lib/cni/results"), read: HashMap::new(), pace: Pace::default() }
    }

    /// The names of a sandbox's pod.
    pub fn of_sandbox(&mut self, id: &str, trouble: &Trouble) -> Option<Names> {
        self.find(|attachment| attachment.sandbox_id == id, trouble)
    }

    pub fn of_pod(&mut self, uid: &str, trouble: &Trouble) -> Option<Names> {
        self.find(|attachment| attachment.pod_uid.as_deref() == Some(uid), trouble)
    }

    /// The addresses of every pod, as they are now.
    pub fn claims(&mut self, trouble: &Trouble) -> Vec<Claim> {
        self.refresh(trouble);
        let claim = |Read { written_ns, attachment }: &Read| {
            let attachment = attachment.as_ref()?;
            let Names { namespace, pod, .. } = attachment.names.clone();
            Some(Claim {
                network: attachment.network.clone(),
                written_ns: *written_ns,
                pod: Arc::new(Pod { namespace, name: pod? }),
                addresses: attachment.addresses.clone(),
            })
        };
        self.read.values().filter_map(claim).collect()
    }

    fn find(&mut self, is_meant: impl Fn(&Attachment) -> bool, trouble: &Trouble) -> Option<Names> {
        let found = |read: &HashMap<String, Read>| {
            let mut attachments = read.values().filter_map(|read| read.attachment.as_ref());
            attachments.find(|attachment| is_meant(attachment)).map(|attachment| attachment.names.clone())
        };
        found(&self.read).or_else(|| {
            self.refresh(trouble);
            found(&self.read)
        })
    }

    fn refresh(&mut self, trouble: &Trouble) {
        let Self { folder, read, pace } = self;
        pace.walk(|| refresh(folder, read, trouble));
    }
}

/// Reads files that are new or have been written again.
fn refresh(folder: &Path, read: &mut HashMap<String, Read>, trouble: &Trouble) {
    let mut names = trouble.names_in(folder);
    if names.len() > MAX_FILES {
        trouble.cut();
        names.truncate(MAX_FILES);
    }
    let mut before = std::mem::take(read);
    for name in names {
        let path = folder.join(&name);
        let Some(written_ns) = trouble.value(written_ns(&path)) else { continue };
        let known = before.remove(&name).filter(|known| known.written_ns == written_ns);
        let new = || {
            let attachment = trouble.read(&path, MAX_FILE_BYTES).and_then(|file| attachment(&file));
            Read { written_ns, attachment }
        };
        read.insert(name, known.unwrap_or_else(new));
    }
}
