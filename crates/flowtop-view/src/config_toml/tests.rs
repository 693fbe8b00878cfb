use super::*;

/// Key, texts and line of an assignment.
type Said = (&'static str, Vec<String>, String);

fn outcome(text: &str) -> Result<Vec<Said>, String> {
    let assignments = parse(text, "config.toml").map_err(|error| error.to_string())?;
    Ok(assignments.into_iter().map(|a| (a.key.name, a.texts, a.origin.to_string())).collect())
}

fn one(key: &'static str, texts: &[&str], line: usize) -> Said {
    (key, texts.iter().map(|&text| text.to_owned()).collect(), format!("config.toml:{line}"))
}

#[test]
fn values_of_all_kinds_become_texts_in_the_order_of_the_lines() {
    let text = "# mine\nunit = 'bytes'\n\nnumeric = true\nrows = 1_000\nmax-flows = 0x10\ninterval = 0.5\n\
                interface = [\n  \"eth0\",\n  \"lo\",\n]\nnet = \"10.0.0.0/8\"\nfields = []\n";
    let expected = vec![
        one("unit", &["bytes"], 2),
        one("numeric", &["true"], 4),
        one("rows", &["1000"], 5),
        one("max-flows", &["16"], 6),
        one("interval", &["0.5"], 7),
        one("interface", &["eth0", "lo"], 8),
        one("net", &["10.0.0.0/8"], 12),
        one("fields", &[], 13),
    ];
    assert_eq!(outcome(text), Ok(expected));
}

#[test]
fn what_is_no_setting_is_an_error_with_its_line() {
    let cases = [
        ("\nsorts = '2s'", "config.toml:2: unknown key \"sorts\"; did you mean sort?"),
        ("limit = 5", "config.toml:1: unknown key \"limit\"; flowtop --print-config lists the keys"),
        ("max_flows = 1", "config.toml:1: unknown key \"max_flows\"; did you mean max-flows?"),
        ("zzz = 1", "config.toml:1: unknown key \"zzz\"; flowtop --print-config lists the keys"),
        (
            "[sort]\nby = 1",
            "config.toml:1: sort takes no such value; give text, a number, true, false or a list",
        ),
        (
            "sort = 2026-01-01",
            "config.toml:1: sort takes no such value; give text, a number, true, false or a list",
        ),
        ("net = [[]]", "config.toml:1: net takes no such value; give text, a number, true, false or a list"),
        ("sort = '2s'\nsort = '10s'", "config.toml:2: duplicate key"),
        ("\n\nsort: 2s", "config.toml:3: "),
    ];
    for (text, said) in cases {
        let error = outcome(text).unwrap_err();
        assert!(error.starts_with(said) && !error.contains('\n'), "{error}\nis not\n{said}");
    }
}
