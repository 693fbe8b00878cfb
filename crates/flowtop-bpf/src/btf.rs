//! The kernel's type information (BTF): where a field lies, which functions, typedefs and enum values exist.
//!
//! Everything here reads the bytes of `/sys/kernel/btf/vmlinux`, which the caller has read. The format is
//! <https://docs.kernel.org/bpf/btf.html>. [`Btf::parse`] checks the frame of every record once; what a
//! record refers to is checked when it is followed. No bytes make this module panic or loop for ever.
//! Not here: BTF of modules (split BTF), sizes of types, anything about values in memory.

use thiserror::Error;

pub mod targets;
#[cfg(test)]
mod tests;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// Length of `struct btf_header` in this version; later kernels append to it.
const HEADER_BYTES: usize = 24;
/// Length of `struct btf_type`, the head of every record.
const HEAD_BYTES: usize = 12;
/// More anonymous members in a struct, or typedefs in a chain, than any kernel has: they go in circles.
const MAX_STEPS: usize = 1024;

/// `BTF_KIND_*`, those that are looked into.
mod kind {
    pub const INT: u32 = 1;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// Why the type information cannot be used, or lacks something.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    /// The bytes do not begin with BTF's magic number.
    #[error("the kernel's BTF does not begin with 0xeb9f; boot a kernel built with CONFIG_DEBUG_INFO_BTF")]
    Magic,
    /// A format version other than 1.
    #[error("the kernel's BTF has version {0}, flowtop reads version 1; update flowtop")]
    Version(u8),
    /// The bytes end before what their header announces. The value is their number.
    #[error("the kernel's BTF is cut off at byte {0}; it has to be read to its end")]
    Truncated(usize),
    /// A record whose kind, and so whose length, is not known.
    #[error("type {type_id} of the kernel's BTF has the unknown kind {kind}; update flowtop")]
    UnknownKind {
        /// `BTF_KIND_*`.
        kind: u32,
        /// Number of the type, from 1.
        type_id: usize,
    },
    /// The type information contradicts itself.
    #[error("the kernel's BTF is damaged: {0}; boot a kernel with sound BTF")]
    Damaged(&'static str),
    /// A struct that the kernel does not have.
    #[error("the kernel's BTF has no struct {0}; flowtop needs a kernel built with CONFIG_INET")]
    NoStruct(String),
    /// A field that the kernel does not have.
    #[error("the kernel's BTF has no field {0}; flowtop needs a newer kernel, or one built with CONFIG_IPV6")]
    NoField(String),
    /// A field without a byte offset of its own.
    #[error("the kernel keeps {0} as a bit field, which flowtop cannot read; boot a newer kernel")]
    BitField(String),
}

/// Type information, indexed: 4 bytes of memory per type beside the borrowed bytes.
#[derive(Debug)]
pub struct Btf<'a> {
    types: Words<'a>,
    /// NUL-terminated strings; the last byte is a NUL.
    strings: &'a [u8],
    /// Where each record begins in `types`; type 1 comes first, type 0 is `void` and has no record.
    starts: Vec<u32>,
}

/// Bytes read as 32-bit numbers of the byte order that the header shows.
#[derive(Clone, Copy, Debug)]
struct Words<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

/// The head of a record, `struct btf_type`.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// Where the part behind the head begins: members, parameters or values.
    tail: usize,
    name: u32,
    info: u32,
    /// A size or a type number, as the kind has it.
    size_or_type: u32,
}

/// A member of a struct or union.
#[derive(Clone, Copy, Debug)]
struct Member {
    name: u32,
    type_id: u32,
    bit_offset: u32,
    bit_field: bool,
}

impl<'a> Btf<'a> {
    /// Indexes `bytes`. Fails when they are not whole, of another version, or hold a kind of unknown length.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let header = header(bytes)?;
        let [header_len, type_off, type_len, str_off, str_len] =
            [header.at(4)?, header.at(8)?, header.at(12)?, header.at(16)?, header.at(20)?];
        let strings = section(bytes, header_len, str_off, str_len)?;
        if strings.last() != Some(&0) {
            return Err(BtfError::Damaged("its last string has no end"));
        }
        let types = Words { bytes: section(bytes, header_len, type_off, type_len)?, ..header };
        Ok(Self { types, strings, starts: index(types)? })
    }

    /// Offset in bytes of the field `path`, such as `__sk_common.skc_family`, from the start of the struct or
    /// union `struct_name`. Members of anonymous structs count as members of what is around them, as in C.
    pub fn field_offset(&self, struct_name: &str, path: &str) -> Result<u32, BtfError> {
        let field = || format!("{struct_name}.{path}");
        let mut owner = self
            .find(&[kind::STRUCT, kind::UNION], struct_name)
            .ok_or_else(|| BtfError::NoStruct(struct_name.to_owned()))?;
        let mut bits: u32 = 0;
        for name in path.split('.') {
            let member = self.member(owner, name)?.ok_or_else(|| BtfError::NoField(field()))?;
            owner = self.unqualified(member.type_id)?;
            bits = add_bits(bits, member.bit_offset)?;
            if member.bit_field || !bits.is_multiple_of(8) || self.is_narrow_int(owner)? {
                return Err(BtfError::BitField(field()));
            }
        }
        Ok(bits / 8)
    }

    /// Where a bit field of one bit lies: the offset in bytes of the byte with it, and its mask there.
    #[must_use]
    pub fn bit(&self, struct_name: &str, name: &str) -> Option<(u32, u8)> {
        let owner = self.find(&[kind::STRUCT], struct_name)?;
        let bit_offset = self.member(owner, name).ok().flatten()?.bit_offset;
        let bit = bit_offset % 8;
        Some((bit_offset / 8, 1 << if self.types.big_endian { 7 - bit } else { bit }))
    }

    /// Whether the kernel describes a function of this name, so that it can be traced by type.
    #[must_use]
    pub fn has_func(&self, name: &str) -> bool {
        self.find(&[kind::FUNC], name).is_some()
    }

    /// Type number of a function, `None` if it does not exist.
    #[must_use]
    pub fn func_id(&self, name: &str) -> Option<u32> {
        self.find_id(&[kind::FUNC], name)
    }

    /// Type number of a struct, `None` if it does not exist.
    #[must_use]
    pub fn struct_id(&self, name: &str) -> Option<u32> {
        self.find_id(&[kind::STRUCT], name)
    }

    /// Type number of a typedef, `None` if it does not exist.
    #[must_use]
    pub fn typedef_id(&self, name: &str) -> Option<u32> {
        self.find_id(&[kind::TYPEDEF], name)
    }

    /// Number of parameters of a function, a variadic tail counting as one. `None` if it does not exist.
    #[must_use]
    pub fn func_param_count(&self, name: &str) -> Option<usize> {
        let proto = self.get(self.find(&[kind::FUNC], name)?.size_or_type)?;
        (proto.kind() == kind::FUNC_PROTO).then_some(proto.count())
    }

    /// Whether a typedef exists. A tracepoint `NAME` shows as the typedef `btf_trace_NAME`.
    #[must_use]
    pub fn has_typedef(&self, name: &str) -> bool {
        self.typedef_id(name).is_some()
    }

    /// Value of a constant of a named enum, such as `bpf_func_id` and `BPF_FUNC_sk_storage_get`. A negative
    /// one is sign-extended. `None` if either does not exist.
    #[must_use]
    pub fn enum_value(&self, enum_name: &str, value_name: &str) -> Option<u64> {
        let owner = self.find(&[kind::ENUM, kind::ENUM64], enum_name)?;
        let wide = owner.kind() == kind::ENUM64;
        let each_bytes = if wide { 12 } else { 8 };
        (0..owner.count()).map(|i| owner.tail + i * each_bytes).find_map(|at| {
            let word = |index: usize| self.types.at(at + 4 * index).ok();
            if !self.is_named(word(0)?, value_name) {
                return None;
            }
            let low = word(1)?;
            let sign = if owner.kind_flag() && low.cast_signed() < 0 { u32::MAX } else { 0 };
            let high = if wide { word(2)? } else { sign };
            Some(u64::from(high) << 32 | u64::from(low))
        })
    }

    /// The first definition of one of `kinds` with this name. A scan: a map of all names would take longer to
    /// build than the few dozen look-ups of a start take together.
    fn find(&self, kinds: &[u32], name: &str) -> Option<Head> {
        self.get(self.find_id(kinds, name)?)
    }

    fn find_id(&self, kinds: &[u32], name: &str) -> Option<u32> {
        let mut heads = self.starts.iter().map(|&start| Head::read(self.types, start as usize).ok());
        let is_it = |head: Head| kinds.contains(&head.kind()) && self.is_named(head.name, name);
        let index = heads.position(|head| head.is_some_and(is_it))?;
        u32::try_from(index + 1).ok()
    }

    fn get(&self, type_id: u32) -> Option<Head> {
        let start = self.starts.get((type_id as usize).checked_sub(1)?)?;
        Head::read(self.types, *start as usize).ok()
    }

    /// The type behind typedefs and qualifiers.
    fn unqualified(&self, mut type_id: u32) -> Result<Head, BtfError> {
        for _ in 0..MAX_STEPS {
            let found = self.get(type_id).ok_or(BtfError::Damaged("a field has a type that is not there"))?;
            match found.kind() {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    type_id = found.size_or_type;
                }
                _ => return Ok(found),
            }
        }
        Err(BtfError::Damaged("a typedef names itself"))
    }

    /// The member `name` of a struct or union, also inside its anonymous members; `None` for any other type.
    fn member(&self, owner: Head, name: &str) -> Result<Option<Member>, BtfError> {
        let mut owners = vec![(owner, 0)];
        let mut next = 0;
        while let Some(&(owner, base_bits)) = owners.get(next) {
            next += 1;
            for index in 0..owner.member_count() {
                let mut member = self.member_at(owner, index)?;
                member.bit_offset = add_bits(base_bits, member.bit_offset)?;
                if !self.is_named(member.name, "") {
                    if self.is_named(member.name, name) {
                        return Ok(Some(member));
                    }
                } else if owners.len() < MAX_STEPS {
                    owners.push((self.unqualified(member.type_id)?, member.bit_offset));
                } else {
                    return Err(BtfError::Damaged("a struct contains itself"));
                }
            }
        }
        Ok(None)
    }

    fn member_at(&self, owner: Head, index: usize) -> Result<Member, BtfError> {
        let at = owner.tail + index * 12;
        let place = self.types.at(at + 8)?;
        // With the kind flag the upper 8 bits are the width of a bit field, 0 for other fields.
        let (bit_width, bit_offset) =
            if owner.kind_flag() { (place >> 24, place & 0xff_ffff) } else { (0, place) };
        Ok(Member {
            name: self.types.at(at)?,
            type_id: self.types.at(at + 4)?,
            bit_offset,
            bit_field: bit_width != 0,
        })
    }

    /// How a bit field shows in a struct without the kind flag: as an integer of fewer bits than its size.
    fn is_narrow_int(&self, found: Head) -> Result<bool, BtfError> {
        if found.kind() != kind::INT {
            return Ok(false);
        }
        let encoding = self.types.at(found.tail)?;
        let (bit_offset, bit_width) = (encoding >> 16 & 0xff, encoding & 0xff);
        Ok(bit_offset != 0 || u64::from(bit_width) != u64::from(found.size_or_type) * 8)
    }

    /// Whether the string at `string_off` is `name`. Compared as bytes: names need not be UTF-8.
    fn is_named(&self, string_off: u32, name: &str) -> bool {
        let rest = self.strings.get(string_off as usize..).and_then(|at| at.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    }
}

impl Words<'_> {
    fn at(self, at: usize) -> Result<u32, BtfError> {
        let word = self.bytes.get(at..).and_then(<[u8]>::first_chunk);
        let word = *word.ok_or(BtfError::Damaged("a record leaves its section"))?;
        Ok(if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    }
}

impl Head {
    fn read(types: Words<'_>, at: usize) -> Result<Self, BtfError> {
        let (name, info, size_or_type) = (types.at(at)?, types.at(at + 4)?, types.at(at + 8)?);
        Ok(Self { tail: at + HEAD_BYTES, name, info, size_or_type })
    }

    /// Linux 7.2 widened the kind from 5 to 7 bits and the count from 16 to 24; both had been zero.
    fn kind(self) -> u32 {
        self.info >> 24 & 0x7f
    }

    /// Number of members, parameters or values.
    fn count(self) -> usize {
        (self.info & 0xff_ffff) as usize
    }

    fn kind_flag(self) -> bool {
        self.info >> 31 == 1
    }

    fn member_count(self) -> usize {
        if matches!(self.kind(), kind::STRUCT | kind::UNION) { self.count() } else { 0 }
    }

    /// Length of what follows the head; `None` for an unknown kind.
    fn tail_bytes(self) -> Option<usize> {
        match self.kind() {
            // Pointer, forward declaration, typedef, qualifiers, function, float, type tag.
            2 | 7..=12 | 16 | 18 => Some(0),
            // Integer, variable, declaration tag.
            1 | 14 | 17 => Some(4),
            // Array.
            3 => Some(12),
            // Enum, function prototype.
            6 | 13 => Some(8 * self.count()),
            // Struct, union, section, 64-bit enum.
            4 | 5 | 15 | 19 => Some(12 * self.count()),
            _ => None,
        }
    }
}

/// The header in the byte order that its magic number shows, if flowtop can read what follows it.
fn header(bytes: &[u8]) -> Result<Words<'_>, BtfError> {
    let (magic, version) = match *bytes {
        [a, b, version, ..] => ([a, b], version),
        _ => return Err(BtfError::Truncated(bytes.len())),
    };
    let big_endian = u16::from_be_bytes(magic) == MAGIC;
    if !big_endian && u16::from_le_bytes(magic) != MAGIC {
        return Err(BtfError::Magic);
    }
    if version != VERSION {
        return Err(BtfError::Version(version));
    }
    let header = bytes.get(..HEADER_BYTES).ok_or(BtfError::Truncated(bytes.len()))?;
    Ok(Words { bytes: header, big_endian })
}

/// The part of `bytes` that begins `offset` bytes behind the header.
fn section(bytes: &[u8], header_len: u32, offset: u32, len: u32) -> Result<&[u8], BtfError> {
    let from_start = |bytes_behind: u64| usize::try_from(u64::from(header_len) + bytes_behind).ok();
    let start = from_start(u64::from(offset));
    let end = from_start(u64::from(offset) + u64::from(len));
    start.zip(end).and_then(|(start, end)| bytes.get(start..end)).ok_or(BtfError::Truncated(bytes.len()))
}

/// Where each record begins, after a check that each is whole.
fn index(types: Words<'_>) -> Result<Vec<u32>, BtfError> {
    let len = types.bytes.len();
    // A kernel's records are 25 bytes long on average.
    let mut starts = Vec::with_capacity(len / 24);
    let mut at = 0;
    while at < len {
        let head = Head::read(types, at)?;
        let unknown = BtfError::UnknownKind { kind: head.kind(), type_id: starts.len() + 1 };
        starts.push(u32::try_from(at).map_err(|_| BtfError::Damaged("it is longer than 4 GiB"))?);
        at = head.tail + head.tail_bytes().ok_or(unknown)?;
    }
    if at == len { Ok(starts) } else { Err(BtfError::Damaged("its last type is cut off")) }
}

fn add_bits(a: u32, b: u32) -> Result<u32, BtfError> {
    a.checked_add(b).ok_or(BtfError::Damaged("a field lies behind the end of memory"))
}
