//! Tests with directories that an attacker has prepared.

use super::*;
use rustix::fs::CWD;
use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};

/// A user other than flowtop's.
const OTHER: u32 = 65_534;

fn is_root() -> bool {
    geteuid().is_root()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The reason why a directory is refused, without the path of the temporary directory.
fn refused(dir: &Path, path: &str) -> String {
    let error = Folder::private(&dir.join(path)).unwrap_err();
    format!("{error:#}").replace(dir.to_str().unwrap(), "DIR")
}

#[test]
fn a_folder_is_made_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::private(&dir.path().join("a/b/../c/./d/")).unwrap();
    folder.create(OsStr::new("file")).unwrap();
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().mode() & 0o7777;
    assert_eq!(["a", "a/b", "a/c", "a/c/d", "a/c/d/file"].map(mode), [0o700, 0o700, 0o700, 0o700, 0o600]);
}

#[test]
fn a_folder_that_others_can_change_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    let next = "take that right from them with `chmod go-w`, or give another directory";
    for mode in [0o777, 0o1777, 0o775, 0o770] {
        set_mode(&open, mode);
        assert_eq!(
            refused(dir.path(), "open"),
            format!("DIR/open can be changed by others (mode {mode:04o}); {next}")
        );
    }
    // A parent may be writable for all users if the sticky bit protects its entries.
    set_mode(&open, 0o1777);
    Folder::private(&open.join("below")).unwrap();
    set_mode(&open, 0o777);
    assert!(refused(dir.path(), "open/below").starts_with("DIR/open can be changed by others (mode 0777); "));
    assert!(refused(dir.path(), "open/new/below").starts_with("DIR/open can be changed"));
    assert!(!open.join("new").exists());
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_one_below_it() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folders = ["eve", "eve/below", "eve/below/deeper"].map(|name| dir.path().join(name));
    for folder in &folders {
        fs::create_dir(folder).unwrap();
    }
    lchown(&folders[0], Some(OTHER), None).unwrap();
    let next = "give a directory that belongs to you, below others that belong to root or to you";
    for path in ["eve", "eve/below", "eve/below/deeper", "eve/new"] {
        assert_eq!(
            refused(dir.path(), path),
            format!("DIR/eve belongs to user {OTHER}, who could lead flowtop astray; {next}")
        );
    }
}

#[test]
fn links_are_followed_on_the_way_if_nobody_else_can_have_made_them_and_never_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("real")).unwrap();
    symlink("real", path("link")).unwrap();
    symlink(path("real"), path("whole")).unwrap();
    symlink("loop", path("loop")).unwrap();
    Folder::private(&path("link/a")).unwrap();
    Folder::private(&path("whole/../link/b")).unwrap();
    assert!(path("real/a").is_dir() && path("real/b").is_dir());
    let next = "give the directory that it leads to";
    for link in ["link", "whole", "link/"] {
        let name = link.trim_end_matches('/');
        assert_eq!(refused(dir.path(), link), format!("DIR/{name} is a symbolic link; {next}"));
    }
    assert_eq!(refused(dir.path(), "loop/a"), "DIR/loop/a: too many symbolic links; give another directory");
    if is_root() {
        lchown(path("link"), Some(OTHER), None).unwrap();
        assert_eq!(refused(dir.path(), "link/c"), format!("DIR/link is a symbolic link; {next}"));
    }
}

#[test]
fn what_is_no_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(refused(dir.path(), "file"), "DIR/file is a file, not a directory; give another one");
    assert_eq!(refused(dir.path(), "file/below"), "DIR/file is a file, not a directory; give another one");
}

/// A victim file, a private directory, and what the attacker has put there under the name of one of flowtop's files.
#[test]
fn what_is_no_file_of_its_own_is_neither_written_nor_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    fs::write(&victim, "valuable").unwrap();
    let folder = Folder::private(&dir.path().join("folder")).unwrap();
    let at = |name: &str| folder.path(name);
    symlink(&victim, at("link")).unwrap();
    symlink("nothing", at("dangling")).unwrap();
    fs::hard_link(&victim, at("hard")).unwrap();
    rustix::fs::mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
    fs::create_dir(at("directory")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let mut whys = vec![
        ("link", "is a symbolic link"),
        ("dangling", "is a symbolic link"),
        ("hard", "has 2 names (hard links)"),
        ("pipe", "is a pipe"),
        ("directory", "is a directory"),
        ("socket", "is a socket"),
    ];
    if is_root() {
        fs::write(at("other"), "").unwrap();
        lchown(at("other"), Some(OTHER), None).unwrap();
        symlink("/dev/zero", at("device")).unwrap();
        whys.extend([("other", "belongs to user 65534"), ("device", "is a symbolic link")]);
    }
    for (name, why) in whys {
        let said =
            format!("{} {why}, and flowtop writes only to files of its own; remove it", at(name).display());
        assert_eq!(folder.open_or_create(name).unwrap_err().to_string(), said);
        assert!(folder.create(OsStr::new(name)).is_err());
        assert_eq!(folder.own_bytes(name).is_some(), name == "hard");
        if name != "directory" {
            folder.remove(name).unwrap();
        }
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "valuable");
    assert!(!at("nothing").exists());
    assert_eq!(folder.names().unwrap().iter().filter(|name| !name.starts_with('.')).count(), 1);
}

#[test]
fn a_folder_that_is_moved_away_is_still_the_one_that_is_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let [here, there, victim] = ["here", "there", "victim"].map(|name| dir.path().join(name));
    let folder = Folder::private(&here).unwrap();
    fs::create_dir(&victim).unwrap();
    fs::rename(&here, &there).unwrap();
    symlink(&victim, &here).unwrap();
    folder.open_or_create("file").unwrap();
    assert!(there.join("file").exists() && fs::read_dir(&victim).unwrap().next().is_none());
}

#[test]
fn a_new_file_is_made_anywhere_but_behind_links_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    set_mode(&open, 0o777);
    let file = open.join("rows.txt");
    Folder::new_file(&file).unwrap().write_all(b"rows").unwrap();
    assert_eq!(
        (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().mode() & 0o777),
        (b"rows".to_vec(), 0o600)
    );
    let again = Folder::new_file(&file).unwrap_err();
    assert_eq!(again.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::AlreadyExists);
    fs::create_dir(dir.path().join("victim")).unwrap();
    symlink("../victim", open.join("link")).unwrap();
    symlink("/nonexistent", open.join("name")).unwrap();
    let said = Folder::new_file(&open.join("link/rows.txt")).unwrap_err().to_string();
    assert_eq!(
        said,
        format!("{} is a symbolic link; give the directory that it leads to", open.join("link").display())
    );
    assert!(Folder::new_file(&open.join("name")).is_err());
    assert!(Folder::new_file(&open.join("missing/rows.txt")).is_err());
    assert!(!open.join("missing").exists());
}
