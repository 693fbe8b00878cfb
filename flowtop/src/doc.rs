//! Generates man pages and shell completions from the definition of the command line.
//!
//! Each page is a file in `doc/pages`. A line such as `.\" @options`, which is a comment in roff, is replaced by
//! generated text.

use std::io;

use anyhow::{Context as _, Result, bail};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::cli::Cli;
use flowtop_view::state::keys::{Section, TABLE};

/// Pages of the subcommands, by name.
const PAGES: [(&str, &str); 6] = [
    ("doctor", include_str!("../doc/pages/doctor.roff")),
    ("record", include_str!("../doc/pages/record.roff")),
    ("replay", include_str!("../doc/pages/replay.roff")),
    ("report", include_str!("../doc/pages/report.roff")),
    ("top", include_str!("../doc/pages/top.roff")),
    ("watch", include_str!("../doc/pages/watch.roff")),
];

/// The page of flowtop itself.
const FLOWTOP: &str = include_str!("../doc/pages/flowtop.roff");

/// Release date of this version, which readers such as mandoc expect.
const DATE: &str = "2026-11-30";

/// Defines how an apostrophe is rendered. `clap_mangen` puts this in front of every part it generates.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Writes the man page of flowtop or of one of its subcommands.
pub fn man(name: Option<&str>, out: &mut dyn io::Write) -> Result<()> {
    let mut flowtop = Cli::command();
    flowtop.build();
    let (command, file) = match name {
        None => (&flowtop, FLOWTOP),
        Some(name) => {
            let file = PAGES.iter().find(|(command, _)| *command == name).map(|(_, file)| *file);
            let command = flowtop.find_subcommand(name).zip(file);
            command.with_context(|| format!("there is no page of {name}; add one to flowtop/doc/pages"))?
        }
    };
    Ok(out.write_all(page(&flowtop, command, file)?.as_bytes())?)
}

/// Fills in the generated parts of a page.
fn page(flowtop: &Command, command: &Command, file: &str) -> Result<String> {
    let mut text = heading(command);
    for line in file.lines() {
        match line.strip_prefix(".\\\" @") {
            Some(part) => text += &generated(part, flowtop, command)?,
            None => text.extend([line, "\n"]),
        }
    }
    Ok(text)
}

fn generated(part: &str, flowtop: &Command, command: &Command) -> Result<String> {
    let others = part.strip_prefix("see also").map(|others| others.split_whitespace());
    Ok(match part {
        "options" => options(command)?,
        "notes" => notes(command),
        "commands" => commands(flowtop),
        "keys" => keys(&Section::ALL.map(|section| (section, true))),
        "replay keys" => keys(&[(Section::Replay, false)]),
        "failures" => failures(),
        _ => match others {
            Some(others) => see_also(flowtop, command, others),
            None => {
                bail!("the page of {} has a part \"{part}\", which nothing generates", command.get_name())
            }
        },
    })
}

/// The title line and the sections NAME and SYNOPSIS.
fn heading(command: &Command) -> String {
    let name = page_name(command);
    let mut roff = Roff::new();
    let source = concat!("flowtop ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [&*name.to_uppercase(), "8", DATE, source, "System Administration"]);
    roff.control("SH", ["NAME"]);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut rest = about.chars();
    let first = rest.next().map(char::to_lowercase).into_iter().flatten();
    roff.text([roman(format!("{name} - {}", first.chain(rest).collect::<String>()))]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text(synopsis(command));
    roff.render()
}

fn page_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}

/// clap's usage line with the fonts of a man page.
fn synopsis(command: &Command) -> Vec<Inline> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.lines().next().unwrap_or_default().trim_start_matches("Usage: ");
    let mut line = Vec::new();
    for word in usage.split_whitespace() {
        if !line.is_empty() {
            line.push(roman(" "));
        }
        match (word.strip_prefix('['), word.strip_prefix('<')) {
            (Some("OPTIONS]"), _) => line.extend([roman("["), italic("options"), roman("]")]),
            (Some(optional), _) => {
                let (name, rest) = optional.split_once(']').unwrap_or((optional, ""));
                line.extend([roman("["), italic(name), roman(format!("]{rest}"))]);
            }
            (_, Some(value)) => line.push(italic(value.trim_end_matches('>'))),
            _ => line.push(bold(word)),
        }
    }
    line
}

fn options(command: &Command) -> Result<String> {
    // `clap_mangen` omits the description of an option that is hidden from the short help.
    let command = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let mut text = Vec::new();
    Man::new(command).render_options_section(&mut text)?;
    Ok(without_preamble(&with_paragraphs(&String::from_utf8(text)?)))
}

/// Strips the preamble, and escapes `^`, `` ` `` and `~`, which groff renders as other glyphs in UTF-8.
fn without_preamble(text: &str) -> String {
    let text = text.strip_prefix(PREAMBLE).unwrap_or(text);
    text.replace('^', "\\(ha").replace('`', "\\(ga").replace('~', "\\(ti")
}

/// Replaces the empty lines and `.br` that `clap_mangen` writes between the paragraphs of an option by `.IP`.
fn with_paragraphs(roff: &str) -> String {
    let is_gap = |line: &str| line.is_empty() || line == ".br";
    let lines: Vec<&str> = roff.lines().collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        if !is_gap(line) {
            text.extend([line, "\n"]);
        } else if lines.get(at + 1).is_some_and(|next| !is_gap(next) && !next.starts_with('.')) {
            text += ".IP\n";
        }
    }
    text
}

/// The text that the help prints below the options.
fn notes(command: &Command) -> String {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    without_preamble(&Roff::from(roman(text)).render())
}

/// A list of the subcommands that have a page.
fn commands(flowtop: &Command) -> String {
    let mut roff = Roff::new();
    for command in flowtop.get_subcommands().filter(|command| has_page(command)) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        roff.control("TP", []);
        roff.control("BR", [&*page_name(command).replace('-', "\\-"), "(8)"]);
        roff.text([roman(format!("{about}."))]);
    }
    without_preamble(&roff.render())
}

fn has_page(command: &Command) -> bool {
    PAGES.iter().any(|(name, _)| *name == command.get_name())
}

/// A list of the keys of the view, optionally with the headings of their sections.
fn keys(sections: &[(Section, bool)]) -> String {
    let mut roff = Roff::new();
    for (section, has_heading) in sections {
        if *has_heading {
            roff.control("SS", [section.title()]);
        }
        for binding in TABLE.iter().filter(|binding| binding.section == *section) {
            roff.control("TP", ["10"]);
            roff.text([bold(binding.name)]);
            roff.text([roman(binding.help)]);
        }
    }
    without_preamble(&roff.render())
}

/// The exit statuses other than 0, which are the same for every subcommand.
fn failures() -> String {
    let mut roff = Roff::new();
    for (code, meaning) in [
        ("1", "Something failed. One sentence on standard error says what, and the next step."),
        ("2", "The command line or a configuration file is wrong."),
    ] {
        roff.control("TP", []);
        roff.text([bold(code)]);
        roff.text([roman(meaning)]);
    }
    without_preamble(&roff.render())
}

/// The section SEE ALSO: flowtop's other pages, then `others`.
fn see_also<'a>(flowtop: &Command, command: &Command, others: impl Iterator<Item = &'a str>) -> String {
    let own = std::iter::once(flowtop).chain(flowtop.get_subcommands().filter(|command| has_page(command)));
    let own = own.filter(|other| page_name(other) != page_name(command));
    let mut names: Vec<_> = own.map(page_name).collect();
    names.extend(others.map(|other| other.trim_end_matches(')').replace('(', " ")));
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let count = names.len();
    for (at, name) in names.into_iter().enumerate() {
        let (name, section) = name.split_once(' ').unwrap_or((&name, "8"));
        let comma = if at + 1 < count { "," } else { "" };
        roff.control("BR", [&*name.replace('-', "\\-"), &*format!("({section}){comma}")]);
    }
    without_preamble(&roff.render())
}

/// Writes the completion script for `shell`.
pub fn completions(shell: Shell, out: &mut dyn io::Write) -> Result<()> {
    // `generate` panics if it cannot write, so it writes to memory.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flowtop", &mut text);
    out.write_all(&text)?;
    Ok(())
}
