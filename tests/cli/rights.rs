//! The features that each set of capabilities allows, as root with a reduced bounding set and as another user with ambient
//! capabilities; and the messages about missing capabilities and other confinement.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use flowtop_bpf::rights::{Ability, Right, Rights, sets};
use flowtop_core::hooks::Hooks;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

use super::*;
use crate::network::Namespace;

/// Runs flowtop without any capability, whoever runs the test.
pub fn without_rights(args: &[&str]) -> Output {
    // The bounding set is the thread's own, and what it starts inherits it.
    let drop_and_run = || {
        if rustix::process::geteuid().is_root() {
            for capability in CapabilitySet::all() {
                // Older kernels do not know the newest ones.
                let _ = remove_capability_from_bounding_set(capability);
            }
        }
        output(args)
    };
    std::thread::scope(|scope| scope.spawn(drop_and_run).join()).unwrap()
}

/// A user who has no other files and processes here.
const USER: &str = "65432";

/// Sent before flowtop starts, and after that.
const HISTORY: usize = 1_009;
const BYTES: usize = 503;

/// Rights that flowtop is run with.
#[derive(Clone, Debug)]
enum Set {
    /// Root with these and no others.
    Root(Vec<Right>),
    /// Another user with these as ambient capabilities.
    User(Vec<Right>),
    /// Root with all that there are.
    Full,
}

impl Set {
    /// Each of README's table, as root and as another user.
    fn all() -> Vec<Self> {
        let both = |rights: Vec<Right>| [Self::Root(rights.clone()), Self::User(rights)];
        sets().into_iter().flat_map(|(_, rights)| both(rights)).chain([Self::Full]).collect()
    }

    fn allows(&self, ability: Ability) -> bool {
        let rights = match self {
            Self::Root(rights) => Rights { is_root: true, ..Rights::default() }.with(rights),
            Self::User(rights) => Rights::default().with(rights),
            Self::Full => Rights::FULL,
        };
        rights.allow(ability)
    }

    /// Arguments of setpriv that leave this set.
    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Root(rights) => vec![format!("--bounding-set={}", named(["-all".to_owned()], rights))],
            Self::User(rights) => {
                let user =
                    [format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".to_owned()];
                let names = named([], rights);
                let given = [format!("--inh-caps={names}"), format!("--ambient-caps={names}")];
                user.into_iter().chain(given.into_iter().filter(|_| !rights.is_empty())).collect()
            }
            Self::Full => vec![],
        }
    }
}

/// Rights as setpriv takes them, behind what it takes away.
fn named<const COUNT: usize>(without: [String; COUNT], rights: &[Right]) -> String {
    let names = rights.iter().map(|right| right.name().to_lowercase().replace("cap_", "+"));
    without.into_iter().chain(names).collect::<Vec<_>>().join(",")
}

/// Where flowtop runs: three network namespaces, with an older connection in each, of which one end sends.
struct Stage {
    /// The one of flowtop, one that has a name in its mount namespace, and one that has a process only.
    namespaces: [Namespace; 3],
    connections: [[TcpStream; 2]; 3],
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let namespaces = [Namespace::new(), Namespace::new(), Namespace::new()];
        for namespace in &namespaces {
            namespace.ip("link set lo up");
        }
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("named"), "").unwrap();
        let connections = namespaces.each_ref().map(older_connection);
        Self { namespaces, connections, folder }
    }

    /// flowtop in a network namespace, with these rights.
    fn command(&self, set: &Set, namespace: &Namespace, args: &[&str]) -> Command {
        const SCRIPT: &str = "mount --bind \"$1\" \"$2\" && shift 2 && exec setpriv \"$@\"";
        let named = format!("/proc/{}/ns/net", self.namespaces[1].keeper());
        let mut command = namespace.command("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "sh", &named]).arg(self.folder.path().join("named"));
        command.args(set.arguments()).arg(env!("CARGO_BIN_EXE_flowtop")).args(args);
        command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
        command
    }

    /// A report of these arguments for each set over what the older connections carry, nothing where flowtop does not start.
    fn reports(&self, sets: &[Set], args: &[&str]) -> Vec<Option<Value>> {
        let args = [&["-t", "-l", "--format", "json", "--interval", NEVER], args].concat();
        let start = |set: &Set| {
            let mut command = self.command(set, &self.namespaces[0], &args);
            set.allows(Ability::Counting).then(|| Running::start(&mut command))
        };
        let running: Vec<_> = sets.iter().map(start).collect();
        for [client, _] in &self.connections {
            (&mut &*client).write_all(&[7; BYTES]).unwrap();
        }
        let report = |running: Option<Running>| {
            let mut running = running?;
            running.send(Signal::INT);
            let report = running.report();
            assert_eq!(running.end().0, Some(0));
            Some(report)
        };
        running.into_iter().map(report).collect()
    }

    /// The row of the connection in a namespace, seen from the end that sends.
    fn row<'a>(&self, report: &'a Value, namespace: usize) -> Option<&'a Value> {
        let port = self.connections[namespace][0].local_addr().unwrap().port();
        let netns =
            fs::metadata(format!("/proc/{}/ns/net", self.namespaces[namespace].keeper())).unwrap().ino();
        let mut rows = report["flows"].as_array().unwrap().iter();
        rows.find(|row| row["netns"] == netns && row["local_port"] == port)
    }
}

/// A connection in a namespace, one end of which no process uses any more.
fn older_connection(namespace: &Namespace) -> [TcpStream; 2] {
    namespace.inside(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(&[7; HISTORY])?;
        server.read_exact(&mut [0; HISTORY])?;
        Ok([client, server])
    })
}

/// Sets for which something is otherwise than the table has it. All are tried at once.
fn wrong(ability: Ability, sets: &[Set], works: impl Fn(usize, &Set) -> bool + Sync) -> Vec<String> {
    let works = &works;
    let differs = |(at, set): (usize, &Set)| {
        let (is, should) = (works(at, set), set.allows(ability));
        (is != should).then(|| format!("{ability:?}: {is} and not {should} with {set:?}"))
    };
    std::thread::scope(|scope| {
        let tried: Vec<_> = sets.iter().enumerate().map(|of| scope.spawn(move || differs(of))).collect();
        tried.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn what_reports_know_is_what_the_table_says() {
    if !tools::has_root() || !can_count() {
        return;
    }
    let (stage, sets) = (Stage::new(), Set::all());
    let reports = stage.reports(&sets, &[]);
    let row = |at: usize, namespace| stage.row(reports[at].as_ref()?, namespace);
    let counted = |at: usize, namespace| row(at, namespace).is_some_and(|row| row["tx_bytes"] == BYTES);
    // The other end has had no event, so that only a walk can know of it.
    let knows_other_end =
        |at: usize, namespace| row(at, namespace).is_some_and(|row| !row["peer"]["state"].is_null());
    let mut wrong_ones =
        wrong(Ability::Counting, &sets, |at, _| (0..3).all(|namespace| counted(at, namespace)));
    for (ability, namespace) in
        [(Ability::OlderHere, 0), (Ability::OlderNamed, 1), (Ability::OlderElsewhere, 2)]
    {
        wrong_ones.extend(wrong(ability, &sets, |at, _| knows_other_end(at, namespace)));
    }
    wrong_ones.extend(wrong(Ability::Owners, &sets, |at, _| {
        row(at, 2).is_some_and(|row| {
            row["user"] == "root" && row["command"].is_string() && row["pid"] == std::process::id()
        })
    }));
    wrong_ones.extend(wrong(Ability::Idle, &sets, |at, _| {
        row(at, 0).is_some_and(|row| row["peer"]["pid"] == std::process::id())
    }));
    assert_eq!(wrong_ones, Vec::<String>::new());
}

#[test]
fn mount_namespaces_are_known_as_the_table_says() {
    if !tools::has_root() || !can_count() {
        return;
    }
    let (stage, sets) = (Stage::new(), Set::all());
    let own = fs::metadata("/proc/self/ns/mnt").unwrap().ino().to_string();
    let reports = stage.reports(&sets, &["--mntns", &own]);
    let finds =
        |at: usize, _: &Set| reports[at].as_ref().is_some_and(|report| stage.row(report, 0).is_some());
    assert_eq!(wrong(Ability::MountNamespaces, &sets, finds), Vec::<String>::new());
}

/// A host's file system in which this process is in a container that docker has named, for root's eyes only.
fn host_with_container(root: &Path) {
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let process = root.join("proc").join(std::process::id().to_string());
    fs::create_dir_all(&process).unwrap();
    for name in ["status", "stat", "cmdline", "comm"] {
        fs::write(process.join(name), fs::read(Path::new("/proc/self").join(name)).unwrap()).unwrap();
    }
    fs::write(process.join("cgroup"), format!("0::/system.slice/docker-{ID}.scope\n")).unwrap();
    let container = root.join("var/lib/docker/containers").join(ID);
    fs::create_dir_all(&container).unwrap();
    let settings = container.join("config.v2.json");
    fs::write(&settings, serde_json::json!({ "ID": ID, "Name": "/web" }).to_string()).unwrap();
    for (path, mode) in [(container.parent().unwrap(), 0o710), (&settings, 0o600)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn names_of_containers_are_known_as_the_table_says() {
    if !tools::has_root() || !can_count() {
        return;
    }
    let (stage, sets) = (Stage::new(), Set::all());
    host_with_container(stage.folder.path());
    let reports = stage.reports(&sets, &["--host-root", stage.folder.path().to_str().unwrap()]);
    let names = |at: usize, _: &Set| {
        let row = reports[at].as_ref().and_then(|report| stage.row(report, 0));
        row.is_some_and(|row| row["container"] == "web")
    };
    assert_eq!(wrong(Ability::Containers, &sets, names), Vec::<String>::new());
}

#[test]
fn what_single_commands_do_is_what_the_table_says() {
    if !tools::has_root() || !can_count() {
        return;
    }
    let (stage, sets) = (Stage::new(), Set::all());
    let [own, _, pod] = &stage.namespaces;
    own.ip(&format!("link add port0 type veth peer name eth0 netns {}", pod.keeper()));
    let run = |set: &Set, namespace: &Namespace, args: &[&str]| {
        stage.command(set, namespace, args).output().unwrap()
    };
    let is_cost_known = |_: usize, set: &Set| {
        let finding: Value = serde_json::from_slice(&run(set, own, &["doctor", "--json"]).stdout).unwrap();
        finding["plans"].as_array().unwrap().iter().any(|plan| plan["run_ns"].is_number())
    };
    let is_recorded = |_: usize, set: &Set| {
        let folder = tempfile::tempdir_in(&stage.folder).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let args = ["record", "--every", "1s", "--count", "1", "--output", folder.path().to_str().unwrap()];
        run(set, own, &args).status.success() && !crate::records::read(folder.path()).is_empty()
    };
    let is_behind_known = |_: usize, set: &Set| {
        let output = run(set, own, &["-t", "-s", "1", "-i", "port0"]);
        if !set.allows(Ability::Counting) {
            return output.status.success();
        }
        assert!(output.status.success(), "{set:?}: {}", stderr(&output));
        let line = stderr(&output).lines().find(|line| line.contains("port0 has no address"));
        let names =
            line.is_none_or(|line| line.ends_with("at its other end is not known: missing CAP_SYS_PTRACE"));
        assert!(names, "{set:?}: {line:?}");
        line.is_none()
    };
    let wrong_ones = [
        wrong(Ability::Cost, &sets, is_cost_known),
        wrong(Ability::Recording, &sets, is_recorded),
        wrong(Ability::BehindVeth, &sets, is_behind_known),
    ];
    assert_eq!(wrong_ones.concat(), Vec::<String>::new());
}

#[test]
fn where_loopback_is_down_the_self_check_needs_a_namespace_of_its_own() {
    if !tools::has_root() || !can_count() {
        return;
    }
    let (stage, down) = (Stage::new(), Namespace::new());
    let starts = |_: usize, set: &Set| {
        let output = stage.command(set, &down, &["-t", "-s", "1"]).output().unwrap();
        let named = "cannot make a loopback connection for the self-check; bring lo up and let it pass the firewall, or \
                     give CAP_SYS_ADMIN and CAP_NET_ADMIN for a network of its own";
        let is_told = stderr(&output).contains(named) || !set.allows(Ability::Counting);
        assert!(output.status.success() || is_told, "{set:?}: {}", stderr(&output));
        output.status.success()
    };
    assert_eq!(wrong(Ability::SelfCheckApart, &Set::all(), starts), Vec::<String>::new());
}

#[test]
fn what_is_not_seen_for_want_of_rights_is_said_at_the_start() {
    if !tools::has_root() || !can_count() {
        return;
    }
    let stage = Stage::new();
    let folder = stage.folder.path().to_str().unwrap();
    let record = ["record", "--quiet", "--every", "1s", "--count", "1", "--output", folder];
    for (count, missing) in [(2, "CAP_SYS_ADMIN and CAP_SYS_PTRACE"), (4, "CAP_SYS_PTRACE"), (5, "")] {
        let set = Set::Root(Right::ALL[..count].to_vec());
        for args in [&["-t", "-s", "1"][..], &record] {
            let output = stage.command(&set, &stage.namespaces[0], args).output().unwrap();
            let said = stderr(&output).lines().find(|line| line.contains("missing CAP")).unwrap_or_default();
            let expected = "flowtop: connections older than now in other network namespaces are counted from their \
                            first event on: missing ";
            assert_eq!(said.strip_prefix(expected).unwrap_or_default(), missing, "{}", stderr(&output));
            assert!(output.status.success(), "{}", stderr(&output));
        }
    }
}

const MISSING: &str = "missing CAP_BPF and CAP_PERFMON to count; run it as root or with AmbientCapabilities=CAP_BPF \
                       CAP_PERFMON CAP_SYS_ADMIN CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH of systemd";

#[test]
fn without_rights_a_report_is_one_sentence() {
    let sentence = format!("flowtop: {MISSING}\n");
    assert_eq!(all(&without_rights(&["-t", "-s", "1"])), (Some(1), "", sentence.as_str()));
}

#[test]
fn without_rights_doctor_names_what_is_missing_and_what_that_takes_away() {
    let output = without_rights(&["doctor"]);
    let sentence = format!("flowtop: no hooks were tried: {MISSING}\n");
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), sentence.as_str()));
    let said = stdout(&output);
    for line in [
        "cap_bpf             missing (to load programs and maps); lost: everything",
        "cap_perfmon         missing (to attach programs to kernel functions and read kernel memory); lost: everything",
        "cap_net_admin       missing (to bring up loopback in a network namespace for the self-check); lost: a self-check \
         that firewalls cannot disturb",
        "cap_sys_ptrace      missing (to find the namespaces of others' processes); lost: older connections in all \
         namespaces; `-i` with the host's end of a veth; mount namespaces (`--mntns`)",
        "result              flowtop cannot count here",
    ] {
        assert!(said.lines().any(|other| other == line), "{line}\nis not in\n{said}");
    }
    assert!(said.contains("not tried: missing CAP_BPF and CAP_PERFMON"), "{said}");
}

#[test]
fn without_rights_doctor_speaks_json_all_the_same() {
    let output = without_rights(&["doctor", "--json"]);
    let finding: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((&finding["chosen"], finding["plans"].as_array().map(Vec::len)), (&Value::Null, Some(3)));
    let capabilities = finding["capabilities"].as_array().unwrap();
    assert_eq!(capabilities.len(), Right::ALL.len());
    assert!(capabilities.iter().all(|capability| capability["effective"] == false), "{capabilities:?}");
    assert_eq!(capabilities[0]["name"], "cap_bpf");
    assert_eq!(capabilities[3]["without"], serde_json::json!(["a self-check that firewalls cannot disturb"]));
}

#[test]
fn capabilities_of_a_user_namespace_are_not_taken_for_real_ones() {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", env!("CARGO_BIN_EXE_flowtop"), "doctor"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    if stderr(&output).starts_with("unshare: ") {
        return tools::skip("no user namespace can be made here");
    }
    let said = "no hooks were tried: capabilities of a user namespace do not let it count; run it outside of that, as root";
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), format!("flowtop: {said}\n").as_str()));
    let confined = "confined by         a user namespace";
    assert!(stdout(&output).lines().any(|line| line.starts_with(confined)), "{}", stdout(&output));
}

/// As few files as a start gets by on are looked for from below: each of the errors on the way names the limit.
#[test]
fn too_few_open_files_are_told_as_that() {
    if !can_count() {
        return;
    }
    let mut refused = 0;
    for files in (4..24).step_by(3) {
        let limited = format!("ulimit -n {files} && exec \"$0\" -t -s 1");
        let mut command = Command::new("sh");
        let output = command.args(["-c", &limited, env!("CARGO_BIN_EXE_flowtop")]).output().unwrap();
        if output.status.success() {
            continue;
        }
        refused += 1;
        let advice = format!(
            "this process may have {files} open; raise that with ulimit -n or LimitNOFILE= of systemd\n"
        );
        assert!(stderr(&output).ends_with(&advice), "{files} files: {}", stderr(&output));
        assert!(!stderr(&output).contains("--max-flows"), "{files} files: {}", stderr(&output));
    }
    assert!(refused > 3, "only {refused} of the limits were too small");
}

/// Has bpf(2) fail with an error of this number, and runs a command: a filter of four instructions for seccomp, as `struct
/// sock_filter` and `struct sock_fprog`.
const FILTERED: &str = r#"
    my $refuse = 0x50000 | shift;
    my $code = pack("SCCL" x 4, 0x20, 0, 0, 0, 0x15, 0, 1, 321, 0x06, 0, 0, $refuse, 0x06, 0, 0, 0x7fff0000);
    my $program = pack("Sx6P", 4, $code);
    syscall(157, 22, 2, $program) == 0 or die "no filter: $!";
    exec @ARGV;
"#;

#[test]
fn a_seccomp_filter_is_told_as_that() {
    if !tools::has_root() || !can_count() {
        return;
    }
    let Some(perl) = tools::find("perl") else { return };
    let filtered = |errno: i32, args: &[&str]| {
        let mut command = Command::new(&perl);
        command.args(["-e", FILTERED, &errno.to_string(), env!("CARGO_BIN_EXE_flowtop")]).args(args);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let advice = "; a seccomp filter forbids bpf; allow it in the container's profile or in SystemCallFilter= of systemd";
    for (errno, text) in
        [(libc::EPERM, "operation not permitted"), (libc::ENOSYS, "function not implemented")]
    {
        let output = filtered(errno, &["-t", "-s", "1"]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output).strip_prefix("flowtop: cannot create map ").unwrap();
        assert_eq!(said.split_once(": ").unwrap().1, format!("{text}{advice}\n"));
    }
    let finding = filtered(libc::EPERM, &["doctor"]);
    let said = stdout(&finding);
    assert_eq!(said.matches(advice).count(), Hooks::ALL.len() - without_kprobes(said), "{said}");
    assert!(said.lines().any(|line| line == "confined by         a seccomp filter"), "{said}");
}

/// Hooks that are not tried, because the kernel was built without them.
fn without_kprobes(said: &str) -> usize {
    said.matches("the kernel was built without kprobes").count()
}
