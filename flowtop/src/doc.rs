//! The man page and the completions, made from the flags.

use std::io;

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::core::ui::keys::{Section, TABLE};

/// What the flags do not tell.
const SECTIONS: &str = include_str!("../doc/sections.roff");

/// How an apostrophe is written; each section comes with it.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Writes the man page.
pub fn man(out: &mut dyn io::Write) -> Result<()> {
    let man = Man::new(Cli::command());
    let mut generated = Vec::new();
    man.render_description_section(&mut generated)?;
    man.render_options_section(&mut generated)?;
    let generated = String::from_utf8(generated)?.replace(PREAMBLE, "");
    // No date, so that the page changes with what it says only.
    writeln!(
        out,
        "{PREAMBLE}.TH FLOWTOP 8 \"\" \"flowtop {}\" \"System Administration\"",
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(out, ".SH NAME\nflowtop \\- TCP traffic per connection")?;
    writeln!(
        out,
        ".SH SYNOPSIS\n\\fBflowtop\\fR [\\fIoptions\\fR]\n.br\n\\fBflowtop doctor\\fR [\\fIoptions\\fR]"
    )?;
    let (commands, rest) = SECTIONS.split_once(".SH LETTERS").unwrap_or((SECTIONS, ""));
    write!(out, "{generated}{commands}")?;
    write_keys(out)?;
    write!(out, ".SH LETTERS{rest}")?;
    Ok(())
}

/// The keys of the view, by what they are about.
fn write_keys(out: &mut dyn io::Write) -> io::Result<()> {
    let escaped = |text: &str| text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    writeln!(out, ".SH KEYS\nOf the interactive view.")?;
    for section in Section::ALL {
        writeln!(out, ".SS {}", section.title())?;
        for binding in TABLE.iter().filter(|binding| binding.section == section) {
            writeln!(out, ".TP 10\n\\fB{}\\fR\n{}", escaped(binding.name), escaped(binding.help))?;
        }
    }
    Ok(())
}

/// Writes what makes `shell` complete flowtop's flags and their values.
pub fn completions(shell: Shell, out: &mut dyn io::Write) -> Result<()> {
    // It panics where it cannot write.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flowtop", &mut text);
    out.write_all(&text)?;
    Ok(())
}
