//! A thread that writes records, so that a slow disk does not delay counting.

use std::sync::mpsc::{Receiver, SendError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

use super::store::{Store, Written};
use crate::stderr;
use flowtop_core::record::Record;
use flowtop_recording::format::missing::Missing;

/// Maximum number of records queued for a slow disk; further ones are dropped.
const WAITING: usize = 4;

/// Queues records without blocking.
#[derive(Debug)]
pub struct Writer {
    to_thread: SyncSender<Record>,
    thread: JoinHandle<Outcome>,
    /// Records dropped since the last one that was queued.
    turned_down: Missing,
}

/// Totals of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records written.
    pub written: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Records dropped or failed.
    pub unwritten: u64,
}

impl Writer {
    /// Starts the thread.
    pub fn start(mut store: Store) -> Result<Self> {
        Self::by(move |record| store.append(record))
    }

    fn by(append: impl FnMut(&mut Record) -> Result<Written> + Send + 'static) -> Result<Self> {
        let (to_thread, records) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("recorder".to_owned());
        let thread = thread
            .spawn(move || write_all(append, &records))
            .context("cannot start the thread that writes")?;
        Ok(Self { to_thread, thread, turned_down: Missing::default() })
    }

    /// Queues a record, or drops it if the queue is full.
    pub fn write(&mut self, mut record: Record) {
        self.turned_down.tell(&mut record);
        match self.to_thread.try_send(record) {
            Ok(()) => self.turned_down = Missing::default(),
            Err(TrySendError::Full(record) | TrySendError::Disconnected(record)) => {
                self.turned_down = Missing::with(&record);
                stderr::print("flowtop: the disk is too slow: a record is not written\n");
            }
        }
    }

    /// Queues a record, or returns it if the queue is full.
    pub fn offer(&mut self, record: Record) -> Option<Record> {
        match self.to_thread.try_send(record) {
            Ok(()) => None,
            Err(TrySendError::Full(record) | TrySendError::Disconnected(record)) => Some(record),
        }
    }

    /// Queues a record, waiting for room: for the end of a run, when there is nothing left to count.
    pub fn wait_and_write(&mut self, record: Record) {
        if let Err(SendError(record)) = self.to_thread.send(record) {
            self.turned_down = Missing::with(&record);
        }
    }

    /// Waits until everything is written.
    pub fn end(self) -> Outcome {
        drop(self.to_thread);
        let outcome = self.thread.join().unwrap_or_default();
        Outcome { unwritten: outcome.unwritten + self.turned_down.records, ..outcome }
    }
}

fn write_all(mut append: impl FnMut(&mut Record) -> Result<Written>, records: &Receiver<Record>) -> Outcome {
    let mut outcome = Outcome::default();
    // Failed records that no written record mentions yet.
    let mut untold = Missing::default();
    for mut record in records {
        outcome.unwritten += record.unwritten;
        untold.tell(&mut record);
        match append(&mut record) {
            Ok(written) => {
                (outcome.written, outcome.bytes) = (outcome.written + 1, outcome.bytes + written.bytes);
                untold = Missing::default();
                for note in written.notes {
                    stderr::print(&format!("flowtop: {note}\n"));
                }
            }
            Err(error) => {
                stderr::print(&format!("flowtop: a record is not written: {error:#}\n"));
                (outcome.unwritten, untold) = (outcome.unwritten + 1, Missing::with(&record));
            }
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowtop_core::record::{Gap, fixture};
    use flowtop_core::window::Bytes;
    use std::sync::mpsc::channel;

    #[test]
    fn a_slow_disk_costs_records_and_no_time_and_the_next_record_says_so() {
        let (started, starts) = channel();
        let (release, released) = channel::<()>();
        let mut told = Vec::new();
        let mut writer = Writer::by(move |record| {
            told.push(record.unwritten);
            started.send(told.clone()).unwrap();
            released.recv()?;
            Ok(Written { bytes: 10, notes: Vec::new() })
        })
        .unwrap();
        writer.write(Record::default());
        assert_eq!(starts.recv().unwrap(), [0]);
        // One record is being written, the queue is full, and three more are dropped. The sender never blocks.
        for _ in 0..WAITING + 3 {
            writer.write(Record::default());
        }
        release.send(()).unwrap();
        assert_eq!(starts.recv().unwrap(), [0, 0]);
        writer.write(Record::default());
        for _ in 0..=WAITING {
            release.send(()).unwrap();
        }
        let expected =
            Outcome { written: WAITING as u64 + 2, bytes: 10 * (WAITING as u64 + 2), unwritten: 3 };
        assert_eq!(writer.end(), expected);
        assert_eq!(starts.iter().last().unwrap(), [0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn what_a_disk_refuses_is_told_by_the_next_record_that_it_takes() {
        let (tell, told) = channel();
        let mut refusals = 2;
        let mut writer = Writer::by(move |record| {
            tell.send((record.unwritten, record.gap)).unwrap();
            refusals -= 1;
            anyhow::ensure!(refusals < 0, "full");
            Ok(Written::default())
        })
        .unwrap();
        let minute = |n| Record { totals: Bytes { tx: 1_u64 << n, rx: 0 }, ..fixture::record(n, vec![]) };
        (0..4).for_each(|n| writer.write(minute(n)));
        assert_eq!(writer.end(), Outcome { written: 2, bytes: 0, unwritten: 2 });
        let gap = |tx| Some(Gap { start_ns: minute(0).span.start_ns, totals: Bytes { tx, rx: 0 } });
        assert_eq!(told.iter().collect::<Vec<_>>(), [(0, None), (1, gap(1)), (2, gap(1 + 2)), (0, None)]);
    }
}
