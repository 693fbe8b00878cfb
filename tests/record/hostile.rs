//! Directories that another user has prepared. flowtop runs as root, and must neither write elsewhere nor wait for
//! ever.

use std::os::unix::fs::{chown, lchown, symlink};

use flowtop_recording::segment::SegmentName;
use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;

/// A user that is not flowtop's.
const EVE: u32 = 65_534;
/// Content of a file that must survive. A run that took it for a recording would truncate it, since it is no record.
const VALUABLE: &str = "root:x:0:0:root:/root:/bin/bash\n";

/// A victim's file, and a directory for recordings.
struct Trap {
    dir: tempfile::TempDir,
}

impl Trap {
    /// `None` where only root can set it.
    fn set() -> Option<Self> {
        if !tools::has_root() {
            return None;
        }
        let trap = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(trap.victim(), VALUABLE).unwrap();
        fs::create_dir(trap.recordings()).unwrap();
        Some(trap)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn victim(&self) -> PathBuf {
        self.path("victim")
    }

    fn recordings(&self) -> PathBuf {
        self.path("recordings")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.recordings().join(name)
    }

    /// `flowtop record` and `flowtop watch` refuse the directory, with this sentence, and nothing has become of the victim.
    fn is_seen_by(&self, dir: &Path, sentence: &str) {
        let dir = dir.to_str().unwrap();
        let watch = [
            "watch",
            "--demo",
            "--when",
            "total > 1 for 1s",
            "--then",
            "record 1s",
            "--count",
            "1",
            "--output",
        ];
        for args in [&["record", "--demo", "--every", "1s", "--count", "1", "-o"][..], &watch] {
            let mut command = Command::new("timeout");
            command
                .arg("20")
                .arg(env!("CARGO_BIN_EXE_flowtop"))
                .args(args)
                .arg(dir)
                .env("HOME", "/nonexistent");
            let output = command.stdin(Stdio::null()).output().unwrap();
            let said = stderr(&output).replace(self.dir.path().to_str().unwrap(), "DIR");
            assert_eq!(
                (output.status.code(), &said[..]),
                (Some(1), &format!("flowtop: {sentence}\n")[..]),
                "{args:?}"
            );
        }
        assert_eq!(fs::read_to_string(self.victim()).unwrap(), VALUABLE);
    }
}

/// The file that a run of now would write to.
fn segment() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    SegmentName::of(i64::try_from(now.as_micros()).unwrap()).file().unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn links_pipes_and_other_names_in_the_directory_are_refused() {
    for name in [segment(), "flowtop.lock".to_owned()] {
        let Some(trap) = Trap::set() else { return };
        let file = trap.file(&name);
        let refused = |why: &str| {
            let next = "and flowtop writes only to files of its own; remove it";
            trap.is_seen_by(&trap.recordings(), &format!("DIR/recordings/{name} {why}, {next}"));
            fs::remove_file(&file).unwrap();
        };
        symlink(trap.victim(), &file).unwrap();
        refused("is a symbolic link");
        symlink(trap.path("new"), &file).unwrap();
        refused("is a symbolic link");
        assert!(!trap.path("new").exists());
        symlink("/dev/zero", &file).unwrap();
        refused("is a symbolic link");
        mkfifoat(CWD, &file, Mode::RWXU).unwrap();
        refused("is a pipe");
        fs::hard_link(trap.victim(), &file).unwrap();
        refused("has 2 names (hard links)");
        fs::write(&file, VALUABLE).unwrap();
        chown(&file, Some(EVE), None).unwrap();
        refused(&format!("belongs to user {EVE}"));
        let output =
            record(&trap.recordings(), &["--demo", "--every", "1s", "--count", "1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let Some(trap) = Trap::set() else { return };
    let chmod = "take that right from them with `chmod go-w`, or give another directory";
    let own = "give a directory that belongs to you, below others that belong to root or to you";
    let dir = trap.recordings();
    for mode in [0o777, 0o1777, 0o770] {
        set_mode(&dir, mode);
        trap.is_seen_by(&dir, &format!("DIR/recordings can be changed by others (mode {mode:04o}); {chmod}"));
    }
    // One above it.
    let below = dir.join("below");
    fs::create_dir(&below).unwrap();
    set_mode(&dir, 0o777);
    trap.is_seen_by(&below, &format!("DIR/recordings can be changed by others (mode 0777); {chmod}"));
    set_mode(&dir, 0o755);
    chown(&dir, Some(EVE), None).unwrap();
    for dir in [&dir, &below, &dir.join("new")] {
        trap.is_seen_by(
            dir,
            &format!("DIR/recordings belongs to user {EVE}, who could lead flowtop astray; {own}"),
        );
    }
    assert!(!dir.join("new").exists());
}

#[test]
fn a_link_in_place_of_the_directory_is_refused() {
    let Some(trap) = Trap::set() else { return };
    let link = trap.path("link");
    symlink(trap.recordings(), &link).unwrap();
    let next = "give the directory that it leads to";
    trap.is_seen_by(&link, &format!("DIR/link is a symbolic link; {next}"));
    // On the way to it a link is followed, if root has made it.
    let output = record(&link.join("a"), &["--demo", "--every", "1s", "--count", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(records(&trap.recordings().join("a")).len(), 1);
    lchown(&link, Some(EVE), None).unwrap();
    trap.is_seen_by(&link.join("b"), &format!("DIR/link is a symbolic link; {next}"));
    assert!(!trap.recordings().join("b").exists());
}

/// Foreign files with names of older segments are neither counted nor removed nor read when room is made.
#[test]
fn making_room_removes_files_of_flowtop_only() {
    let Some(trap) = Trap::set() else { return };
    let running = Running::start(record(
        &trap.recordings(),
        &["--demo", "--every", "1s", "--max-size", "100K", "--keep-days", "1", "--count", "4"],
    ));
    wait_for(&trap.recordings(), 1);
    let old = ["flowtop-20200101T00Z.rec", "flowtop-20200101T01Z.rec", "flowtop-20200101T02Z.rec"]
        .map(|name| trap.file(name));
    symlink(trap.victim(), &old[0]).unwrap();
    mkfifoat(CWD, &old[1], Mode::RWXU).unwrap();
    fs::write(&old[2], vec![0; 1 << 20]).unwrap();
    chown(&old[2], Some(EVE), None).unwrap();
    let (code, said) = running.end();
    assert!(code == Some(0) && said.starts_with("flowtop: 4 records in "), "{said}");
    for file in old {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(records(&trap.recordings()).len(), 4);
    assert_eq!(fs::read_to_string(trap.victim()).unwrap(), VALUABLE);
}
