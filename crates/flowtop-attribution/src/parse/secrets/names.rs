//! Names of secrets, and patterns of some well-known ones.

use super::is_name;
use super::word_end;

/// Words that are secrets, alone or with others.
const WORDS: &[&str] = &[
    "pass",
    "pw",
    "psk",
    "setcookie",
    "creds",
    "credential",
    "credentials",
    "authkey",
    "accesskey",
    "accountkey",
    "masterkey",
    "encryptionkey",
    "masterauth",
    "passin",
    "passout",
    "bearer",
    "otp",
];
/// Parts of words that name a secret.
const PARTS: &[&str] = &["password", "passwd", "passphrase", "secret", "apikey"];
/// Ends of words that name a secret.
const ENDS: &[&str] = &["token", "pass", "pwd", "passwort"];
/// Words with such an end that name no secret.
const OTHERS: &[&str] = &["bypass", "compass", "multipass", "onepass", "twopass"];
/// Pairs of words that together name a secret.
const PAIRS: &[(&str, &str)] = &[
    ("api", "key"),
    ("access", "key"),
    ("account", "key"),
    ("auth", "key"),
    ("encryption", "key"),
    ("license", "key"),
    ("master", "key"),
    ("session", "key"),
    ("shared", "key"),
    ("signing", "key"),
    ("subscription", "key"),
    ("basic", "auth"),
    ("http", "auth"),
    ("proxy", "auth"),
];
/// First words of flags that take no secret, but say what is done with one.
const ASKED: &[&str] = &[
    "no", "use", "enable", "disable", "allow", "skip", "without", "ask", "prompt", "print", "show", "rotate",
    "verify", "validate",
];
/// Last words of names that are about a secret: where it is, or how it has to be.
const ABOUT: &[&str] = &[
    "age",
    "alg",
    "algorithm",
    "audience",
    "cache",
    "class",
    "cmd",
    "command",
    "config",
    "count",
    "dir",
    "directory",
    "duration",
    "enabled",
    "encoding",
    "endpoint",
    "expiration",
    "expiry",
    "file",
    "files",
    "folder",
    "format",
    "host",
    "interval",
    "issuer",
    "kind",
    "len",
    "length",
    "lifetime",
    "limit",
    "manager",
    "mechanism",
    "method",
    "mode",
    "mount",
    "name",
    "namespace",
    "path",
    "plugin",
    "policy",
    "port",
    "prompt",
    "provider",
    "ref",
    "size",
    // A core that names it would not be one: tests/architecture.rs.
    concat!("std", "in"),
    "syncs",
    "store",
    "timeout",
    "ttl",
    "type",
    "url",
];

/// Whether a value of this name is a secret.
pub(super) fn is_secret(name: &[u8]) -> bool {
    let words = words(name);
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return false };
    let is_about = ABOUT.contains(&&**last)
        || (last == "id" && words.iter().rev().nth(1).is_some_and(|word| word == "key"));
    let is_directory = [&b"PWD"[..], b"OLDPWD"].contains(&name);
    let is_asked = ASKED.contains(&&**first);
    let is_pair = |pair: &[String]| PAIRS.iter().any(|(one, other)| *one == pair[0] && *other == pair[1]);
    let has_any = words.iter().any(|word| is_secret_word(word)) || words.windows(2).any(is_pair);
    has_any && !is_about && !is_directory && !is_asked
}

/// The same of a name that stands alone, not as a flag, where its value follows: `configure set aws_secret_access_key …`,
/// but not `get secret …`.
pub(super) fn is_secret_alone(name: &[u8]) -> bool {
    let is_setting = name.contains(&b'_') || [&b"requirepass"[..], b"masterauth"].contains(&name);
    is_setting && is_secret(name)
}

/// Whether all of the rest of a header of this name is a secret.
pub(super) fn is_header(name: &[u8]) -> bool {
    let end = name.iter().position(|byte| !is_name(*byte)).unwrap_or(name.len());
    let name = &name[..end];
    // `-H` may stand right before it.
    let name = name.strip_prefix(b"-H").unwrap_or(name);
    let dashes = name.iter().take_while(|byte| **byte == b'-').count();
    let name = name[dashes..].to_ascii_lowercase();
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|header| header.as_bytes() == name)
}

fn is_secret_word(word: &str) -> bool {
    WORDS.contains(&word)
        || PARTS.iter().any(|part| word.contains(part))
        || (ENDS.iter().any(|end| word.ends_with(end)) && !OTHERS.contains(&word))
}

/// The words of a name, in lower case, without numbers at their ends: `-DkeyStorePassword2` has three.
fn words(name: &[u8]) -> Vec<String> {
    let name = name.strip_prefix(b"-D").unwrap_or(name);
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for byte in name {
        if !byte.is_ascii_alphanumeric() || (byte.is_ascii_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| byte.is_ascii_alphanumeric()) {
            word.push(byte.to_ascii_lowercase().into());
        }
        was_lower = byte.is_ascii_lowercase();
    }
    let without_number =
        words.iter().map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned());
    without_number.filter(|word| !word.is_empty()).collect()
}

/// How tokens of well-known services begin, and how many characters follow at least.
const TOKENS: &[(&[u8], usize)] = &[
    (b"AKIA", 12),
    (b"ASIA", 12),
    (b"AIza", 30),
    (b"ghp_", 16),
    (b"gho_", 16),
    (b"ghu_", 16),
    (b"ghs_", 16),
    (b"ghr_", 16),
    (b"github_pat_", 16),
    (b"glpat-", 16),
    (b"xoxb-", 10),
    (b"xoxp-", 10),
    (b"xoxa-", 10),
    (b"sk-", 20),
    (b"npm_", 20),
    (b"hvs.", 16),
    (b"dop_v1_", 16),
    // A JSON web token.
    (b"eyJ", 20),
    (b"AGE-SECRET-KEY-", 10),
];

/// A token that can be recognised, or what follows `Bearer`.
pub(super) fn token(text: &[u8], at: usize, end: usize) -> Option<(usize, usize)> {
    let name = &text[at..end];
    if name.eq_ignore_ascii_case(b"bearer") {
        let from = end + text[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        return (from > end && from < text.len()).then(|| (from, word_end(text, from)));
    }
    let has_form =
        |(begin, more): &(&[u8], usize)| name.starts_with(begin) && name.len() >= begin.len() + more;
    let rest = text[end..].iter().take_while(|byte| is_name(**byte) || b"+/=".contains(byte)).count();
    TOKENS.iter().any(has_form).then_some((at, end + rest))
}
