//! What to write instead of a flag that does not exist: the names that other tools have for it, a flag that is one of its
//! words, or one that differs by a slip of the finger. clap alone guesses by likeness: `--max-flows` for `--max-rows`.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use strsim::osa_distance;

/// Names of flags elsewhere, and the flag here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("num-lines", "rows"),
    ("lines", "rows"),
    ("max-lines", "rows"),
    ("head", "rows"),
    ("top", "rows"),
    ("max", "rows"),
    ("device", "interface"),
    ("dev", "interface"),
    ("iface", "interface"),
    ("nic", "interface"),
    ("bpf", "filter"),
    ("expression", "filter"),
    ("expr", "filter"),
    ("filter-code", "filter"),
    ("match", "filter"),
    ("port", "filter"),
    ("host", "filter"),
    ("state", "filter"),
    ("duration", "seconds"),
    ("time", "seconds"),
    ("timeout", "seconds"),
    ("timed-output", "seconds"),
    ("delay", "interval"),
    ("period", "interval"),
    ("refresh", "interval"),
    ("json", "format"),
    ("csv", "format"),
    ("output", "format"),
    ("order", "sort"),
    ("sort-by", "sort"),
    ("order-by", "sort"),
    ("group", "by"),
    ("group-by", "by"),
    ("aggregate", "by"),
    ("sum-by", "by"),
    ("columns", "fields"),
    ("cols", "fields"),
    ("no-dns", "numeric"),
    ("no-resolve", "numeric"),
    ("dns", "names"),
    ("resolve", "names"),
    ("process", "pid"),
    ("processes", "show-owner"),
    ("owners", "show-owner"),
    ("cgroupmap", "cgroup"),
    ("mntnsmap", "mntns"),
    ("batch", "text"),
    ("batch-mode", "text"),
    ("no-curses", "text"),
    ("once", "seconds"),
    ("bits", "unit"),
    ("packets", "unit"),
    ("show-ports", "ports"),
    ("netmask", "net"),
    ("inet4", "ipv4"),
    ("inet6", "ipv6"),
    ("timestamp", "show-time"),
    ("out", "write"),
    ("outfile", "write"),
    ("file", "write"),
    ("others", "show-others"),
];

/// Most letters that are wrong, missing, too many or swapped in a flag that is taken for another one.
const MAX_SLIPS: usize = 2;

/// The error with the flag that was meant, where that can be told, and without a guess where it cannot.
pub(super) fn improve(mut error: clap::Error, command: &Command) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return error };
    let Some(typed) = typed.strip_prefix("--").map(str::to_owned) else { return error };
    let command = subcommand(command);
    let flags: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
    let meant = meant(&typed, &flags).map(|flag| ContextValue::String(format!("--{flag}")));
    let guess = error.remove(ContextKind::SuggestedArg);
    if guess != meant {
        // The usage has clap's guess in it.
        error.remove(ContextKind::Usage);
    }
    if let Some(flag) = meant {
        error.insert(ContextKind::SuggestedArg, flag);
    }
    error
}

/// The subcommand that was typed, or flowtop itself.
fn subcommand(command: &Command) -> &Command {
    let typed = std::env::args().skip(1).find_map(|arg| command.find_subcommand(arg));
    typed.unwrap_or(command)
}

fn meant<'a>(typed: &str, flags: &[&'a str]) -> Option<&'a str> {
    let flag = |name: &str| flags.iter().copied().find(|flag| *flag == name);
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == typed).and_then(|(_, here)| flag(here));
    let word = || typed.split('-').rev().filter(|word| word.len() > 2).find_map(flag);
    let near = || {
        let distances = flags.iter().map(|flag| (osa_distance(typed, flag), *flag));
        distances.filter(|(slips, _)| *slips <= MAX_SLIPS).min_by_key(|(slips, _)| *slips)
    };
    elsewhere.or_else(word).or_else(|| near().map(|(_, flag)| flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_found_by_habit_by_word_and_by_slip() {
        let command = super::super::command();
        let flags: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        for (typed, flag) in [
            ("max-rows", Some("rows")),
            ("num-lines", Some("rows")),
            ("iface", Some("interface")),
            ("device", Some("interface")),
            ("json", Some("format")),
            ("duration", Some("seconds")),
            ("sort-by", Some("sort")),
            ("group-by", Some("by")),
            ("cgroupmap", Some("cgroup")),
            ("no-dns", Some("numeric")),
            ("intreface", Some("interface")),
            ("max-flow", Some("max-flows")),
            ("secnods", Some("seconds")),
            ("colour-of-the-sky", None),
            ("verbose", None),
        ] {
            assert_eq!(meant(typed, &flags), flag, "{typed}");
        }
    }

    #[test]
    fn every_habit_leads_to_a_flag_and_is_none() {
        let command = super::super::command();
        let flags: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        for (elsewhere, here) in ELSEWHERE {
            assert!(flags.contains(here) && !flags.contains(elsewhere), "{elsewhere}");
        }
    }
}
