//! Formats reports and writes them to stdout, each flushed; messages go to stderr.

use super::Top;
use crate::Usage;
use crate::config::at_its_line;
use crate::folder::Folder;
use crate::interfaces::Interfaces;
use crate::output::{self, Buffer};
use crate::signals::Endings;
use crate::stderr;
use anyhow::{Context as _, Result};
use flowtop_attribution::resolver::Resolver;
use flowtop_core::column::{self, Column};
use flowtop_core::ledger::Ledger;
use flowtop_core::names::{Names, NoNames};
use flowtop_core::rows::grouped;
use flowtop_core::sanitize::printable;
use flowtop_core::view::View;
use flowtop_core::who::Who;
use flowtop_recording::when;
use flowtop_view::csv;
use flowtop_view::json;
use flowtop_view::settings::{Origin, Settings, choice::Format};
use flowtop_view::text;
use flowtop_view::top;
use jiff::tz::TimeZone;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::rc::Rc;
use tokio::time::Instant;

const CANNOT_WRITE: &str = "cannot write the report";

/// Fields of JSON and CSV.
enum Fields {
    /// Fields of connections; `None` for all.
    Flows(Option<Vec<&'static Column>>),
    /// Fields of rows with `--by`.
    Groups(Vec<&'static str>),
}

/// Fields that the report does not have.
#[derive(Debug, thiserror::Error)]
enum FieldsError {
    #[error("--fields picks fields of the other formats; add --format csv or --format json")]
    Text,
    #[error(transparent)]
    Flows(#[from] column::WrongFields),
    #[error(transparent)]
    Groups(#[from] grouped::WrongFields),
}

impl Fields {
    fn of(settings: &Settings) -> Result<Self, FieldsError> {
        if settings.format.value == Format::Text && matches!(settings.fields.origin, Origin::Flag(_)) {
            return Err(FieldsError::Text);
        }
        let (names, by) = (settings.fields.value.join(","), settings.by.value);
        match (by.is_some(), names.is_empty()) {
            (true, true) => Ok(Self::Groups(grouped::fields(&by))),
            (true, false) => Ok(Self::Groups(grouped::parse_fields(&by, &names)?)),
            (false, true) => Ok(Self::Flows(None)),
            (false, false) => Ok(Self::Flows(Some(column::parse(&names)?))),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        match self {
            Self::Flows(None) => column::names(),
            Self::Flows(Some(columns)) => columns.iter().map(|column| column.name).collect(),
            Self::Groups(names) => names.clone(),
        }
    }
}

/// Writes reports in the requested format.
pub(crate) struct Printer {
    pub(crate) format: Format,
    reports: text::Reports,
    /// Print tcptop's layout instead of iftop's.
    top: Option<Top>,
    limit: Option<usize>,
    fields: Fields,
    header: bool,
    pub(crate) interfaces: Rc<Interfaces>,
    /// Started when a name is wanted for the first time.
    resolver: Option<Resolver>,
    /// Whether the last line on stderr is incomplete.
    progress_shown: bool,
    /// Reports that were not made since the last one, because the reader was behind.
    dropped: u64,
    shows_time: bool,
    /// Has the latest report in place of stdout.
    file: Option<PathBuf>,
    /// A line before the next report in that file.
    caption: String,
}

impl Printer {
    pub(crate) fn new(settings: &Settings, top: Option<Top>) -> Result<Self> {
        Ok(Self {
            format: settings.format.value,
            reports: text::Reports::default(),
            top: top.map(|top| top.in_a_file(!settings.write.value.is_empty())),
            limit: settings.rows.value.map_or(Some(top::ROWS), |_| settings.max_rows()),
            fields: Fields::of(settings).map_err(|error| Usage(error.to_string()))?,
            header: !settings.no_header.value,
            interfaces: at_its_line(
                Interfaces::choose(&settings.interface.value),
                &settings.interface.origin,
            )?,
            resolver: None,
            progress_shown: false,
            dropped: 0,
            shows_time: settings.show_time.value,
            file: Some(&settings.write.value).filter(|file| !file.is_empty()).map(PathBuf::from),
            caption: String::new(),
        })
    }

    /// Writes what comes before the first report.
    pub(crate) fn introduce(&mut self) -> Result<()> {
        match self.format {
            Format::Text if self.top.is_some() => Ok(()),
            Format::Text => {
                stderr::print(&self.interfaces.introduction());
                if self.file.is_some() {
                    return Ok(());
                }
                self.say(&text::listening_on(&self.interfaces.names()))
            }
            Format::Csv | Format::Json => self.print_header(),
        }
    }

    /// Writes the CSV header.
    pub(crate) fn print_header(&mut self) -> Result<()> {
        if self.format != Format::Csv || !self.header || self.file.is_some() {
            return Ok(());
        }
        self.clear_progress();
        to_stdout(|out| csv::header(&self.fields.names(), out))
    }

    /// In text, writes a line about the next report, whose ledger differs from that of the previous one.
    pub(crate) fn print_caption(&mut self, caption: &str) -> Result<()> {
        self.reports.forget_ledger();
        self.print_line(caption)
    }

    /// Adds flows that the newest sample has removed from the ledger to their groups. Must be called after each sample.
    pub(crate) fn follow(&mut self, ledger: &Ledger, view: &View, who: Who<'_>) {
        self.reports.follow(ledger, view, who);
    }

    /// In text, writes a line about the next report.
    pub(crate) fn print_line(&mut self, caption: &str) -> Result<()> {
        match (self.format, &self.file) {
            (Format::Text, None) => self.say(&format!("{caption}\n")),
            (Format::Text, Some(_)) => {
                self.caption = format!("{caption}\n");
                Ok(())
            }
            (Format::Csv | Format::Json, _) => Ok(()),
        }
    }

    pub(crate) fn report(&mut self, ledger: &Ledger, view: &View, heading: &json::Heading<'_>) -> Result<()> {
        self.tell_dropped();
        if self.format == Format::Text {
            let report = self.text_with_time(ledger, view, heading)?;
            return match &self.file {
                None => self.say(&report),
                Some(file) => Folder::replace(file, report.as_bytes()),
            };
        }
        self.clear_progress();
        let Some(file) = self.file.clone() else {
            return to_stdout(|out| self.write_machine(ledger, view, heading, out));
        };
        let mut report = Vec::new();
        if self.format == Format::Csv && self.header {
            csv::header(&self.fields.names(), &mut report)?;
        }
        self.write_machine(ledger, view, heading, &mut report)?;
        Folder::replace(&file, &report)
    }

    /// What is before a text report in a file or with `--show-time`, and the report.
    fn text_with_time(
        &mut self,
        ledger: &Ledger,
        view: &View,
        heading: &json::Heading<'_>,
    ) -> Result<String> {
        let report = self.text(ledger, view, heading.who)?;
        let caption = std::mem::take(&mut self.caption);
        let time = if self.shows_time { time_line(ledger, heading) } else { String::new() };
        Ok(caption + &time + &report)
    }

    fn write_machine(
        &mut self,
        ledger: &Ledger,
        view: &View,
        heading: &json::Heading<'_>,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let Self { format, fields, reports, .. } = self;
        match (format, fields) {
            (Format::Json, Fields::Flows(fields)) => {
                json::report(heading, ledger, view, fields.as_deref(), out)
            }
            (Format::Json, Fields::Groups(fields)) => {
                let groups = reports.groups(ledger, view, heading.who);
                json::grouped_report(heading, ledger, &groups, Some(fields), out)
            }
            (_, Fields::Flows(Some(fields))) => csv::report(heading, ledger, view, fields, out),
            (_, Fields::Flows(None)) => {
                csv::report(heading, ledger, view, &column::ALL.iter().collect::<Vec<_>>(), out)
            }
            (_, Fields::Groups(fields)) => {
                let groups = reports.groups(ledger, view, heading.who);
                csv::grouped_report(heading, ledger, &groups, fields, out)
            }
        }
    }

    fn text(&mut self, ledger: &Ledger, view: &View, who: Who<'_>) -> Result<String> {
        if let Some(top) = self.top.as_mut().filter(|_| !view.by.is_some()) {
            return Ok(top.report(ledger, self.limit, view.sort, who));
        }
        self.resolve(view)?;
        let names = self.resolver.as_ref().map_or(&NoNames as &dyn Names, |resolver| resolver);
        Ok(self.reports.report(ledger, view, names, who))
    }

    /// Starts resolving host names when the first one is needed.
    fn resolve(&mut self, view: &View) -> Result<()> {
        if self.resolver.is_none() && (view.host_names || view.service_names) {
            self.resolver = Some(Resolver::start().context("cannot start the thread that asks for names")?);
        }
        Ok(())
    }

    /// Requests the host names that a report would need now, so that they are known when it is due.
    pub(crate) fn ask_names(&mut self, ledger: &Ledger, view: &View) -> Result<()> {
        if self.format == Format::Text && self.top.is_none() {
            self.resolve(view)?;
            if let Some(resolver) = &self.resolver {
                text::ask_names(ledger, view, resolver);
            }
        }
        Ok(())
    }

    /// Writes to stdout and flushes.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        self.clear_progress();
        to_stdout(|out| out.write_all(text.as_bytes()))
    }

    /// Writes a line to stderr.
    pub(crate) fn note(&mut self, text: &str) {
        self.clear_progress();
        stderr::print(&format!("flowtop: {text}\n"));
    }

    fn clear_progress(&mut self) {
        if std::mem::take(&mut self.progress_shown) {
            stderr::overwrite("");
        }
    }

    /// Whether reports are tcptop's.
    pub(crate) fn is_top(&self) -> bool {
        self.top.is_some()
    }

    /// Whether the reader has not yet taken what was printed before.
    pub(crate) fn is_behind(&self) -> bool {
        self.file.is_none() && output::stdout().is_busy()
    }

    /// A report that is not made, because the reader is behind.
    pub(crate) fn drop_report(&mut self) {
        self.dropped += 1;
    }

    /// Tells how many reports were dropped.
    fn tell_dropped(&mut self) {
        if self.dropped > 0 {
            let reports = if self.dropped == 1 { "report was" } else { "reports were" };
            let dropped = std::mem::take(&mut self.dropped);
            self.note(&format!("{dropped} {reports} dropped, because the reader of the output was too slow"));
        }
    }

    /// Waits for the reader to take what was printed.
    pub(crate) fn wait() -> Result<()> {
        output::stdout().wait(None);
        output::stdout().failed().context(CANNOT_WRITE)
    }

    /// Waits until nothing can be printed any more.
    pub(crate) async fn failure() -> anyhow::Error {
        anyhow::Error::new(output::stdout().failure().await).context(CANNOT_WRITE)
    }

    /// Has the rest written before the run ends; `by_signal` if one has ended it.
    pub(crate) async fn finish(&mut self, endings: &mut Endings, by_signal: bool) -> Result<()> {
        self.tell_dropped();
        if !output::stdout().finish(endings, by_signal).await {
            self.note("the reader of the output took no more of it; its end is missing");
        }
        output::stdout().failed().context(CANNOT_WRITE)
    }

    /// On a terminal, shows the time left until the only report.
    pub(crate) fn progress(&mut self, end: Option<Instant>) {
        let Some(end) = end.filter(|_| io::stderr().is_terminal()) else { return };
        let left_s = end.saturating_duration_since(Instant::now()).as_secs_f64();
        stderr::overwrite(&format!("flowtop: {left_s:.0} s left"));
        self.progress_shown = true;
    }
}

/// The period that a report counts, on the clock of this host.
fn time_line(ledger: &Ledger, heading: &json::Heading<'_>) -> String {
    let (start, time, host) = (heading.start, heading.time, printable(heading.host));
    let zone = when::zone_name(&TimeZone::system());
    let coverage = heading.coverage.map(|coverage| coverage.text() + "\n").unwrap_or_default();
    format!("{start} to {time} ({zone}), {:.1} s, host {host}\n{coverage}", ledger.elapsed_s())
}

/// Has it written to stdout. It is there when this returns, unless the reader is slow.
fn to_stdout(write: impl FnOnce(&mut Buffer) -> io::Result<()>) -> Result<()> {
    let mut out = Buffer::stdout();
    let written = write(&mut out).and_then(|()| out.flush());
    output::stdout().settle();
    written.and_then(|()| output::stdout().failed()).context(CANNOT_WRITE)
}
