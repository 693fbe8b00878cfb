//! Where settings come from: flags, `.iftoprc`, `config.toml`; and the command lines that iftop's users have.
//!
//! Nothing counts here: `--print-config` ends flowtop when it has read everything.

use super::*;
use command_lines::lines;

/// A home of its own for a test.
struct Home(std::path::PathBuf);

impl Home {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        // Files of an earlier run.
        let _ = fs::remove_dir_all(&home);
        for (file, text) in files {
            let path = home.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir_all(&home).unwrap();
        Self(home)
    }

    fn output(&self, args: &[&str]) -> Output {
        flowtop(args).env("HOME", &self.0).current_dir(&self.0).output().unwrap()
    }

    /// The settings that are not defaults, without padding, and stderr. The home is written `~`.
    fn set(&self, args: &[&str]) -> (Vec<String>, String) {
        let output = self.output(&[args, &["--print-config"]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        let lines = stdout(&output).lines().filter(|line| !line.ends_with("# default"));
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        (lines.map(|line| self.tilde(&words(line))).collect(), self.tilde(stderr(&output)))
    }

    fn failure(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.output(args);
        assert_eq!(stdout(&output), "", "{args:?}");
        (output.status.code(), self.tilde(stderr(&output)))
    }

    fn tilde(&self, text: &str) -> String {
        text.replace(self.0.to_str().unwrap(), "~")
    }
}

#[test]
fn a_flag_wins_over_iftoprc_and_that_over_config_toml() {
    let rc = "sort: 40s\nuse-bytes: yes\ntimed-output: 9\n";
    let toml = "sort = \"2s\"\nunit = \"packets\"\nrows = 50\n";
    let home = Home::new("precedence", &[(".iftoprc", rc), (".config/flowtop/config.toml", toml)]);
    let (set, said) = home.set(&["-s", "3"]);
    assert_eq!(
        set,
        [
            "unit = \"bytes\" # ~/.iftoprc:2",
            "sort = \"40s\" # ~/.iftoprc:1",
            "rows = 50 # ~/.config/flowtop/config.toml:3",
            "seconds = 3 # --seconds",
        ]
    );
    assert_eq!(said, "~/.iftoprc:3: warning: repeated directive \"timed-output\"\n");
}

#[test]
fn config_toml_is_where_xdg_config_home_says() {
    let home = Home::new("xdg", &[("elsewhere/flowtop/config.toml", "names = true\n")]);
    let mut command = flowtop(&["--print-config"]);
    let output = command.env("XDG_CONFIG_HOME", home.0.join("elsewhere")).output().unwrap();
    assert!(stdout(&output).contains("elsewhere/flowtop/config.toml:1\n"), "{}", stdout(&output));
}

#[test]
fn c_names_another_iftoprc() {
    let home = Home::new("c", &[(".iftoprc", "sort: 2s"), ("other", "sort: source\nnumber: 1")]);
    let (set, said) = home.set(&["-c", "other"]);
    assert_eq!(set, ["sort = \"source\" # other:1"]);
    assert_eq!(said, "other:2: warning: unknown directive \"number\"\n");
}

#[test]
fn files_that_are_not_right_are_named() {
    let home = Home::new("wrong-rc", &[("bad", "# mine\nsort: 5s"), ("folder/file", "")]);
    let right = "give one of 2s, 10s, 40s, cumulative, tx, rx, source, destination";
    let cases = [
        (&["-c", "bad"][..], 2, format!("flowtop: bad:2: invalid value \"5s\" for sort: {right}\n")),
        (
            &["-c", "none"],
            2,
            "flowtop: there is no file none; give -c a file in the format of .iftoprc\n".to_owned(),
        ),
        (
            &["-c", "folder"],
            2,
            "flowtop: -c: cannot read folder: it is a directory; give a regular file\n".to_owned(),
        ),
    ];
    for (args, code, said) in cases {
        assert_eq!(home.failure(args), (Some(code), said), "{args:?}");
    }
    let home = Home::new("wrong-toml", &[(".config/flowtop/config.toml", "\nsorts = \"2s\"\n")]);
    let said = "flowtop: ~/.config/flowtop/config.toml:2: unknown key \"sorts\"; did you mean sort?\n";
    assert_eq!(home.failure(&[]), (Some(2), said.to_owned()));
}

/// Puts a hostile file of this kind at the path and returns why it is not read; `None` where this user cannot.
fn hostile(kind: &str, path: &Path) -> Option<&'static str> {
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::os::unix::fs::{chown, symlink};
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Some(match kind {
        "pipe" => {
            mkfifoat(CWD, path, Mode::RWXU).unwrap();
            "cannot read FILE: it is a pipe; give a regular file"
        }
        "endless" => {
            symlink("/dev/zero", path).unwrap();
            "cannot read FILE: it is a device; give a regular file"
        }
        "huge" => {
            fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
            "cannot read FILE: it has more than 1 MiB"
        }
        "folder" => {
            fs::create_dir(path).unwrap();
            "cannot read FILE: it is a directory; give a regular file"
        }
        "loop" => {
            symlink(path, path).unwrap();
            "cannot read FILE: Too many levels of symbolic links (os error 40)"
        }
        _ => {
            // Its content would be quoted if it were read.
            fs::write(path, "nonsense\x1b").unwrap();
            chown(path, Some(65_432), None).ok()?;
            "cannot use FILE: it belongs to user 65432, and flowtop reads only what is root's or of the user who runs it; \
             give it to one of them, or name another file"
        }
    })
}

#[test]
fn hostile_files_of_settings_are_refused_with_their_name_and_keep_nobody_waiting() {
    for kind in ["pipe", "endless", "huge", "folder", "loop", "of somebody else"] {
        for file in [".iftoprc", ".config/flowtop/config.toml"] {
            let home = Home::new("hostile", &[]);
            let path = home.0.join(file);
            let Some(why) = hostile(kind, &path) else {
                tools::skip(format!("a file {kind}: needs root"));
                continue;
            };
            let why = why.replace("FILE", &format!("~/{file}"));
            let what = format!("{kind} {file}");
            assert_eq!(home.failure(&["--print-config"]), (Some(1), format!("flowtop: {why}\n")), "{what}");
            let lenient = home.output(&["--lenient", "--print-config"]);
            assert_eq!(lenient.status.code(), Some(0), "{what}");
            assert_eq!(home.tilde(stderr(&lenient)), format!("{why}\n"), "{what}");
            // A file named on the command line is wrong usage.
            let path = path.to_str().unwrap();
            let home = Home(home.0.join("elsewhere"));
            fs::create_dir(&home.0).unwrap();
            let named = flowtop(&["-c", path, "--print-config"]).env("HOME", &home.0).output().unwrap();
            let why = why.replace(&format!("~/{file}"), path);
            assert_eq!(all(&named), (Some(2), "", format!("flowtop: -c: {why}\n").as_str()), "{what}");
            let labels = flowtop(&["-t", "--demo", "-s", "1", "--labels", path]).output().unwrap();
            let why = why.replace("1 MiB", "16 MiB");
            assert_eq!(all(&labels), (Some(1), "", format!("flowtop: --labels: {why}\n").as_str()), "{what}");
        }
    }
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::process::CommandExt as _;
    let home = Home::new("unreadable", &[(".iftoprc", "sort: 2s")]);
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o0);
    fs::set_permissions(home.0.join(".iftoprc"), closed).unwrap();
    let mut command = flowtop(&["--print-config"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65_432).gid(65_432);
    }
    let output = command.env("HOME", &home.0).output().unwrap();
    let said = "flowtop: cannot read ~/.iftoprc: Permission denied (os error 13)\n";
    assert_eq!((output.status.code(), home.tilde(stderr(&output)).as_str()), (Some(1), said));
}

#[test]
fn who_has_called_sudo_keeps_the_settings_of_home() {
    let home = Home::new("sudo", &[(".iftoprc", "sort: 2s")]);
    if std::os::unix::fs::chown(home.0.join(".iftoprc"), Some(65_432), None).is_err() {
        return tools::skip("to give a file away needs root");
    }
    let by = |uid: &str| {
        let mut command = flowtop(&["--print-config"]);
        command.env("HOME", &home.0).env("SUDO_UID", uid).output().unwrap().status.code()
    };
    assert_eq!((by("65432"), by("65433")), (Some(0), Some(1)));
}

#[test]
fn languages_are_checked_wherever_they_are_written() {
    let rc = "net-filter: 10.0.0.0\nfilter-code: tcp[13]\nnet-filter6: ::1\nscreen-filter: a(\n";
    let toml = "# mine\nfields = [\"pid\", \"bytes\"]\n";
    for (line, said) in rc.lines().zip([
        "~/.iftoprc:1: invalid value \"10.0.0.0\" for net-filter: give it a mask, as in 10.0.0.0/8\n",
        "~/.iftoprc:1: filter-code: column 4: `[` is arithmetic on the bytes of packets, and flowtop counts TCP sockets, \
         which keep none; remove it\ntcp[13]\n   ^\n",
        "~/.iftoprc:1: invalid value \"::1\" for net-filter6: give it a mask, as in 2001:db8::/32\n",
        "~/.iftoprc:1: invalid value \"a(\" for screen-filter: give a regular expression, as ^10[.]|:443\n",
    ]) {
        let home = Home::new("languages-rc", &[(".iftoprc", line)]);
        assert_eq!(home.failure(&["--print-config"]), (Some(2), format!("flowtop: {said}")));
    }
    let home = Home::new("languages-toml", &[(".config/flowtop/config.toml", toml)]);
    let (code, said) = home.failure(&["--print-config"]);
    let right =
        "flowtop: ~/.config/flowtop/config.toml:2: invalid value \"bytes\" for fields: give names out of ";
    assert!(code == Some(2) && said.starts_with(right), "{said}");
}

#[test]
fn a_name_in_a_filter_that_another_layer_replaces_is_not_looked_up() {
    let toml = "filter = \"port no-such-service\"\n";
    let home = Home::new("replaced", &[(".config/flowtop/config.toml", toml)]);
    let (set, _) = home.set(&["-f", "port 80"]);
    assert_eq!(set, ["filter = \"port 80\" # --filter"]);
    let said = "flowtop: ~/.config/flowtop/config.toml:1: filter: column 6: ";
    assert!(home.failure(&["--print-config"]).1.starts_with(said));
}

#[test]
fn lenient_warns_as_iftop_and_goes_on() {
    let home = Home::new("lenient", &[("rc", "port-display: Both\nnum-lines: 5x\n")]);
    let (set, said) = home.set(&["--lenient", "-o", "5s", "-m", "10X", "-s", "2x", "-c", "rc"]);
    assert_eq!(set, ["rows = 5 # rc:2", "seconds = 2 # --seconds"]);
    assert_eq!(
        said,
        "Invalid enumeration value \"Both\" for directive \"port-display\"\n\
         Invalid enumeration value \"5s\" for directive \"sort\"\n\
         Invalid units in value: 10X\n"
    );
    let nets = ["--lenient", "-F", "10.0.0.0", "-F", "10.0.0.0/8", "-G", "::1/0", "-c", "rc"];
    let (set, said) = home.set(&nets);
    assert_eq!(set, ["net = [\"10.0.0.0/8\"] # --net", "rows = 5 # rc:2"]);
    assert_eq!(
        said,
        "Invalid enumeration value \"Both\" for directive \"port-display\"\n\
         Could not parse net/mask: 10.0.0.0\n\
         Invalid IPv6 prefix length: 0\n"
    );
    let (set, said) = home.set(&["--lenient", "-F", "192.0.2.7/33"]);
    assert_eq!(set, ["net = [\"192.0.2.7/24\"] # --net"]);
    assert_eq!(said, "Invalid netmask length: 33\n");
    let (set, said) = home.set(&["--lenient", "-c", "none"]);
    assert_eq!((set.as_slice(), said.as_str()), (&[][..], "none: No such file or directory\n"));
}

#[test]
fn doctor_reads_no_configuration() {
    let home = Home::new("doctor", &[(".config/flowtop/config.toml", "nonsense"), (".iftoprc", "sort: 5s")]);
    let output = home.output(&["doctor", "--json"]);
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok(), "{}", stderr(&output));
}

/// The host name in those command lines.
const HOST: &str = "database.internal";

/// A command that finds [`HOST`] in its list of hosts, where this kernel lets the test have one of its own.
fn knowing_the_host(folder: &Path, command: &Command) -> Option<Command> {
    let hosts = folder.join("hosts");
    fs::write(&hosts, format!("192.0.2.5 {HOST}\n2001:db8::5 {HOST}\n")).unwrap();
    let in_namespace = |flags: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(flags).args(["sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]).arg(&hosts);
        unshare
    };
    let mut ways = [&["--mount"][..], &["--mount", "--map-root-user"]].into_iter();
    let way = ways.find(|flags| {
        in_namespace(flags).arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })?;
    let mut knowing = in_namespace(way);
    knowing.arg(command.get_program()).args(command.get_args());
    knowing.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME").stdin(Stdio::null());
    Some(knowing)
}

#[test]
fn the_command_lines_of_iftops_users_are_understood() {
    let rc = "dns-resolution: no\nport-display: on\nport-resolution: no\nmax-bandwidth: 100M\n";
    let curses = "line-display: one-line-both\nshow-bars: no\nshow-totals: yes\n";
    let files = [("iftop.conf", rc), (".iftoprc", rc), ("curses.iftoprc", curses)];
    let folder = Home::new("command-lines", &files).0;
    let lines = lines();
    for line in &lines {
        let args = line.args();
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--print-config"]).collect();
        let mut command = flowtop(&args);
        if line.text.contains(HOST) {
            let Some(knowing) = knowing_the_host(&folder, &command) else {
                tools::skip(format!("`{}`: no mount namespace for a list of hosts", line.text));
                continue;
            };
            command = knowing;
        }
        let output = command.current_dir(&folder).output().unwrap();
        let said = stderr(&output);
        let as_expected = match line.error {
            None => (output.status.code(), said) == (Some(0), ""),
            Some(error) => output.status.code() == Some(2) && said.contains(error),
        };
        assert!(as_expected, "{} {}: {:?} {said}", line.id, line.text, output.status.code());
    }
    let numbers =
        lines.iter().map(|line| line.id.trim_end_matches(char::is_alphabetic).parse::<u32>().unwrap());
    assert_eq!(numbers.collect::<HashSet<_>>(), (1..=36).collect());
}
