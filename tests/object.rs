//! The contract of the committed BPF object, read as any user and without a BPF toolchain: it belongs to the sources
//! beside it, and it offers exactly what user space is written against.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aya_obj::Object;
use aya_obj::generated::bpf_map_type::{
    self, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_SK_STORAGE,
};
use flowtop_bpf::link::{Cast, Link};
use flowtop_common::{Admission, Allocation, Constant, Detail, Field, FlowKey, Loss, Slot, Untracked};
use xtask::provenance::{OBJECT, Provenance, inputs_sha256, sha256};

/// The programs with what they hook into. A kprobe's function is user space's choice.
const PROGRAMS: &[(&str, &str)] = &[
    ("acked_tp", "BtfTracePoint"),
    ("destroy", "BtfTracePoint"),
    ("empty", "BtfTracePoint"),
    ("holders", "Iter"),
    ("kernel_sockets", "Iter"),
    ("received_fentry", "FEntry"),
    ("received_kprobe", "KProbe"),
    ("received_tp", "BtfTracePoint"),
    ("send_kprobe", "KProbe"),
    ("sent_fexit", "FExit"),
    ("sent_kretprobe", "KRetProbe"),
    ("sent_map_fexit", "FExit"),
    ("sent_map_kretprobe", "KRetProbe"),
    ("sent_pages_fexit", "FExit"),
    ("sent_tp", "BtfTracePoint"),
    ("set_state", "BtfTracePoint"),
    ("sweep", "Iter"),
    ("visit", "Iter"),
];

/// Bytes that the kernel side remembers of a socket: four counters and four words. User space never reads them.
const SOCKET_STATE: usize = 4 * size_of::<u64>() + 4 * size_of::<u32>();

/// The maps with their types and the sizes of keys and values in bytes.
const MAPS: &[(&str, bpf_map_type, usize, usize)] = &[
    ("ADMISSION", BPF_MAP_TYPE_ARRAY, 4, size_of::<Admission>()),
    ("ALLOCATION", BPF_MAP_TYPE_ARRAY, 4, size_of::<Allocation>()),
    ("CALLS", BPF_MAP_TYPE_HASH, 8, 8),
    ("DETAILS", BPF_MAP_TYPE_ARRAY, 4, size_of::<Detail>()),
    ("FLOWS", BPF_MAP_TYPE_HASH, size_of::<FlowKey>(), 8),
    ("FREE", BPF_MAP_TYPE_ARRAY, 4, 8),
    ("LOSSES", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8),
    ("SLOTS", BPF_MAP_TYPE_ARRAY, 4, size_of::<Slot>()),
    ("SLOT_OF_SOCKET", BPF_MAP_TYPE_ARRAY, 4, 8),
    ("SOCKET_STORAGE", BPF_MAP_TYPE_SK_STORAGE, 4, SOCKET_STATE),
    ("SOCKET_TABLE", BPF_MAP_TYPE_HASH, 8, SOCKET_STATE),
    ("UNTRACKED", BPF_MAP_TYPE_ARRAY, 4, size_of::<Untracked>()),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn bytes() -> Vec<u8> {
    fs::read(root().join(OBJECT)).unwrap_or_else(|error| panic!("cannot read {OBJECT}: {error}"))
}

fn object() -> Object {
    Object::parse(&bytes()).unwrap_or_else(|error| panic!("{OBJECT} is no BPF object: {error}"))
}

#[test]
fn the_object_is_the_recorded_one() {
    let recorded = Provenance::read(root()).unwrap();
    assert_eq!(
        sha256(&bytes()),
        recorded.object_sha256,
        "{OBJECT} was replaced by hand; run `cargo xtask ebpf`"
    );
}

#[test]
fn the_object_was_built_from_these_sources() {
    let recorded = Provenance::read(root()).unwrap();
    let sources = inputs_sha256(root()).unwrap();
    assert_eq!(
        sources, recorded.inputs_sha256,
        "flowtop-ebpf or flowtop-common changed; run `cargo xtask ebpf`"
    );
}

#[test]
fn the_programs_are_exactly_these() {
    let kind = |section: String| section.split(' ').next().unwrap_or_default().to_owned();
    let programs = object().programs;
    let found: BTreeMap<_, _> =
        programs.into_iter().map(|(name, program)| (name, kind(format!("{:?}", program.section)))).collect();
    let wanted = PROGRAMS.iter().map(|&(name, kind)| (name.to_owned(), kind.to_owned())).collect();
    assert_eq!(found, wanted);
}

#[test]
fn the_maps_are_exactly_these() {
    // A name with a dot is a section with globals, which the loader makes a map of.
    let maps = object().maps.into_iter().filter(|(name, _)| !name.starts_with('.'));
    let found: BTreeMap<_, _> =
        maps.map(|(name, map)| (name, [map.map_type(), map.key_size(), map.value_size()])).collect();
    let sizes = |key: usize, value: usize| (u32::try_from(key).unwrap(), u32::try_from(value).unwrap());
    let wanted = MAPS.iter().map(|&(name, kind, key, value)| {
        let (key, value) = sizes(key, value);
        (name.to_owned(), [kind as u32, key, value])
    });
    assert_eq!(found, wanted.collect());
}

#[test]
fn losses_have_a_slot_each_and_there_is_one_reserved_entry() {
    let maps = object().maps;
    assert_eq!(usize::try_from(maps["LOSSES"].max_entries()).unwrap(), Loss::COUNT);
    assert_eq!(maps["UNTRACKED"].max_entries(), 1);
}

/// Numbers by which the instructions of the object tell what they want to know: see `flowtop_bpf::link`.
fn linked(offsets: &[u32]) -> (usize, Vec<u8>) {
    let mut object = bytes();
    let link = Link { offsets, constants: [1; Constant::COUNT], cast: Cast::Helper };
    let places = link.apply(&mut object).unwrap_or_else(|error| panic!("{error}"));
    (places, object)
}

#[test]
fn every_number_that_the_programs_want_is_known_and_lies_in_a_program() {
    let (places, linked) = linked(&[1; Field::COUNT]);
    let in_programs = |bytes: &[u8]| {
        let object = Object::parse(bytes).unwrap();
        let code = object.functions.into_values().flat_map(|function| function.instructions);
        code.map(|instruction| (instruction.code, instruction.imm)).collect::<Vec<_>>()
    };
    let changed = in_programs(&bytes()).into_iter().zip(in_programs(&linked)).filter(|(old, new)| old != new);
    assert!(places > Field::COUNT);
    assert_eq!(changed.count(), places);
}

#[test]
fn the_licence_allows_the_helpers_that_the_programs_call() {
    assert_eq!(object().license.to_str(), Ok("Dual MIT/GPL"));
}

#[test]
fn the_object_has_type_information_and_no_debug_information() {
    let object = object();
    assert!(object.btf.is_some() && object.btf_ext.is_some(), "{OBJECT} has no BTF");
    // The loader is not given the kernel's types.
    assert!(!object.has_btf_relocations(), "{OBJECT} refers to types of the kernel");
    let debug = b".debug_info";
    assert!(!bytes().windows(debug.len()).any(|window| window == debug), "{OBJECT} is not stripped");
}
