//! How a benchmark ends: a table on stdout, the same figures in a file, and an exit code. What is measured is in the
//! benchmarks.

use anyhow::{Context as _, Result};
use clap::{Args, Command, CommandFactory as _, FromArgMatches as _, Parser, builder::RangedI64ValueParser};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::ExitCode};

/// Flags of one benchmark.
#[derive(Debug, Parser)]
pub struct Flags<A: Args> {
    /// Those that it has alone.
    #[command(flatten)]
    pub own: A,
    /// Those that all have.
    #[command(flatten)]
    pub outcome: OutcomeArgs,
}

/// Flags of every benchmark.
#[derive(Debug, Args)]
pub struct OutcomeArgs {
    /// A Markdown table, for a document
    #[arg(long)]
    markdown: bool,
    /// Write the figures to a file as well
    #[arg(long, value_name = "FILE", hide = true)]
    json: Option<PathBuf>,
    /// Fail when a figure is beyond its bar
    #[arg(long)]
    enforce: bool,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Reads the flags of the benchmark `name`; the first line about them is about it.
pub fn flags<A: Args>(name: &str) -> Flags<A> {
    let about = A::augment_args(Command::new("")).get_about().cloned().unwrap_or_default();
    let command = Flags::<A>::command().bin_name(format!("cargo xtask bench {name}")).about(about);
    // The first argument is the name.
    let matches = command.get_matches_from(std::env::args_os().skip(1));
    Flags::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The values of a flag that is a number of something.
pub fn at_least_one() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

/// Runs the benchmark `name` as its flags say.
pub fn bench<A: Args>(name: &str, run: impl FnOnce(&A) -> Result<Outcome>) -> ExitCode {
    let flags = flags(name);
    publish(name, &flags.outcome, run(&flags.own))
}

/// One line of the table: named cells in the order of the columns.
#[derive(Clone)]
pub struct Row {
    cells: Vec<(&'static str, Value)>,
    within_bar: bool,
}

impl Row {
    /// A line that begins with text.
    pub fn new(column: &'static str, text: impl Into<String>) -> Self {
        Self { cells: vec![(column, Value::String(text.into()))], within_bar: true }
    }

    /// Adds a cell.
    #[must_use]
    pub fn cell(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.cells.push((column, value.into()));
        self
    }

    /// Adds a figure with the bar that it must not exceed.
    #[must_use]
    pub fn figure(self, column: &'static str, value: f64, bar: Option<f64>) -> Self {
        let within_bar = bar.is_none_or(|bar| value <= bar);
        let row = self.cell(column, value).cell("bar", bar);
        Self { within_bar: row.within_bar && within_bar, ..row }
    }

    /// Takes the line for beyond its bar unless something holds that is no figure of its own.
    #[must_use]
    pub fn requires(self, holds: bool) -> Self {
        Self { within_bar: self.within_bar && holds, ..self }
    }
}

/// What was measured.
pub struct Outcome {
    /// At least one line; all have the same columns.
    pub rows: Vec<Row>,
    /// What a reader must know to judge the figures, a sentence each.
    pub notes: Vec<String>,
}

/// Prints the outcome of the benchmark `name`.
pub fn publish(name: &str, args: &OutcomeArgs, outcome: Result<Outcome>) -> ExitCode {
    match outcome.and_then(|outcome| show(name, args, &outcome).map(|()| outcome)) {
        Ok(outcome) if args.enforce && !outcome.rows.iter().all(|row| row.within_bar) => {
            eprintln!("bench {name}: a figure is beyond its bar");
            ExitCode::FAILURE
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The median; for an even number the larger one of the middle. Zero of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn show(name: &str, args: &OutcomeArgs, outcome: &Outcome) -> Result<()> {
    let command = command(name);
    let machine = format!("Linux {}, {}", kernel(), processor());
    println!("`{command}` on {machine}\n");
    print!("{}", table(&outcome.rows, args.markdown));
    for note in &outcome.notes {
        println!("\n{note}");
    }
    let Some(file) = &args.json else { return Ok(()) };
    let rows: Vec<Value> = outcome.rows.iter().map(|row| row.cells.iter().cloned().collect()).collect();
    let figures = json!({ "command": command, "machine": machine, "rows": rows, "notes": outcome.notes });
    fs::write(file, format!("{figures:#}\n")).with_context(|| format!("cannot write {}", file.display()))
}

/// What to type for the same figures.
fn command(name: &str) -> String {
    let mut command = format!("cargo xtask bench {name}");
    let mut args = std::env::args().skip(2);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--json" => drop(args.next()),
            flag => command.extend([" ", flag]),
        }
    }
    command
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("an unknown processor", |(_, model)| model).to_owned()
}

/// Columns under each other, numbers to the right; with Markdown's bars if asked for.
fn table(rows: &[Row], markdown: bool) -> String {
    let columns = rows.first().map(|row| row.cells.iter().map(|(column, _)| (*column).to_owned()).collect());
    let cells = rows.iter().map(|row| row.cells.iter().map(|(_, value)| text(value)).collect());
    let lines: Vec<Vec<String>> = columns.into_iter().chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
    let pad = |(column, cell): (usize, &String)| match column {
        0 => format!("{cell:<0$}", width(column)),
        _ => format!("{cell:>0$}", width(column)),
    };
    let mut padded: Vec<Vec<String>> =
        lines.iter().map(|line| line.iter().enumerate().map(pad).collect()).collect();
    if markdown {
        let rule = |(column, head): (usize, &String)| match column {
            0 => "-".repeat(head.len()),
            _ => "-".repeat(head.len() - 1) + ":",
        };
        padded.insert(1, padded[0].iter().enumerate().map(rule).collect());
    }
    let frame = |cells: Vec<String>| {
        if markdown { format!("| {} |\n", cells.join(" | ")) } else { cells.join("  ") + "\n" }
    };
    padded.into_iter().map(frame).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
