//! Group keys of a recorded socket, as `rows::key` has them of a live one.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use flowtop_core::flow::Tuple;
use flowtop_core::group::{Key, masked};
use flowtop_core::owner::comm_text;
use flowtop_core::owner::{Identity, Pod, Seen};
use flowtop_core::record::FlowRecord;
use flowtop_core::rows::key::Cell;

type Texts<'a> = [Option<&'a str>; 2];

/// The name of the process: the one it had then; the kernel's name if its files could not be read.
pub(super) fn comm(flow: &FlowRecord) -> Option<Cow<'_, str>> {
    let now = flow.identity.as_deref().and_then(|identity| identity.comm.as_deref());
    now.map(Cow::Borrowed).or_else(|| comm_text(&flow.flow.comm).map(Cow::Owned))
}

fn pid(flow: &FlowRecord) -> Option<u32> {
    Seen::of(&flow.flow).number()
}

/// The texts of a key that has some, of a process whose files could be read.
fn named(key: Key, flow: &FlowRecord) -> Option<Texts<'_>> {
    let of = |texts: fn(&Identity) -> Texts<'_>| Some(flow.identity.as_deref().map_or([None; 2], texts));
    match key {
        Key::Label => Some([Some(&flow.label), None]),
        Key::RemotePod => Some(pod(flow.remote_pod.as_deref())),
        Key::NetnsPod => Some(pod(flow.netns_pod.as_deref())),
        Key::User => of(|identity| [identity.user.as_deref(), None]),
        Key::Unit => of(|identity| [identity.unit.as_deref(), None]),
        Key::Namespace => of(|identity| [identity.namespace.as_deref(), None]),
        Key::Container => of(|identity| [identity.short_container_id(), identity.container.as_deref()]),
        Key::Workload => of(|identity| [identity.namespace.as_deref(), identity.workload()]),
        Key::Pod => of(|identity| [identity.namespace.as_deref(), identity.pod.as_deref()]),
        _ => None,
    }
}

fn pod(pod: Option<&Pod>) -> Texts<'_> {
    [pod.and_then(|pod| pod.namespace.as_deref()), pod.map(|pod| pod.name.as_str())]
}

/// The cell of a key. `word` makes texts.
pub(super) fn of(key: Key, flow: &FlowRecord, mut word: impl FnMut(&str) -> Arc<str>) -> Cell {
    let Tuple { local, remote } = flow.tuple();
    match key {
        Key::Flow => Cell::Flow(flow.tuple(), Some(flow.key.netns)),
        Key::Peer => Cell::Address(remote.ip()),
        Key::Host => Cell::Address(local.ip()),
        Key::LocalPort => Cell::Port(local.port()),
        Key::RemotePort => Cell::Port(remote.port()),
        Key::Netns => Cell::Netns(Some(flow.key.netns)),
        Key::Net(bits) => net(remote.ip(), bits),
        Key::Process => Cell::Process(pid(flow), comm(flow).map(|comm| word(&comm))),
        _ => Cell::named(key, named(key, flow).unwrap_or_default().map(|text| text.map(&mut word))),
    }
}

fn net(address: IpAddr, bits: u8) -> Cell {
    let (network, bits) = masked(address, bits);
    Cell::Net(network, bits)
}

/// Whether [`of`] would yield this cell. Asked of every socket of every record, so without making it.
pub(super) fn is(cell: &Cell, key: Key, flow: &FlowRecord) -> bool {
    match cell {
        Cell::Process(known, name) => *known == pid(flow) && name.as_deref() == comm(flow).as_deref(),
        Cell::Name(name) => named(key, flow).is_some_and(|[known, _]| name.as_deref() == known),
        Cell::Names(names) => {
            named(key, flow).is_some_and(|known| names.each_ref().map(|name| name.as_deref()) == known)
        }
        // These are of the socket's own identity.
        Cell::Flow(..) | Cell::Address(_) | Cell::Port(_) | Cell::Netns(_) | Cell::Net(..) => true,
    }
}
