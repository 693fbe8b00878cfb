//! Programs that take a secret with a flag of one letter, which means something else to others.

/// Whether a secret follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// The secret, after so many characters of the flag.
    Glued(usize),
    /// A name, this character and the secret, in the same word.
    GluedBehind(u8),
    /// The secret is the next argument.
    Next,
    /// A name, this character and the secret are the next argument.
    NextBehind(u8),
}

/// A program that is known to do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    letters: &'static [u8],
    /// Long flags whose value is a name and a secret.
    long: &'static [&'static str],
    form: Form,
    /// Whether its command `login` takes a secret with `-p`, which is a port elsewhere.
    logs_in: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `-pSECRET` alone: with a blank between, the flag asks, and what follows is something else.
    Glued,
    /// `-p SECRET` and `-pSECRET`.
    Both,
    /// `-p SECRET` alone.
    Next,
    /// The same two, with a name and this character before the secret.
    Behind(u8),
}

/// Beginnings of names of programs, and what those take.
const PROGRAMS: [(&[&str], Program); 13] = [
    (&["mysql", "mariadb"], program(b"p", Form::Glued)),
    (&["7z", "7za", "7zr"], program(b"p", Form::Glued)),
    (&["redis-cli", "valkey-cli", "keydb-cli"], program(b"a", Form::Next)),
    (&["sshpass", "mongo", "useradd", "usermod"], program(b"p", Form::Both)),
    (&["ldap"], program(b"w", Form::Both)),
    (&["sqlcmd", "bcp", "ipmitool", "mosquitto_", "zip", "unzip"], program(b"P", Form::Both)),
    (&["snmp"], program(b"AXc", Form::Both)),
    (&["openssl"], program(b"kK", Form::Next)),
    (&["smbclient", "rpcclient"], Program { long: &["--user"], ..program(b"U", Form::Behind(b'%')) }),
    (
        &["curl", "etcdctl"],
        Program { long: &["--user", "--proxy-user"], ..program(b"uU", Form::Behind(b':')) },
    ),
    (&["http", "https", "xh"], program(b"a", Form::Behind(b':'))),
    (
        &["docker", "podman", "nerdctl", "buildah", "skopeo", "helm"],
        Program { logs_in: true, ..program(b"", Form::Next) },
    ),
    (&["lftp"], Program { long: &["--user"], ..program(b"u", Form::Behind(b',')) }),
];
/// Servers whose names begin as those of clients.
const SERVERS: [&str; 8] =
    ["mysqld", "mysqld_safe", "mariadbd", "mariadbd-safe", "mongod", "mongos", "snmpd", "snmptrapd"];
const LOGIN: Program = program(b"p", Form::Both);

const fn program(letters: &'static [u8], form: Form) -> Program {
    Program { letters, long: &[], form, logs_in: false }
}

impl Program {
    /// The program that a word is, or the one before if it is none.
    pub(super) fn of(word: &[u8], before: Option<Self>) -> Option<Self> {
        let Ok(word) = std::str::from_utf8(word) else { return before };
        if word == "login" && before.is_some_and(|before| before.logs_in) {
            return Some(LOGIN);
        }
        let is_named = |name: &&str| match *name {
            "mysql" | "mariadb" | "mongo" | "ldap" | "snmp" | "mosquitto_" => word.starts_with(name),
            name => word == name,
        };
        let known = PROGRAMS.iter().find(|(names, _)| names.iter().any(is_named));
        known.filter(|_| !SERVERS.contains(&word)).map(|(_, program)| *program).or(before)
    }

    /// Looks up a word among the flags.
    pub(super) fn flag(self, word: &[u8]) -> Option<Flag> {
        if self.long.iter().any(|long| long.as_bytes() == word) {
            return self.separator().map(Flag::NextBehind);
        }
        let [b'-', letter, rest @ ..] = word else { return None };
        if !self.letters.contains(letter) {
            return None;
        }
        match (self.form, rest.is_empty()) {
            (Form::Glued | Form::Both, false) => Some(Flag::Glued(2)),
            (Form::Next | Form::Both, true) => Some(Flag::Next),
            (Form::Behind(separator), false) => Some(Flag::GluedBehind(separator)),
            (Form::Behind(separator), true) => Some(Flag::NextBehind(separator)),
            (Form::Glued, true) | (Form::Next, false) => None,
        }
    }

    fn separator(self) -> Option<u8> {
        match self.form {
            Form::Behind(separator) => Some(separator),
            Form::Glued | Form::Both | Form::Next => None,
        }
    }
}
