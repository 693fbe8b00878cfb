//! Recordings as the view reads them: one record at a time, with the current settings and filter applied.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use crate::knowledge::{self, Knowledge};
use crate::recordings::Recordings;
use crate::selection;
use flowtop_core::filter::{Boundary, Filter};
use flowtop_core::label::Labels;
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::record::Record;
use flowtop_core::scope::Scope;
use flowtop_recording::replay::caption::Caption;
use flowtop_recording::replay::player::{Moment, Player};
use flowtop_recording::replay::{self, RecordedOwners};
use flowtop_view::settings::Settings;
use flowtop_view::state::replay::{Replay, Window};

/// Shown in place of the name of a hook plan.
pub const HOOKS: &str = "recorded";

/// Recordings, with the settings and the filter to apply to each record.
pub struct Lens {
    recordings: Recordings,
    settings: Settings,
    filter: Filter,
    /// Used instead of the labels in the records.
    labels: Option<Arc<Labels>>,
}

impl Lens {
    pub fn new(recordings: Recordings, settings: &Settings, filter: Filter) -> Result<Self> {
        let labels = (!settings.labels.value.is_empty()).then(|| knowledge::labels(&settings.labels.value));
        let mut settings = settings.clone();
        // Filters were already applied when the records were made.
        settings.link_local.value = true;
        settings.interface.value.clear();
        // Records have no packet counts. `unit = "packets"` in a configuration file must not prevent a replay.
        if settings.unit.value == Unit::Packets {
            settings.unit.value = Unit::Bits;
        }
        Ok(Self { recordings, settings, filter, labels: labels.transpose()?.map(Arc::new) })
    }

    /// All records, at the first one.
    pub fn player(&self) -> Player {
        let moments = self.recordings.heads().iter();
        let moments = moments.map(|at| Moment { host: Arc::clone(&at.head.host), span: at.head.span });
        Player::new(moments.collect()).expect("recordings without a record are not opened")
    }

    /// The current settings that apply to records.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether anything of the records may be left out.
    pub fn is_filtered(&self) -> bool {
        self.filter != Filter::default() || !selection::limits(&self.settings).is_empty()
    }

    /// Applies another filter from the next record on.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
    }

    /// Sentences about what cannot be true in the records read so far.
    pub fn refused(&self) -> Vec<String> {
        self.recordings.refused()
    }

    /// Reads a record and applies settings and filter.
    ///
    /// # Errors
    /// Those of [`Recordings::read`].
    pub fn window(&self, replay: &Replay, at: usize) -> Result<Window> {
        let record = self.recordings.read(&self.recordings.heads()[at])?;
        let labels = self.labels.clone().unwrap_or_else(|| Arc::new(replay::labels(&record)));
        let known = Knowledge::of(Arc::new(RecordedOwners::of(&record)), labels).wanted_by(&self.settings);
        let scope = selection::scope(&self.settings, None, self.filter.clone(), &known)?;
        let ledger = self.ledger(&record, scope)?;
        let gap = replay.player.gap_before(at);
        Ok(Window {
            ledger,
            owners: known.owners(),
            labels: known.labels(),
            caption: Caption::of(&record, gap, replay.zone()),
            limits: self.limits(record.limits.to_string()),
        })
    }

    fn ledger(&self, record: &Record, scope: Option<Box<dyn Scope>>) -> Result<Ledger> {
        let boundary = self.boundary(record)?;
        if self.settings.unit.value != Unit::Wire {
            return Ok(Ledger::of_record(record, boundary, scope));
        }
        Ledger::of_record_in_wire(record, boundary, scope).ok_or_else(|| {
            anyhow!(
                "-u wire: this record does not tell the bytes on the wire of each flow; take bits or bytes"
            )
        })
    }

    /// The border in the current settings, otherwise the one of the record.
    fn boundary(&self, record: &Record) -> Result<Boundary> {
        let now = selection::boundary(&self.settings)?;
        Ok(if now == Boundary::default() { record.limits.border() } else { now })
    }

    fn limits(&self, then: String) -> String {
        let now = selection::limits(&self.settings);
        [then, now].into_iter().filter(|limits| !limits.is_empty()).collect::<Vec<_>>().join(" ")
    }
}
