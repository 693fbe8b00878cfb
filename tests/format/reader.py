"""Reads recordings as docs/FORMAT.md describes them, with no code of flowtop, and prints one JSON object per record.

Usage: reader.py FILE...
"""

import ipaddress
import json
import re
import struct
import sys
import zlib

import zstandard

MAGIC = b"\xf1FLOW\r\n\x1a"
VERSION = 1
MOST_BYTES = 1 << 28
MOST_ROWS = 1 << 20
WORD = (1 << 64) - 1
BORN, PASSIVE, ENDED = 1, 4, 8
CLASS_ENDED, MOVED, SPREAD, AGED, REPEATED, GROWN = 1, 2, 4, 8, 16, 32
MS_NS, TWO_S_US = 10**6, 2 * 10**6


class Refused(Exception):
    """The record makes no sense."""


def frames(data):
    """Every intact frame of a file: its head, its name, its content. Damage is skipped."""
    at = 0
    while 0 <= at < len(data):
        length = frame_bytes(data, at)
        if length is None:
            at = data.find(MAGIC, at + 1)
            continue
        if struct.unpack_from("<H", data, at + 8)[0] == VERSION:
            yield data[at:at + length]
        at += length


def frame_bytes(data, at):
    """How long the frame is that begins there; None if there is no intact one."""
    if data[at:at + 8] != MAGIC or len(data) < at + 94:
        return None
    head_bytes, payload_bytes, _, payload_crc = struct.unpack_from("<HIII", data, at + 10)
    head, end = data[at:at + head_bytes], at + head_bytes + payload_bytes
    if not 94 <= head_bytes <= 4096 or payload_bytes > MOST_BYTES or end > len(data):
        return None
    if zlib.crc32(head[:-4]) != struct.unpack("<I", head[-4:])[0]:
        return None
    return end - at if zlib.crc32(data[at + head_bytes:end]) == payload_crc else None


def record(frame):
    head_bytes, _, content_bytes = struct.unpack_from("<HII", frame, 10)
    start_us, end_us, start_ns, end_ns, name_bytes = struct.unpack_from("<qqQQH", frame, 56)
    if content_bytes > MOST_BYTES:
        raise Refused("content_bytes")
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(frame[head_bytes:])
        content = reader.read(content_bytes + 1)
    except zstandard.ZstdError as error:
        raise Refused("compression") from error
    if len(content) > content_bytes:
        raise Refused("content_bytes")
    try:
        payload, _ = cbor(content, 0)
    except (IndexError, UnicodeDecodeError) as error:
        raise Refused("CBOR") from error
    return {
        "host": {
            "name": frame[90:90 + name_bytes].decode(errors="replace"),
            "machine_id": frame[24:40].hex(),
            "boot_id": frame[40:56].hex(),
        },
        "span": {"start_us": start_us, "end_us": end_us, "start_ns": start_ns, "end_ns": end_ns},
        **Payload(payload, start_ns, end_ns).all(),
    }


def cbor(data, at):
    """The item of CBOR that begins there, and where the next one begins. Definite lengths, and no floats or tags."""
    kind, size = data[at] >> 5, data[at] & 31
    at += 1
    if size >= 24:
        if size > 27:
            raise Refused("CBOR")
        width = 1 << (size - 24)
        size, at = int.from_bytes(data[at:at + width], "big"), at + width
    if kind in (2, 3):
        if at + size > len(data):
            raise Refused("CBOR")
        text = data[at:at + size]
        return (text if kind == 2 else text.decode()), at + size
    if kind == 4:
        items = []
        for _ in range(size):
            item, at = cbor(data, at)
            items.append(item)
        return items, at
    if kind == 5:
        pairs = {}
        for _ in range(size):
            key, at = cbor(data, at)
            pairs[key], at = cbor(data, at)
        return pairs, at
    if kind == 0:
        return size, at
    raise Refused("CBOR")


def varints(data):
    number, shift = 0, 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if shift == 70 and byte > 1:
            raise Refused("a number")
        if byte < 128:
            yield number
            number, shift = 0, 0


def from_bits(sizes, data):
    stream, at = int.from_bytes(data, "little"), 0
    for size in sizes:
        if size == 0:
            yield 0
            continue
        below = size - 1
        if size > 64 or at + below > 8 * len(data):
            raise Refused("a number")
        yield 1 << below | stream >> at & (1 << below) - 1
        at += below


def near(base, number):
    difference = -(number + 1) // 2 if number & 1 else number // 2
    return (base + difference) & WORD


def rank(number):
    shift = max(number.bit_length() - 5, 0)
    return 16 * shift + (number >> shift)


def ranked(number):
    shift = max(number // 16 - 1, 0)
    if shift > 59:
        raise Refused("a rounded number")
    return number - 16 * shift << shift


def limited(number, bits):
    if number >> bits:
        raise Refused("a number")
    return number


def entry(dictionary, number):
    if number >= len(dictionary):
        raise Refused("an index")
    return dictionary[number]


def addresses(data):
    found, at = [], 0
    while at < len(data):
        length = data[at]
        address = data[at + 1:at + 1 + length]
        if length not in (4, 16) or len(address) < length:
            raise Refused("addresses")
        if length == 16 and address[:12] == bytes(10) + b"\xff\xff":
            address = address[12:]
        found.append(str(ipaddress.ip_address(address)))
        at += 1 + length
    return found


IDENTITY_TEXTS = ("comm", "command", "user", "unit", "container_id", "container", "pod", "namespace", "cgroup")
REST_TEXTS = ("comm", "user", "unit", "container", "pod", "namespace")
RECORD_NUMBERS = (
    "tx_bytes", "rx_bytes", "untracked_flows", "untracked_tx_bytes", "untracked_rx_bytes", "untracked_mirrored_tx_bytes",
    "untracked_mirrored_rx_bytes", "unwritten", "table_used", "table_max",
)
INTERFACE_NUMBERS = ("tx_bytes", "rx_bytes", "tx_packets", "rx_packets", "tx_drops", "rx_drops")


# Kinds of limits whose value is a text, or a number; all that are not known are flags of a later flowtop.
FILTER, INTERFACE, NETWORK_V4, NETWORK_V6, IPV4_ONLY, IPV6_ONLY, PROCESS, CGROUP, MOUNT_NAMESPACE = range(1, 10)
FLAGS = {"-f": FILTER, "-i": INTERFACE, "-F": NETWORK_V4, "-G": NETWORK_V6, "-4": IPV4_ONLY, "-6": IPV6_ONLY,
         "--pid": PROCESS, "--cgroup": CGROUP, "--mntns": MOUNT_NAMESPACE}


def limit(kind, text=None, address=None, prefix_bits=0, number=0):
    """A setting that kept traffic out, with no more than what its kind has."""
    if kind in (NETWORK_V4, NETWORK_V6):
        family = 4 if kind == NETWORK_V4 else 6
        if address is None or family == 4 and ":" in address or not 1 <= prefix_bits <= (32 if family == 4 else 128):
            raise Refused("a network")
        return {"kind": kind, "address": address, "prefix_bits": prefix_bits}
    if kind in (IPV4_ONLY, IPV6_ONLY):
        return {"kind": kind}
    if kind in (PROCESS, MOUNT_NAMESPACE):
        return {"kind": kind, "number": number}
    if text is None:
        raise Refused("a limit")
    return {"kind": kind if kind in FLAGS.values() else 0, "text": text}


def limits_of_text(text):
    """The same from flags as they were typed: a flag ends before the next one, a filter with a quote."""
    flags = "|".join(FLAGS)
    word = re.compile(rf"(-f '.+?'|.+?)(?: (?=(?:-4|-6)(?: |$)|(?:{flags}) )|$)")
    return [limit_of_flag(found[1]) for found in word.finditer(text)]


def limit_of_flag(text):
    flag, _, value = text.partition(" ")
    kind = FLAGS.get(flag, 0)
    if kind in (INTERFACE, CGROUP):
        return limit(kind, text=value)
    if kind == FILTER and re.fullmatch("'.+'", value):
        return limit(kind, text=value[1:-1])
    if kind in (NETWORK_V4, NETWORK_V6):
        try:
            network = ipaddress.ip_network(value, strict=False)
            return limit(kind, address=str(network.network_address), prefix_bits=network.prefixlen)
        except ValueError:
            return limit(0, text=text)
    if kind in (IPV4_ONLY, IPV6_ONLY) and not value:
        return limit(kind)
    if kind in (PROCESS, MOUNT_NAMESPACE) and re.fullmatch("[0-9]+", value):
        return limit(kind, number=int(value))
    return limit(0, text=text)


class Payload:
    def __init__(self, payload, start_ns, end_ns):
        self.start_ns, self.end_ns = start_ns, end_ns
        self.sections = payload.get("sections", {})
        self.texts = payload.get("texts", [])
        self.addresses = addresses(payload.get("addresses", b""))
        comms = payload.get("comms", b"")
        if len(comms) % 16:
            raise Refused("comms")
        self.comms = [comms[at:at + 16].rstrip(b"\0").decode(errors="replace") for at in range(0, len(comms), 16)]
        self.netns = [row["inode"] for row in self.section("netns", [("inode", self.number("inode", 32))], {"inode": 0})]
        identity = self.optionals(IDENTITY_TEXTS) + [("mntns", self.set_mntns)] + self.later("workload") + [("uid", self.set_uid)]
        self.identities = self.section("identities", identity,
                                       dict.fromkeys(IDENTITY_TEXTS + ("mntns",)))
        self.owners = self.section("owners", [
            ("pid", self.number("pid", 32)),
            ("comm", self.index("comm", self.comms)),
            ("cgroup_id", self.number("cgroup_id")),
            ("identity", self.number("identity")),
        ], {"pid": 0, "comm": "", "cgroup_id": 0, "identity": 0})
        self.kinds = self.section("kinds", self.kind_columns(), NO_FLOW)

    def section(self, name, columns, empty, most=MOST_ROWS):
        """The rows of a section. A column is its name, what sets a number in a row, and its condition if there is one."""
        section = self.sections.get(name, {})
        count = sum(byte < 128 for byte in section.get(columns[0][0], b""))
        if count > most:
            raise Refused(name)
        rows = [dict(empty) for _ in range(count)]
        for column, set_number, *condition in columns:
            data = section.get(column)
            if data is None:
                continue
            # A column of bits has its second half beside it, unless it is empty.
            is_bits = (name, column) in BITS
            numbers = from_bits(data, section.get(column + "+", b"")) if is_bits else varints(data)
            above = empty
            for place, row in enumerate(rows):
                number = 0
                if data and (not condition or row["class"] & condition[0]):
                    number = next(numbers, None)
                    if number is None:
                        raise Refused(column)
                set_number(row, number, above, place)
                above = row
        return rows

    def number(self, field, bits=64):
        def set_number(row, number, _above, _place):
            row[field] = limited(number, bits)
        return set_number

    def added(self, field, bits=64):
        def add(row, number, _above, _place):
            row[field] = limited(row[field] + number, bits)
        return add

    def index(self, field, dictionary):
        def set_entry(row, number, _above, _place):
            row[field] = entry(dictionary, number)
        return set_entry

    def optional(self, field):
        def set_text(row, number, _above, _place):
            row[field] = None if number == 0 else entry(self.texts, number - 1)
        return set_text

    def optionals(self, fields):
        return [(field, self.optional(field)) for field in fields]

    def set_uid(self, row, number, _above, _place):
        if number:
            row["uid"] = limited(number - 1, 32)

    def later(self, *fields):
        """Texts that records have had since a later version: what is unknown is not in the row."""
        def column(field):
            def set_text(row, number, _above, _place):
                if number:
                    row[field] = entry(self.texts, number - 1)
            return field, set_text
        return [column(field) for field in fields]

    def near_field(self, field, base, bits=64):
        def set_number(row, number, _above, _place):
            row[field] = limited(near(base(row), number), bits)
        return set_number

    @staticmethod
    def set_mntns(row, number, _above, _place):
        row["mntns"] = number - 1 if number else None

    def kind_columns(self):
        def service_port(row, number, _above, _place):
            row["local_port" if row["flags"] & PASSIVE else "remote_port"] = limited(number, 16)

        def owner(row, number, _above, _place):
            owner = entry(self.owners, number)
            row.update({name: owner[name] for name in ("pid", "comm", "cgroup_id")})
            row["identity"] = entry(self.identities, owner["identity"] - 1) if owner["identity"] else None

        def remote_namespace(row, number, above, place):
            if row["remote_pod"] is not None:
                self.optional("remote_namespace")(row, number, above, place)

        def kept_out(row, number, _above, _place):
            row["tx_counts"], row["rx_counts"] = not number & 1, not number & 2

        def is_right(row, number, _above, _place):
            row["is_right"] = number != 0

        return [
            ("flags", self.number("flags", 32)),
            ("netns", self.index("netns", self.netns)),
            ("local_addr", self.index("local_addr", self.addresses)),
            ("service_port", service_port),
            ("family", self.number("family", 16)),
            ("owner", owner),
            ("users", self.number("users", 32)),
            ("label", self.index("label", self.texts)),
            ("remote_pod", self.optional("remote_pod")),
            ("remote_namespace", remote_namespace),
            ("kept_out", kept_out),
            ("is_right", is_right),
            *self.later("netns_pod", "netns_namespace"),
        ]

    def flow_columns(self):
        def kind(row, number, _above, _place):
            row.update(entry(self.kinds, number))

        def set_class(row, number, _above, _place):
            row["class"] = number
            row["flags"] |= ENDED if number & CLASS_ENDED else 0

        def set_id(row, number, above, _place):
            row["id"] = (above["id"] // MS_NS + number) * MS_NS & WORD

        def id_below(row, number, _above, _place):
            row["id"] = row["id"] + number & WORD

        def client_port(row, number, _above, _place):
            row["remote_port" if row["flags"] & PASSIVE else "local_port"] = limited(number, 16)

        def opened_ns(row, number, above, _place):
            row["opened_ns"] = near(row["id"] if row["flags"] & BORN else above["opened_ns"], number)

        def peer(row, number, _above, place):
            row["peer"] = limited(near(place, number - 1), 32) if number else None

        def peak(side):
            def set_peak(row, number, _above, _place):
                moved = row[f"{side}_bytes"]
                row[f"{side}_peak"] = ranked(rank(moved) - near(0, number) & WORD) if row["class"] & SPREAD else moved
            return set_peak

        def grown(field, base, bits=64):
            set_number = self.near_field(field, base, bits)
            return lambda row, *number: row["class"] & GROWN and set_number(row, *number)

        def segments(life, sent, received):
            full = lambda size: -(-size // 1448)
            return lambda row: full(row[sent]) + full(row[received]) // 2 if row["class"] & AGED else row[life]

        def srtt(row, number, _above, _place):
            row["srtt"] = limited(ranked(number), 32)

        def last(row, number, _above, _place):
            row["last_us"] = near(self.end_ns // 1000 // TWO_S_US, number) * TWO_S_US & WORD

        def last_below(row, number, _above, _place):
            row["last_us"] = row["last_us"] + number & WORD

        return [
            ("kind", kind),
            ("class", set_class),
            ("id", set_id),
            ("id_below", id_below),
            ("remote_addr", self.index("remote_addr", self.addresses)),
            ("client_port", client_port),
            ("opened_ns", opened_ns),
            ("peer", peer),
            ("state", self.near_field("state", lambda row: 7 if row["flags"] & ENDED else 1, 32)),
            ("uses", self.number("uses", 32)),
            ("tx_bytes", self.number("tx_bytes"), MOVED),
            ("rx_bytes", self.number("rx_bytes"), MOVED),
            ("tx_peak", peak("tx"), SPREAD),
            ("tx_peak_below", self.added("tx_peak"), SPREAD),
            ("rx_peak", peak("rx"), SPREAD),
            ("rx_peak_below", self.added("rx_peak"), SPREAD),
            ("tx_life", self.near_field("tx_life", lambda row: row["tx_bytes"]), AGED),
            ("rx_life", self.near_field("rx_life", lambda row: row["rx_bytes"]), AGED),
            ("retrans_bytes", self.number("retrans_bytes"), REPEATED),
            ("retrans_life", self.near_field("retrans_life", lambda row: row["retrans_bytes"]), REPEATED),
            ("sent_life", self.near_field("sent_life", lambda row: row["tx_life"] + row["retrans_life"])),
            ("tx_base", self.number("tx_base")),
            ("rx_base", self.number("rx_base")),
            ("segs_in", self.number("segs_in", 32)),
            ("segs_out", self.number("segs_out", 32)),
            ("retrans_segs", self.number("retrans_segs", 32), REPEATED),
            ("sent_bytes", grown("sent_bytes", lambda row: row["tx_bytes"] + row["retrans_bytes"]), GROWN),
            ("segs_in_now", grown("segs_in_now", segments("segs_in", "rx_bytes", "tx_bytes"), 32), GROWN),
            ("segs_out_now", grown("segs_out_now", segments("segs_out", "tx_bytes", "rx_bytes"), 32), GROWN),
            ("srtt", srtt),
            ("srtt_below", self.added("srtt", 32)),
            ("last", last),
            ("last_below_us", last_below),
        ]

    def all(self):
        numbers = lambda names, *narrow: [(name, self.number(name, 32 if name in narrow else 64)) for name in names]
        text = lambda name: (name, self.index(name, self.texts))
        rest = self.optionals(REST_TEXTS) + [text("label")] + numbers(
            ("flows", "tx_bytes", "rx_bytes", "retrans_bytes", "wire", "tx_wire", "rx_wire"), "flows")
        whole = {**dict.fromkeys(RECORD_NUMBERS, 0), "limits": ""}
        columns = numbers(RECORD_NUMBERS, "table_used", "table_max") + [text("limits")]

        def at_us(row, number, above, _place):
            row["at_us"] = near(above["at_us"], number)

        def start_ns(row, number, _above, _place):
            row["start_ns"] = self.start_ns - number & WORD

        flows = self.section("flows", self.flow_columns(), {**NO_FLOW, "class": 0})
        marks = self.section("turned_away", [("at_us", at_us)], {"at_us": 0})
        both = {"tx_bytes": 0, "rx_bytes": 0}
        limits = self.limits()
        gap = self.section("gap", [("length_ns", start_ns)] + numbers(both), {"start_ns": 0, **both}, most=1)
        return {
            "flows": [flow_as_told(flow) for flow in flows],
            "rest": [rest_as_told(row) for row in self.section("rest", rest, {
                **dict.fromkeys(REST_TEXTS), "label": "", "flows": 0, **both, "retrans_bytes": 0,
                "wire": 0, "tx_wire": 0, "rx_wire": 0})],
            "record": (self.section("record", columns, whole, most=1) or [whole])[0],
            "seconds": self.section("seconds", numbers(both), both),
            "losses": self.section("losses", [text("name"), ("count", self.number("count"))], {"name": "", "count": 0}),
            "interfaces": self.section("interfaces", [text("name")] + numbers(INTERFACE_NUMBERS), {
                "name": "", **dict.fromkeys(INTERFACE_NUMBERS, 0)}),
            "turned_away_us": [row["at_us"] - (row["at_us"] >> 63 << 64) for row in marks],
            "gap": gap[0] if gap else None,
            **({"limits": limits} if limits else {}),
        }

    def limits(self):
        """What kept traffic out: the section, or the text in `record` of recorders that did not write the section."""
        if "limits" not in self.sections:
            text = self.section("record", [("tx_bytes", self.number("tx_bytes")), ("limits", self.index("limits", self.texts))],
                                {"limits": ""}, most=1)
            return limits_of_text(text[0]["limits"]) if text else []

        def address(row, number, _above, _place):
            row["address"] = entry(self.addresses, number - 1) if number else None

        rows = self.section("limits", [
            ("kind", self.number("kind")),
            ("text", self.optional("text")),
            ("address", address),
            ("prefix_bits", self.number("prefix_bits", 8)),
            ("number", self.number("number")),
        ], {"kind": 0, "text": None, "address": None, "prefix_bits": 0, "number": 0})
        return [limit(**row) for row in rows]


NO_FLOW = {
    "flags": 0, "netns": 0, "family": 0, "local_addr": "::", "local_port": 0, "remote_addr": "::", "remote_port": 0,
    "id": 0, "pid": 0, "comm": "", "cgroup_id": 0, "identity": None, "users": 0, "label": "", "remote_pod": None,
    "remote_namespace": None, "tx_counts": True, "rx_counts": True, "is_right": False, "opened_ns": 0, "peer": None,
    "state": 0, "uses": 0, "tx_bytes": 0, "rx_bytes": 0, "tx_peak": 0, "rx_peak": 0, "tx_life": 0, "rx_life": 0,
    "retrans_bytes": 0, "retrans_life": 0, "sent_life": 0, "tx_base": 0, "rx_base": 0, "segs_in": 0, "segs_out": 0,
    "retrans_segs": 0, "srtt": 0, "last_us": 0, "sent_bytes": 0, "segs_in_now": 0, "segs_out_now": 0,
}


def flow_as_told(flow):
    """Without the class, and without what a record does not tell."""
    left_out = {"class"} if flow["class"] & GROWN else {"class", "sent_bytes", "segs_in_now", "segs_out_now"}
    return {name: value for name, value in flow.items() if name not in left_out}


def rest_as_told(rest):
    left_out = {"wire"} if rest["wire"] else {"wire", "tx_wire", "rx_wire"}
    return {name: value for name, value in rest.items() if name not in left_out}



BITS = {("flows", name) for name in (
    "id", "client_port", "tx_bytes", "rx_bytes", "tx_life", "rx_life", "segs_in", "segs_out", "last")}
BITS |= {("seconds", name) for name in ("tx_bytes", "rx_bytes")}

if __name__ == "__main__":
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            for frame in frames(file.read()):
                print(json.dumps(record(frame), sort_keys=True, ensure_ascii=False))
