//! What is asked for and is not there: processes, cgroups, namespaces, users. They may appear later, so each is a line on
//! stderr and no error.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use flowtop_core::filter::{Filter, Wanted};
use flowtop_view::settings::Settings;

use crate::selection::cgroup;
use crate::stderr;

/// Says what of that is not on this host now.
pub fn say(settings: &Settings, filter: &Filter) {
    let host = Host { root: PathBuf::from(&settings.host_root.value) };
    for sentence in host.sentences(settings, filter) {
        stderr::print(&format!("flowtop: {sentence}\n"));
    }
}

/// Where the tree of cgroups may be: beside those of version 1, that of systemd, or the only one.
const TREES: [&str; 3] = ["sys/fs/cgroup/unified", "sys/fs/cgroup/systemd", "sys/fs/cgroup"];

/// The host whose file system is at `root`.
struct Host {
    root: PathBuf,
}

impl Host {
    fn sentences(&self, settings: &Settings, filter: &Filter) -> Vec<String> {
        let process = |flag: &str, pid: u64| {
            let is_here = self.root.join("proc").join(pid.to_string()).exists();
            (!is_here).then(|| format!("{flag} {pid}: there is no such process now"))
        };
        let mntns = |inode: &u64| {
            let which = self.processes_outside("mnt", *inode)?;
            let why = "is in that mount namespace now; `readlink /proc/PID/ns/mnt` shows one";
            Some(format!("--mntns {inode}: no process{which} {why}"))
        };
        let of_flags = (settings.pid.value.iter().filter_map(|pid| process("--pid", *pid)))
            .chain(settings.cgroup.value.iter().filter_map(|path| self.cgroup(path)))
            .chain(settings.mntns.value.iter().filter_map(mntns));
        let of_filter = filter.wanted().into_iter().filter_map(|wanted| match wanted {
            Wanted::Pid(pid) => process("--filter: pid", pid.into()),
            Wanted::Netns(inode) => {
                let which = self.processes_outside("net", inode.into())?;
                let why = "is in that network namespace now; `readlink /proc/PID/ns/net` shows one";
                Some(format!("--filter: netns {inode}: no process{which} {why}"))
            }
            Wanted::User(name) => self.user(&name),
        });
        of_flags.chain(of_filter).collect()
    }

    fn cgroup(&self, path: &str) -> Option<String> {
        let trees = TREES.map(|tree| self.root.join(tree));
        let tree = trees.into_iter().find(|tree| tree.join("cgroup.procs").exists())?;
        let wanted = cgroup(path);
        let at = |path: &Path| tree.join(path.strip_prefix("/").unwrap_or(path));
        if at(Path::new(&wanted)).is_dir() {
            return None;
        }
        let nearest = Path::new(&wanted).ancestors().find(|path| at(path).is_dir())?;
        let nearest = nearest.display();
        Some(format!("--cgroup {path}: there is no such cgroup now; the nearest above it is {nearest}"))
    }

    /// Which processes are not in a namespace, as the rest of a sentence, if none is known to be and no name of `ip netns`
    /// keeps it.
    fn processes_outside(&self, kind: &str, inode: u64) -> Option<&'static str> {
        let entries = |folder: &str| fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        let of_processes = entries("proc").map(|entry| entry.path().join("ns").join(kind));
        let named = ["run/netns", "var/run/netns"].into_iter().flat_map(entries).map(|entry| entry.path());
        let mut which = "";
        for path in of_processes.chain(named) {
            match fs::metadata(path) {
                Ok(file) if file.ino() == inode => return None,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    which = " that flowtop may look at";
                }
                _ => {}
            }
        }
        Some(which)
    }

    fn user(&self, name: &str) -> Option<String> {
        let passwd = fs::read(self.root.join("etc/passwd")).ok()?;
        let passwd = String::from_utf8_lossy(&passwd);
        let is_it = |line: &str| line.split(':').next() == Some(name);
        let is_known = name.parse::<u32>().is_ok() || passwd.lines().any(is_it);
        (!is_known).then(|| format!("--filter: user {name}: /etc/passwd has no such user"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter_names::HostNames;

    fn said(cgroups: &[&str], pids: &[u64], filter: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for folder in ["proc/7", "sys/fs/cgroup/system.slice/a.service"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("sys/fs/cgroup/cgroup.procs"), "").unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        let mut settings = Settings::default();
        settings.cgroup.value = cgroups.iter().map(|path| (*path).to_owned()).collect();
        settings.pid.value = pids.to_vec();
        let names = HostNames::of_host(root.path());
        Host { root: root.path().to_owned() }.sentences(&settings, &Filter::parse(filter, &names).unwrap())
    }

    #[test]
    fn what_is_there_is_not_told() {
        let cgroups = ["/system.slice", "system.slice/a.service/", "/sys/fs/cgroup/system.slice", "/"];
        assert_eq!(said(&cgroups, &[7], "pid 7 and user root or user 0 or user 1000 or user r*"), [""; 0]);
    }

    #[test]
    fn what_is_absent_is_told_with_what_is_near() {
        let of_cgroups = said(&["/typo", "/system.slice/b.service/x"], &[], "");
        let sentence = "there is no such cgroup now; the nearest above it is";
        assert_eq!(
            of_cgroups,
            [
                format!("--cgroup /typo: {sentence} /"),
                format!("--cgroup /system.slice/b.service/x: {sentence} /system.slice")
            ]
        );
        assert_eq!(said(&[], &[999_999], ""), ["--pid 999999: there is no such process now"]);
        assert_eq!(
            said(&[], &[], "pid 8 or user nosuchuser or not netns 5"),
            [
                "--filter: pid 8: there is no such process now",
                "--filter: user nosuchuser: /etc/passwd has no such user",
                "--filter: netns 5: no process is in that network namespace now; `readlink /proc/PID/ns/net` shows one"
            ]
        );
    }
}
