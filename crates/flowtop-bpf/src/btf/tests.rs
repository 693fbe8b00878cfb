//! Small blobs of BTF written here, damaged copies of them, and the running kernel's own BTF.

#![expect(clippy::cast_possible_truncation, reason = "the blobs are far below 4 GiB")]

#[path = "../../../../tests/tools/skip.rs"]
mod skip;

use super::*;
use crate::plan::Attach;
use proptest::collection::vec;
use proptest::prelude::*;

const KIND_FLAG: u32 = 1 << 31;

/// Writes BTF, with the kinds of records that the tests need.
struct Writer {
    big_endian: bool,
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Writer {
    fn new(big_endian: bool) -> Self {
        Self { big_endian, types: Vec::new(), strings: vec![0], count: 0 }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        at
    }

    fn bytes(&self, word: u32) -> [u8; 4] {
        if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() }
    }

    /// One record; returns its type number.
    fn record(&mut self, kind: u32, count_and_flag: u32, name: &str, size_or_type: u32, tail: &[u32]) -> u32 {
        let head = [self.name(name), kind << 24 | count_and_flag, size_or_type];
        for word in head.iter().chain(tail) {
            self.types.extend(self.bytes(*word));
        }
        self.count += 1;
        self.count
    }

    /// A struct or union of (name, type, place) members.
    fn composite(&mut self, kind: u32, flag: u32, name: &str, members: &[(&str, u32, u32)]) -> u32 {
        let tail: Vec<u32> =
            members.iter().flat_map(|&(name, type_id, place)| [self.name(name), type_id, place]).collect();
        self.record(kind, members.len() as u32 | flag, name, 64, &tail)
    }

    fn finish(&self) -> Vec<u8> {
        let (type_len, str_len) = (self.types.len() as u32, self.strings.len() as u32);
        let magic = if self.big_endian { MAGIC.to_be_bytes() } else { MAGIC.to_le_bytes() };
        let header = [HEADER_BYTES as u32, 0, type_len, type_len, str_len];
        let header = header.iter().flat_map(|word| self.bytes(*word));
        let blob = magic.into_iter().chain([1, 0]).chain(header);
        blob.chain(self.types.iter().copied()).chain(self.strings.iter().copied()).collect()
    }
}

/// `struct outer` with every way to hold a field, and one of each thing that can be asked for.
fn sample(big_endian: bool) -> Vec<u8> {
    let mut w = Writer::new(big_endian);
    let int = w.record(kind::INT, 0, "unsigned int", 4, &[32]);
    let narrow = w.record(kind::INT, 0, "old bit field", 4, &[4]);
    let pointer = w.record(2, 0, "", int, &[]);
    let inner = w.composite(kind::STRUCT, 0, "inner", &[("a", int, 0), ("b", int, 32)]);
    let inner = w.record(kind::TYPEDEF, 0, "inner_t", inner, &[]);
    let inner = [kind::CONST, kind::VOLATILE, kind::RESTRICT, kind::TYPE_TAG]
        .iter()
        .fold(inner, |of, qualifier| w.record(*qualifier, 0, "", of, &[]));
    let deep = w.composite(kind::STRUCT, 0, "", &[("y", int, 0), ("z", inner, 32)]);
    let union = w.composite(kind::UNION, 0, "", &[("x", int, 0), ("", deep, 0)]);
    let members = [
        ("first", int, 0),
        ("nested", inner, 64),
        ("", union, 128),
        ("link", pointer, 256),
        ("old", narrow, 320),
    ];
    w.composite(kind::STRUCT, 0, "outer", &members);
    let members = [("flagged", int, 4 << 24 | 32), ("odd", int, 36), ("plain", int, 64), ("in", inner, 96)];
    w.composite(kind::STRUCT, KIND_FLAG, "flags", &members);
    let params = [w.name("one"), int, w.name("two"), pointer];
    let proto = w.record(kind::FUNC_PROTO, 2, "", int, &params);
    w.record(kind::FUNC, 0, "tcp_sendmsg", proto, &[]);
    w.record(kind::FUNC, 0, "no_proto", int, &[]);
    w.record(kind::TYPEDEF, 0, "btf_trace_tcp_probe", pointer, &[]);
    let values = [w.name("SMALL"), 7, w.name("HIGH"), 0x8000_0000];
    w.record(kind::ENUM, 2, "unsigned_enum", 4, &values);
    w.record(kind::ENUM, 2 | KIND_FLAG, "signed_enum", 4, &values);
    let values = [w.name("WIDE"), 2, 1];
    w.record(kind::ENUM64, 1, "wide_enum", 8, &values);
    // The kinds that are only stepped over, then one more that must still be found.
    for (kind, tail) in [(3, [int, int, 4].as_slice()), (7, &[]), (14, &[0]), (16, &[]), (17, &[0])] {
        w.record(kind, 0, "", int, tail);
    }
    w.record(15, 1, ".data", 4, &[int, 0, 4]);
    w.composite(kind::UNION, 0, "last", &[("only", int, 0)]);
    w.finish()
}

#[test]
fn targets_keep_their_numbers_and_all_else_loses_its_name() {
    use targets::Target;
    for bytes in [sample(false), sample(true)] {
        let all = Btf::parse(&bytes).unwrap();
        let func = |name: &str| Target::Func(name.to_owned());
        let typedef = Target::of_hook(Attach::Tracepoint("tcp_probe")).unwrap();
        let wanted = [func("no_proto"), func("not_in_this_kernel"), typedef, Target::of_walk("tcp")];
        let bytes = targets::only(&all, wanted.into_iter());
        let few = Btf::parse(&bytes).unwrap();
        assert_eq!(few.func_id("no_proto"), all.func_id("no_proto"));
        assert_eq!(few.typedef_id("btf_trace_tcp_probe"), all.typedef_id("btf_trace_tcp_probe"));
        assert!(few.has_func("no_proto") && few.has_typedef("btf_trace_tcp_probe"));
        assert!(!few.has_func("tcp_sendmsg") && !few.has_func("not_in_this_kernel"));
        assert_eq!((few.struct_id("outer"), few.typedef_id("inner_t")), (None, None));
    }
}

#[test]
fn fields_are_found_in_both_byte_orders() {
    for bytes in [sample(false), sample(true)] {
        let btf = Btf::parse(&bytes).unwrap();
        let expected = [
            (("outer", "first"), 0),
            (("outer", "nested"), 8),
            (("outer", "nested.b"), 12),
            (("outer", "x"), 16),
            (("outer", "y"), 16),
            (("outer", "z"), 20),
            (("outer", "z.b"), 24),
            (("outer", "link"), 32),
            (("flags", "plain"), 8),
            (("flags", "in.b"), 16),
            (("last", "only"), 0),
        ];
        let (names, offsets): (Vec<_>, Vec<u32>) = expected.into_iter().unzip();
        assert_eq!(fields(&btf, &names), Ok(offsets));
    }
}

#[test]
fn what_is_missing_is_named() {
    let bytes = sample(false);
    let btf = Btf::parse(&bytes).unwrap();
    for path in ["absent", "nested.absent", "firs", "first.a", "link.a", "", "nested.", ".a", "first.."] {
        let error = btf.field_offset("outer", path).unwrap_err();
        assert_eq!(error, BtfError::NoField(format!("outer.{path}")));
    }
    assert_eq!(btf.field_offset("absent", "a"), Err(BtfError::NoStruct("absent".into())));
    assert_eq!(btf.field_offset("inner_t", "a"), Err(BtfError::NoStruct("inner_t".into())));
    let text = fields(&btf, &[("outer", "x"), ("outer", "bytes_acked")]).unwrap_err().to_string();
    assert!(text.starts_with("the kernel's BTF has no field outer.bytes_acked; flowtop needs"), "{text}");
}

#[test]
fn bit_fields_are_refused() {
    let bytes = sample(false);
    let btf = Btf::parse(&bytes).unwrap();
    for (owner, path) in [("flags", "flagged"), ("flags", "odd"), ("outer", "old")] {
        assert_eq!(btf.field_offset(owner, path), Err(BtfError::BitField(format!("{owner}.{path}"))));
    }
}

#[test]
fn functions_typedefs_and_enum_values_are_found() {
    let bytes = sample(true);
    let btf = Btf::parse(&bytes).unwrap();
    assert!(btf.has_func("tcp_sendmsg") && !btf.has_func("tcp_send") && !btf.has_func("inner"));
    assert_eq!(btf.func_param_count("tcp_sendmsg"), Some(2));
    assert_eq!(btf.func_param_count("no_proto"), None);
    assert_eq!(btf.func_param_count("absent"), None);
    assert!(btf.has_typedef("btf_trace_tcp_probe") && !btf.has_typedef("outer"));
    assert_eq!(btf.enum_value("unsigned_enum", "SMALL"), Some(7));
    assert_eq!(btf.enum_value("unsigned_enum", "HIGH"), Some(0x8000_0000));
    assert_eq!(btf.enum_value("signed_enum", "HIGH"), Some(0xffff_ffff_8000_0000));
    assert_eq!(btf.enum_value("wide_enum", "WIDE"), Some(0x1_0000_0002));
    assert_eq!(btf.enum_value("wide_enum", "SMALL"), None);
    assert_eq!(btf.enum_value("absent", "SMALL"), None);
}

#[test]
fn counts_above_16_bits_are_read() {
    let mut w = Writer::new(false);
    let params = vec![0; 2 * 0x1_0001];
    let proto = w.record(kind::FUNC_PROTO, 0x1_0001, "", 0, &params);
    w.record(kind::FUNC, 0, "long", proto, &[]);
    assert_eq!(Btf::parse(&w.finish()).unwrap().func_param_count("long"), Some(0x1_0001));
}

#[test]
fn a_longer_header_is_stepped_over() {
    let mut bytes = sample(false);
    bytes.splice(HEADER_BYTES..HEADER_BYTES, [0xff; 8]);
    bytes[4] += 8;
    assert_eq!(Btf::parse(&bytes).unwrap().field_offset("outer", "z.b"), Ok(24));
}

#[test]
fn a_cut_is_an_error_at_every_byte() {
    let bytes = sample(false);
    for len in 0..bytes.len() {
        assert_eq!(Btf::parse(&bytes[..len]).unwrap_err(), BtfError::Truncated(len));
    }
}

#[test]
fn damage_is_named() {
    let good = sample(false);
    let parse_with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Btf::parse(&bytes).unwrap_err()
    };
    assert_eq!(parse_with(0, 0x9e), BtfError::Magic);
    assert_eq!(parse_with(2, 2), BtfError::Version(2));
    assert_eq!(parse_with(good.len() - 1, b'x'), BtfError::Damaged("its last string has no end"));
    for kind in [0, 20, 0x7f] {
        // The kind is the upper byte of the second word of the first record.
        assert_eq!(
            parse_with(HEADER_BYTES + 7, kind),
            BtfError::UnknownKind { kind: kind.into(), type_id: 1 }
        );
    }
    let mut w = Writer::new(false);
    w.record(kind::STRUCT, 1, "cut", 4, &[0, 0]);
    assert_eq!(Btf::parse(&w.finish()).unwrap_err(), BtfError::Damaged("its last type is cut off"));
}

#[test]
fn types_that_go_in_circles_end() {
    let mut w = Writer::new(false);
    w.composite(kind::STRUCT, 0, "itself", &[("", 1, 0), ("", 1, 0), ("", 2, 0), ("bytes", 2, 0)]);
    w.record(kind::TYPEDEF, 0, "", 2, &[]);
    w.composite(kind::STRUCT, 0, "void", &[("bytes", 0, 0)]);
    w.composite(kind::STRUCT, 0, "far", &[("bytes", 99, 0)]);
    w.composite(kind::STRUCT, 0, "twice", &[("", 1, 0), ("", 5, 0)]);
    w.composite(kind::STRUCT, 0, "high", &[("", 7, 8)]);
    w.composite(kind::STRUCT, 0, "", &[("bytes", 7, u32::MAX)]);
    let bytes = w.finish();
    let btf = Btf::parse(&bytes).unwrap();
    for owner in ["itself", "void", "far", "twice", "high"] {
        let error = btf.field_offset(owner, "bytes").unwrap_err();
        assert!(matches!(error, BtfError::Damaged(_)), "{owner}: {error}");
    }
}

/// Asks everything of whatever `bytes` are; the answers do not matter, only that they come.
fn fields(btf: &Btf<'_>, fields: &[(&str, &str)]) -> Result<Vec<u32>, BtfError> {
    fields.iter().map(|(struct_name, path)| btf.field_offset(struct_name, path)).collect()
}

fn ask_everything(bytes: &[u8]) -> Result<(), BtfError> {
    let btf = Btf::parse(bytes)?;
    let _ = (btf.has_func("tcp_sendmsg"), btf.func_param_count("tcp_sendmsg"));
    let _ = (btf.enum_value("signed_enum", "HIGH"), btf.enum_value("wide_enum", "WIDE"));
    let _ = btf.has_typedef("btf_trace_tcp_probe");
    for path in ["first", "nested.b", "z.b", "link", "old"] {
        btf.field_offset("outer", path)?;
    }
    btf.field_offset("flags", "plain").map(|_| ())
}

proptest! {
    #[test]
    fn random_bytes_are_an_error(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(ask_everything(&bytes).is_err());
    }

    #[test]
    fn a_field_of_another_name_is_never_offset_0(at in 0..5usize, flip in 1..=255u8) {
        let mut bytes = sample(false);
        let name = bytes.windows(7).position(|window| window == b"\0first\0").unwrap() + 1;
        bytes[name + at] ^= flip;
        let btf = Btf::parse(&bytes).unwrap();
        prop_assert_eq!(btf.field_offset("outer", "first"), Err(BtfError::NoField("outer.first".into())));
    }
}

/// The same answer from another implementation.
mod running_kernel {
    use super::*;
    use btf_rs::{BtfType, Type as Other};

    fn members(btf: &btf_rs::Btf, of: &dyn BtfType) -> Vec<btf_rs::Member> {
        match btf.chained_type_iter(of).find_map(|found| match found {
            Other::Struct(found) | Other::Union(found) => Some(found),
            _ => None,
        }) {
            Some(found) => found.members,
            None => Vec::new(),
        }
    }

    fn bits(btf: &btf_rs::Btf, members: &[btf_rs::Member], path: &str) -> Option<u32> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        members.iter().find_map(|member| {
            let inside = |path| bits(btf, &self::members(btf, member), path);
            let behind = match (btf.resolve_name(member).unwrap_or_default(), rest) {
                (found, None) if found == name => Some(0),
                (found, Some(rest)) if found == name => inside(rest),
                (found, _) if found.is_empty() => inside(path),
                _ => None,
            };
            behind.map(|bits| bits + member.bit_offset())
        })
    }

    #[test]
    fn agrees_with_btf_rs() {
        let path = "/sys/kernel/btf/vmlinux";
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(why) => return super::skip::skip(format!("{path} cannot be read: {why}")),
        };
        let (ours, other) = (Btf::parse(&bytes).unwrap(), btf_rs::Btf::from_bytes(&bytes).unwrap());
        for (field, (owner, path)) in flowtop_common::Field::ALL {
            let place = match field {
                flowtop_common::Field::KernSock => {
                    let (offset, mask) = ours.bit(owner, path).unwrap();
                    assert_eq!(
                        ours.field_offset(owner, path),
                        Err(BtfError::BitField(format!("{owner}.{path}")))
                    );
                    offset * 8 + mask.trailing_zeros()
                }
                _ => ours.field_offset(owner, path).unwrap() * 8,
            };
            let found =
                other.resolve_types_by_name(owner).unwrap().into_iter().find_map(|found| match found {
                    Other::Struct(found) => bits(&other, &found.members, path),
                    _ => None,
                });
            assert_eq!(found, Some(place), "{owner}.{path}");
        }
        assert!(ours.has_func("tcp_sendmsg") && ours.has_typedef("btf_trace_inet_sock_set_state"));
        assert_eq!(ours.enum_value("bpf_func_id", "BPF_FUNC_map_lookup_elem"), Some(1));
    }
}
