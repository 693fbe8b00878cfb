//! Debian's archive, read through an apt configuration of our own below target/vm/apt.
//!
//! Any suite can be read that way, and neither /etc nor the package state of the system changes. What /etc says
//! about the archive's address and about fetching (proxies, verification) is taken over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::command::{output, run, target};

/// Suites that hold the kernels of the ladder.
const SUITES: &[&str] = &["bullseye", "bookworm", "bookworm-backports", "trixie-backports", "sid"];
const SECURITY_SUITES: &[&str] = &["bookworm-security"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Package lists older than this are fetched again: point releases come and go.
const FRESH: Duration = Duration::from_hours(24);

/// An apt with package lists of its own, so that the system's stay as they are.
pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// Writes the configuration and fetches the package lists when they are missing or a day old.
    ///
    /// Lists that cannot be renewed are used as they are, which is said.
    pub fn open() -> Result<Self> {
        let folder = target("vm/apt")?;
        configure(&folder)?;
        let archive = Self { folder };
        let age = archive
            .marker()
            .metadata()
            .and_then(|file| file.modified())
            .map(|at| SystemTime::now().duration_since(at));
        match age {
            Ok(Ok(age)) if age < FRESH => {}
            Ok(_) => archive.update().unwrap_or_else(|error| println!("package lists are old: {error:#}")),
            Err(_) => archive.update()?,
        }
        Ok(archive)
    }

    /// Runs `apt-get update` on its own lists.
    pub fn update(&self) -> Result<()> {
        // Without `--error-on=any` apt calls a suite that could not be fetched a success.
        run(self.apt("apt-get").args(["-qq", "--error-on=any", "update"]))
            .context("cannot read Debian's package lists")?;
        fs::write(self.marker(), "").context("cannot note when the package lists were fetched")
    }

    /// Names of all packages that match `pattern`, a regular expression.
    pub fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let found = output(self.apt("apt-cache").args(["search", "--names-only", pattern]))?;
        Ok(found.lines().filter_map(|line| line.split_once(' ')).map(|(name, _)| name.to_owned()).collect())
    }

    /// Downloads `packages` and unpacks them over each other into `folder`, which appears complete or not at all.
    pub fn unpack(&self, packages: &[String], folder: &Path) -> Result<()> {
        let partial = folder.with_added_extension("partial");
        let debs = partial.join("debs");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&debs)?;
        run(self.apt("apt-get").args(["-qq", "download"]).args(packages).current_dir(&debs))?;
        for deb in fs::read_dir(&debs)? {
            run(Command::new("dpkg-deb").arg("-x").arg(deb?.path()).arg(&partial))?;
        }
        fs::remove_dir_all(&debs)?;
        fs::rename(&partial, folder).with_context(|| format!("cannot create {}", folder.display()))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.join("apt.conf"));
        command
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("updated")
    }
}

fn configure(folder: &Path) -> Result<()> {
    for part in [
        "etc/sources.list.d",
        "etc/preferences.d",
        "etc/apt.conf.d",
        "state/lists/partial",
        "cache/archives/partial",
    ] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join("state/status"), "")?;
    fs::write(folder.join("etc/sources.list"), sources(&addresses(Path::new("/etc/apt"))?)?)?;
    let fetching = output(Command::new("apt-config").arg("dump")).context("this system has no apt")?;
    fs::write(folder.join("apt.conf"), configuration(&folder.display().to_string(), &fetching))?;
    Ok(())
}

/// `apt.conf` for a private apt in `folder` that fetches as `dump`, the system's `apt-config dump`, says.
fn configuration(folder: &str, dump: &str) -> String {
    let fetching =
        dump.lines().filter(|line| line.starts_with("Acquire::") && !line.contains("::IndexTargets"));
    let ours = [
        format!("Dir::Etc \"{folder}/etc\";"),
        format!("Dir::Etc::sourcelist \"{folder}/etc/sources.list\";"),
        format!("Dir::Etc::sourceparts \"{folder}/etc/sources.list.d\";"),
        format!("Dir::State \"{folder}/state\";"),
        format!("Dir::State::status \"{folder}/state/status\";"),
        format!("Dir::Cache \"{folder}/cache\";"),
        // All kernels of the ladder are for this architecture.
        "APT::Architecture \"amd64\";".to_owned(),
        // apt's own user cannot write below target/.
        "APT::Sandbox::User \"root\";".to_owned(),
    ];
    fetching.map(str::to_owned).chain(ours).map(|line| line + "\n").collect()
}

/// Addresses of all archives that the apt configuration in `etc` names, in the order of its files.
fn addresses(etc: &Path) -> Result<Vec<String>> {
    let mut files: Vec<PathBuf> = vec![etc.join("sources.list")];
    files.extend(
        fs::read_dir(etc.join("sources.list.d")).into_iter().flatten().flatten().map(|entry| entry.path()),
    );
    files.retain(|file| file.extension().is_some_and(|end| end == "list" || end == "sources"));
    files.sort();
    let text: String =
        files.iter().filter_map(|file| fs::read_to_string(file).ok()).map(|text| text + "\n").collect();
    let found = named_in(&text);
    if found.is_empty() {
        bail!("/etc/apt names no Debian archive, and the kernels of the ladder are Debian's");
    }
    Ok(found)
}

/// Addresses of archives in apt's two formats.
fn named_in(text: &str) -> Vec<String> {
    let lines =
        text.lines().map(str::trim).filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    let words = lines.flat_map(str::split_whitespace);
    words.filter(|word| word.contains("://")).map(|word| word.trim_end_matches('/').to_owned()).collect()
}

/// `sources.list` for [`SUITES`]: Debian's archive is the address that ends in `/debian`, its security archive the
/// one in `/debian-security`, by default beside it.
fn sources(addresses: &[String]) -> Result<String> {
    let ending = |end: &str| addresses.iter().find(|address| address.ends_with(end)).cloned();
    let main = ending("/debian").context("/etc/apt names no archive that ends in /debian")?;
    let security = ending("/debian-security").unwrap_or_else(|| format!("{main}-security"));
    let line = |archive: &str, suite: &str| format!("deb [signed-by={KEYRING}] {archive} {suite} main\n");
    let mains = SUITES.iter().map(|suite| line(&main, suite));
    Ok(mains.chain(SECURITY_SUITES.iter().map(|suite| line(&security, suite))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_of_sources_are_read() {
        let text = "# deb http://commented.example/debian bookworm main\n\
                    deb [arch=amd64] http://one.example/debian/ bookworm main\n\
                    Types: deb\nURIs: http://two.example/debian-security\nSuites: bookworm-security\n";
        assert_eq!(named_in(text), ["http://one.example/debian", "http://two.example/debian-security"]);
    }

    #[test]
    fn suites_go_to_their_archives() {
        let addresses = ["http://a.example/other", "http://a.example/debian"].map(str::to_owned);
        let text = sources(&addresses).unwrap();
        assert!(text.contains("http://a.example/debian bullseye main\n"), "{text}");
        assert!(text.contains("http://a.example/debian-security bookworm-security main\n"), "{text}");
    }

    #[test]
    fn a_system_without_debian_is_told_so() {
        let error = sources(&["http://a.example/ubuntu".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no archive that ends in /debian"), "{error}");
    }

    #[test]
    fn the_private_configuration_keeps_the_proxy_and_nothing_that_runs_on_update() {
        let dump = "Dir::State \"var/lib/apt\";\nAcquire::http::Proxy \"http://proxy.example:3142\";\n\
                    APT::Update::Post-Invoke:: \"rm -f /var/cache/apt/*.bin\";\n";
        let text = configuration("/here", dump);
        assert!(text.contains("Acquire::http::Proxy \"http://proxy.example:3142\";"), "{text}");
        assert!(text.contains("Dir::State \"/here/state\";") && !text.contains("Post-Invoke"), "{text}");
    }
}
