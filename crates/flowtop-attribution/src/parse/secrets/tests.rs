//! Command lines of real programs, with secrets and without.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const WITH_SECRETS: &str = include_str!("testdata/secrets.txt");
const ORDINARY: &str = include_str!("testdata/ordinary.txt");

/// The arguments of a line, which are apart by `|`.
fn shown(line: &str) -> String {
    let arguments: Vec<&[u8]> = line.split('|').map(str::as_bytes).collect();
    let hidden = hide(&arguments);
    let texts: Vec<_> = hidden.iter().map(|argument| String::from_utf8_lossy(argument)).collect();
    texts.join("|")
}

#[test]
fn what_looks_like_a_secret_is_replaced() {
    let lines: Vec<_> = WITH_SECRETS.lines().filter(|line| !line.starts_with('#')).collect();
    let (cases, []) = lines.as_chunks::<2>() else { panic!("a line has no second one") };
    for [line, hidden] in cases {
        assert_eq!(&shown(line), hidden, "{line}");
    }
}

#[test]
fn ordinary_command_lines_stay_as_they_are() {
    for line in ORDINARY.lines() {
        assert_eq!(shown(line), line);
    }
}

#[test]
fn an_empty_line_and_odd_bytes_do_no_harm() {
    assert_eq!(hide(&[]), Vec::<Vec<u8>>::new());
    assert_eq!(
        hide(&[b"", b"\xff--password=\xff\xfe", b"-", b"--", b"://", b"a://", b":"])[1],
        b"\xff--password=**"
    );
}

/// Values of secrets: none begins as a flag does, and none is so short that it stands in a command line anyway.
fn value() -> impl Strategy<Value = String> {
    "[A-Za-z0-9!#%*+./:;<>?@^_~][A-Za-z0-9!#$%&()*+,./:;<=>?@^_{|}~-]{3,40}"
        .prop_map(|value| format!("{value}Zq"))
}

fn name() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "password",
        "passwd",
        "passphrase",
        "token",
        "secret",
        "api-key",
        "apikey",
        "api_key",
        "access-key",
        "secret-key",
        "client-secret",
        "auth-token",
        "db.password",
        "Password",
        "PASSWORD",
        "userPassword",
        "root_password",
        "pass",
        "credentials",
        "aws_secret_access_key",
        "aws-session-token",
        "keyStorePassword",
        "token2",
    ]);
    (prop::option::of("[a-m]{1,6}"), word).prop_map(|(before, word)| match before {
        // Not `use-token`, which asks for one.
        Some(before) if before != "use" && before != "ask" => format!("{before}-{word}"),
        _ => word.to_owned(),
    })
}

fn ordinary() -> impl Strategy<Value = String> {
    "(--?[a-m]{1,6}|[a-m]{1,6}|/[a-m/]{1,9}|[a-m]{1,4}=[a-m0-9]{1,4}|[a-m]{1,5}://[a-m]{1,5}:[0-9]{1,4}/)"
}

/// Arguments with a secret in one of many forms.
fn with_secret(name: &str, value: &str, form: usize) -> Vec<String> {
    let one = |text: String| vec![text];
    match form {
        0 => one(format!("--{name}={value}")),
        1 => vec![format!("--{name}"), value.to_owned()],
        2 => one(format!("-{name}={value}")),
        3 => one(format!("-D{name}={value}")),
        4 => one(format!("{}={value}", name.to_uppercase().replace('-', "_"))),
        5 => one(format!("X-{name}: {value}")),
        6 => one(format!("{{\"{name}\": \"{value}\"}}")),
        7 => one(format!("a=b,{name}={value}")),
        8 => one(format!("exec app --{name} {value}")),
        9 => one(format!("exec app --{name} '{value}' x")),
        10 => one(format!("Authorization: Bearer {value}")),
        11 => one(format!("curl -H 'Authorization: Basic {value}' x")),
        12 => one(format!("https://h/x?{name}={value}")),
        _ => one(format!("postgres://me:{}@db/shop", value.replace(['/', '?', '#'], "x"))),
    }
}

proptest! {
    #[test]
    fn no_value_of_a_secret_is_shown(
        name in name(), value in value(), form in 0..14_usize,
        before in vec(ordinary(), 0..4), after in vec(ordinary(), 0..4),
    ) {
        let arguments = [vec!["app".to_owned()], before, with_secret(&name, &value, form), after].concat();
        let bytes: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        let hidden = String::from_utf8(hide(&bytes).concat()).unwrap();
        let value = if form == 13 { value.replace(['/', '?', '#'], "x") } else { value };
        prop_assert!(!hidden.contains(&value), "{hidden}");
        // Nor a part of it that is of any use.
        let end = &value[value.len() - 5..];
        prop_assert!(!hidden.contains(end), "{hidden}");
    }

    #[test]
    fn nothing_becomes_longer_and_nothing_is_added(arguments in vec(vec(any::<u8>(), 0..40), 0..8)) {
        let bytes: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let hidden = hide(&bytes);
        prop_assert_eq!(hidden.len(), arguments.len());
        for (hidden, argument) in hidden.iter().zip(&arguments) {
            prop_assert!(hidden.len() <= argument.len());
        }
    }

    #[test]
    fn texts_of_the_form_of_command_lines_do_no_harm(
        arguments in vec("(-{0,2}(p|password|token|curl|mysql|Authorization|bearer|http|://|[:=@/'\" ,&{}]){0,8}){0,4}", 0..6)
    ) {
        let bytes: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        for (hidden, argument) in hide(&bytes).iter().zip(&arguments) {
            prop_assert!(hidden.len() <= argument.len());
        }
    }

    #[test]
    fn what_is_ordinary_stays(arguments in vec(ordinary(), 0..12)) {
        let bytes: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        prop_assert_eq!(hide(&bytes), bytes.iter().map(|bytes| bytes.to_vec()).collect::<Vec<_>>());
    }
}
