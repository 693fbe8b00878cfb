//! Where the runtimes of containers keep their files, by their own configuration and command lines.
//!
//! Not in here: where the configuration is (`crate::read::runtimes`), and the names in those files (`kubernetes`).

use serde_json::Value as Json;
use toml::{Table, Value};

/// A setting of TOML: the text at the end of a path of keys.
#[must_use]
pub fn toml_setting(config: &str, keys: &[&str]) -> Option<String> {
    let (last, tables) = keys.split_last()?;
    let mut table = &config.parse::<Table>().ok()?;
    for key in tables {
        table = table.get(*key)?.as_table()?;
    }
    table.get(*last).and_then(Value::as_str).map(str::to_owned)
}

/// Docker's `data-root` in its `daemon.json`; `graph` is its name before docker 17.
#[must_use]
pub fn docker_data_root(config: &[u8]) -> Option<String> {
    let config: Json = serde_json::from_slice(config).ok()?;
    let setting = ["data-root", "graph"].iter().find_map(|key| config.get(*key));
    setting.and_then(Json::as_str).map(str::to_owned)
}

/// The value of a flag of a command line, as `--flag value` or `--flag=value`; of several the last one counts.
#[must_use]
pub fn flag(cmdline: &[u8], names: &[&str]) -> Option<String> {
    let arguments: Vec<&str> =
        cmdline.split(|byte| *byte == 0).filter_map(|part| str::from_utf8(part).ok()).collect();
    let value = |at: usize| {
        names.iter().find_map(|name| match arguments[at].strip_prefix(name)? {
            "" => arguments.get(at + 1).copied(),
            rest => rest.strip_prefix('='),
        })
    };
    (0..arguments.len()).rev().find_map(value).map(str::to_owned)
}

/// Whether a folder in docker's data root is that of a mapped user (`userns-remap`): `UID.GID`.
#[must_use]
pub fn is_remapped(folder: &str) -> bool {
    let is_number =
        |text: &str| !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    folder.split_once('.').is_some_and(|(uid, gid)| is_number(uid) && is_number(gid))
}

/// A path with the variables that podman's storage may have: `$HOME`, `$UID`.
#[must_use]
pub fn expanded(path: &str, home: &str, uid: u32) -> String {
    let uid = uid.to_string();
    let of_home = path.replace("${HOME}", home).replace("$HOME", home);
    let of_home = of_home.strip_prefix("~/").map_or(of_home.clone(), |rest| format!("{home}/{rest}"));
    of_home.replace("${UID}", &uid).replace("$UID", &uid)
}

/// The home of a user in the text of `/etc/passwd`.
#[must_use]
pub fn home(passwd: &str, uid: u32) -> Option<&str> {
    let found = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields.get(5).copied())?
    });
    found.filter(|home| home.starts_with('/') && home.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_are_found_in_their_table() {
        let text = |config, keys: &[&str]| toml_setting(config, keys).unwrap_or_default();
        let containerd =
            "version = 2\nroot = '/data/containerd'\nstate = \"/run/c\" # here\n[grpc]\nstate = 'no'\n";
        assert_eq!(text(containerd, &["state"]), "/run/c");
        let storage =
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"/data/c\"\n[storage.options]\ngraphroot = 'no'\n";
        assert_eq!(text(storage, &["storage", "graphroot"]), "/data/c");
        assert_eq!(text("[crio]\n# root = '/x'\nrunroot = '/r'\n", &["crio", "root"]), "");
        assert_eq!(
            (text("state = 7", &["state"]), text("state =", &["state"])),
            (String::new(), String::new())
        );
    }

    #[test]
    fn docker_says_where_its_data_is() {
        let of = |config: &str| docker_data_root(config.as_bytes()).unwrap_or_default();
        assert_eq!(of(r#"{"debug":true,"data-root":"/data/docker"}"#), "/data/docker");
        assert_eq!(of(r#"{"graph":"/old"}"#), "/old");
        assert_eq!((of("{"), of(r#"{"data-root":7}"#), of("[]")), Default::default());
    }

    #[test]
    fn flags_of_a_daemon_are_read_in_both_forms() {
        let cmdline = b"/usr/bin/containerd\0--config\0/a.toml\0--state=/run/k0s\0--state\0/run/x\0--root\0";
        let of = |names: &[&str]| flag(cmdline, names);
        assert_eq!(of(&["--config", "-c"]).as_deref(), Some("/a.toml"));
        assert_eq!(of(&["--state"]).as_deref(), Some("/run/x"));
        assert_eq!((of(&["--root"]).as_deref(), of(&["--conf"])), (Some(""), None));
    }

    #[test]
    fn a_mapped_user_has_a_folder_of_two_numbers() {
        let names = ["165536.165536", "0.0", "containers", "1.2.3", ".1", "1.", "1.x", "99999999999.1"];
        assert_eq!(names.map(is_remapped), [true, true, false, false, false, false, false, false]);
    }

    #[test]
    fn a_home_is_that_of_the_user_with_the_number() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nshort:x:7\nme:x:1000:1000:,,,:/srv/me:/bin/sh\nno:x:8:8::/:/bin/sh\n";
        let homes = [0, 7, 1000, 8, 9].map(|uid| home(passwd, uid));
        assert_eq!(homes, [Some("/root"), None, Some("/srv/me"), None, None]);
        assert_eq!(expanded("$HOME/c/${UID}", "/srv/me", 7), "/srv/me/c/7");
        assert_eq!(expanded("~/c", "/srv/me", 7), "/srv/me/c");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_readers(text in "\\PC*", bytes: Vec<u8>) {
            let _ = (toml_setting(&text, &["a", "b"]), docker_data_root(&bytes), flag(&bytes, &["-a"]));
            let _ = (is_remapped(&text), home(&text, 0), expanded(&text, "/", 0));
        }
    }
}
