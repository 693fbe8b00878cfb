//! A record as bytes that stand for themselves: a head of known form, then the compressed payload.
//!
//! ```text
//!  0  magic            8 bytes
//!  8  version          u16, little-endian as all that follows
//! 10  head_bytes       u16, all of the head with its checksum
//! 12  payload_bytes    u32, as they stand behind the head
//! 16  content_bytes    u32, of the payload once it is decompressed
//! 20  payload_crc      u32, CRC-32 of the payload
//! 24  machine_id       16 bytes
//! 40  boot_id          16 bytes
//! 56  start_us, end_us i64, wall clock
//! 72  start_ns, end_ns u64, monotonic clock
//! 88  name_bytes       u16
//! 90  name             UTF-8
//!     ...              what a later flowtop adds
//!     head_crc         u32, CRC-32 of all of the head before it: the last 4 bytes
//! ```
//!
//! Magic, version, lengths and checksums stay where they are for ever, so that a reader can always pass over a frame. What
//! is only added, to the head or to the payload, needs no new version.

use std::io;

use zstd::stream::raw::CParameter;
use zstd::stream::write::Encoder;

use super::payload::{read_record, write_record};
use flowtop_core::record::{Host, Record, Span};
use flowtop_core::sanitize::harmless;

/// How a frame begins. The line break and the bytes that are no text are damaged by programs that convert texts.
pub const MAGIC: [u8; 8] = *b"\xf1FLOW\r\n\x1a";
/// The version that is written, and the newest that can be read.
pub const VERSION: u16 = 1;
/// Most bytes that a head may have.
pub const MAX_HEAD_BYTES: usize = 4096;
/// Most bytes that a payload may have, compressed or not. A record of [`MAX_FLOWS`] flows has fewer.
///
/// [`MAX_FLOWS`]: super::payload::MAX_FLOWS
pub const MAX_CONTENT_BYTES: usize = 1 << 28;
const COMPRESSION_LEVEL: i32 = 6;
/// Fewer bytes that repeat are chance, in columns of few different values, and cost more than they save.
const REPETITION_BYTES: u32 = 7;

const NAME_AT: usize = 90;
const CRC_BYTES: usize = 4;
/// A longer name is cut.
const MAX_NAME_BYTES: usize = 255;

/// The head of a record: all that can be known without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Version of the format; one above [`VERSION`] cannot be read.
    pub version: u16,
    pub host: Host,
    pub span: Span,
    /// Bytes of the frame: head and payload.
    pub frame_bytes: usize,
    payload_at: usize,
    content_bytes: usize,
    payload_crc: u32,
}

/// A stretch of bytes that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No frame starts here.
    #[error("not written by flowtop")]
    Foreign,
    /// Behind damage, and too far to be searched for frames.
    #[error("behind bytes that are no record, and too many to be searched")]
    Unsearched,
    /// A frame begins and is not all there: it is being written, or the writer was killed.
    #[error("a record that is not complete")]
    Torn,
    /// The payload is not the one that was written.
    #[error("a record whose checksum is wrong")]
    Checksum,
    /// The payload is as it was written, and says something that cannot be.
    #[error("a record that makes no sense ({0})")]
    Content(&'static str),
    /// Made by a later flowtop, in a form that this one cannot read.
    #[error("a record in format {0}, which needs a newer flowtop")]
    Newer(u16),
}

/// A record as a frame. The same records give the same bytes.
///
/// # Panics
/// If the record has more than [`MAX_FLOWS`](super::payload::MAX_FLOWS) flows, or 4 GiB of texts.
#[must_use]
pub fn encode(record: &Record) -> Vec<u8> {
    let (payload, content_bytes) = compress(&record.sorted()).expect("memory takes everything");
    let name = cut(&record.host.name).as_bytes();
    let length = |bytes: usize| u32::try_from(bytes).expect("a record is shorter than 4 GiB").to_le_bytes();
    let head_bytes = u16::try_from(NAME_AT + name.len() + CRC_BYTES).expect("a name has 255 bytes at most");
    let name_bytes = u16::try_from(name.len()).expect("a name has 255 bytes at most");
    let span = &record.span;
    let mut frame = [
        &MAGIC[..],
        &VERSION.to_le_bytes(),
        &head_bytes.to_le_bytes(),
        &length(payload.len()),
        &length(content_bytes),
        &crc32fast::hash(&payload).to_le_bytes(),
        &record.host.machine_id,
        &record.host.boot_id,
        &span.start_us.to_le_bytes(),
        &span.end_us.to_le_bytes(),
        &span.start_ns.to_le_bytes(),
        &span.end_ns.to_le_bytes(),
        &name_bytes.to_le_bytes(),
        name,
    ]
    .concat();
    frame.extend(crc32fast::hash(&frame).to_le_bytes());
    frame.extend(payload);
    frame
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME_BYTES)]
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

impl Head {
    /// The head at the start of some bytes, of which [`MAX_HEAD_BYTES`] are enough.
    ///
    /// # Errors
    /// [`Cause::Torn`] if there may be a head that goes on behind the bytes, [`Cause::Foreign`] if there is none. A head of a
    /// newer version is none of the two.
    pub fn parse(bytes: &[u8]) -> Result<Self, Cause> {
        let magic = &MAGIC[..MAGIC.len().min(bytes.len())];
        if !bytes.starts_with(magic) {
            return Err(Cause::Foreign);
        }
        let head_bytes = part(bytes, 10).map(u16::from_le_bytes).ok_or(Cause::Torn)?.into();
        if !(NAME_AT + CRC_BYTES..=MAX_HEAD_BYTES).contains(&head_bytes) {
            return Err(Cause::Foreign);
        }
        let (fields, crc) = bytes.get(..head_bytes).ok_or(Cause::Torn)?.split_at(head_bytes - CRC_BYTES);
        if crc32fast::hash(fields).to_le_bytes() != crc {
            return Err(Cause::Foreign);
        }
        Self::of(fields).ok_or(Cause::Foreign)
    }

    /// Whether this flowtop knows the format.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.version == VERSION
    }

    /// Of a head whose checksum is right, without it.
    fn of(fields: &[u8]) -> Option<Self> {
        let number = |at| Some(u32::from_le_bytes(part(fields, at)?));
        let head_bytes = fields.len() + CRC_BYTES;
        let payload_bytes = usize::try_from(number(12)?).ok().filter(|bytes| *bytes <= MAX_CONTENT_BYTES)?;
        let name_bytes = usize::from(u16::from_le_bytes(part(fields, 88)?));
        // In a form that is not known the name may be elsewhere; a frame to pass over needs none.
        let name = fields.get(NAME_AT..NAME_AT + name_bytes).unwrap_or_default();
        Some(Self {
            version: u16::from_le_bytes(part(fields, 8)?),
            host: Host {
                name: harmless(&String::from_utf8_lossy(name)),
                machine_id: part(fields, 24)?,
                boot_id: part(fields, 40)?,
            },
            span: Span {
                start_us: i64::from_le_bytes(part(fields, 56)?),
                end_us: i64::from_le_bytes(part(fields, 64)?),
                start_ns: u64::from_le_bytes(part(fields, 72)?),
                end_ns: u64::from_le_bytes(part(fields, 80)?),
            },
            frame_bytes: head_bytes + payload_bytes,
            payload_at: head_bytes,
            content_bytes: usize::try_from(number(16)?).ok()?,
            payload_crc: number(20)?,
        })
    }
}

/// A frame whose checksums are right.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    head: Head,
    offset: u64,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of some bytes, which stand at `offset`.
    ///
    /// # Errors
    /// The damage. Where it is only the version, the bytes of the frame are those of the damage.
    pub fn parse(bytes: &'a [u8], offset: u64) -> Result<Self, Damage> {
        let damage = |cause, frame_bytes: usize| Damage { offset, bytes: frame_bytes as u64, cause };
        let head = Head::parse(bytes).map_err(|cause| damage(cause, bytes.len()))?;
        let payload = bytes.get(head.payload_at..head.frame_bytes);
        let payload = payload.ok_or(damage(Cause::Torn, bytes.len()))?;
        if crc32fast::hash(payload) != head.payload_crc {
            return Err(damage(Cause::Checksum, head.frame_bytes));
        }
        if !head.is_readable() {
            return Err(damage(Cause::Newer(head.version), head.frame_bytes));
        }
        Ok(Self { head, offset, payload })
    }

    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Offset in the file, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Decodes the record.
    ///
    /// # Errors
    /// The part of the payload that is damaged.
    pub fn record(&self) -> Result<Record, Damage> {
        let damage = |part| Damage {
            offset: self.offset,
            bytes: self.head.frame_bytes as u64,
            cause: Cause::Content(part),
        };
        let bytes = self.head.content_bytes;
        if bytes > MAX_CONTENT_BYTES {
            return Err(damage("its length"));
        }
        let content = zstd::bulk::decompress(self.payload, bytes).map_err(|_| damage("compression"))?;
        read_record(&content, self.head.host.clone(), self.head.span).map_err(damage)
    }
}

/// The payload of a record, and how many bytes it has once it is decompressed.
fn compress(record: &Record) -> io::Result<(Vec<u8>, usize)> {
    let mut encoder = Encoder::new(Vec::new(), COMPRESSION_LEVEL)?;
    encoder.set_parameter(CParameter::MinMatch(REPETITION_BYTES))?;
    let mut columns = Columns { encoder, bytes: 0 };
    write_record(record, &mut columns);
    Ok((columns.encoder.finish()?, columns.bytes))
}

/// Compresses long runs of bytes, which are columns, each with statistics of its own.
struct Columns<'a> {
    encoder: Encoder<'a, Vec<u8>>,
    bytes: usize,
}

/// A run that is worth a block of its own.
const COLUMN_BYTES: usize = 256;

impl io::Write for Columns<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_column = bytes.len() >= COLUMN_BYTES;
        if is_column {
            self.encoder.flush()?;
        }
        self.encoder.write_all(bytes)?;
        if is_column {
            self.encoder.flush()?;
        }
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}
