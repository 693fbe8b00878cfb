"""Reads the outputs of a manifest with Python's csv and json and with DuckDB, and prints what is wrong with them.

The manifest is one JSON object on stdin; `tests/formats/manifest.rs` says what is in it. A line on stdout is a fault:
the file, the command line that wrote it, and what is wrong.
"""

import collections
import csv
import functools
import io
import ipaddress
import json
import math
import re
import sys
from datetime import datetime

import duckdb

# The fields of each key, and those of which there is one for each end that is on the host.
KEYS = {
    "flow": ["local_addr", "local_port", "remote_addr", "remote_port", "netns"],
    "peer": ["remote_addr"],
    "host": ["local_addr"],
    "local-port": ["local_port"],
    "remote-port": ["remote_port"],
    "process": ["pid", "comm"],
    "user": ["user"],
    "unit": ["unit"],
    "container": ["container_id", "container"],
    "pod": ["namespace", "pod"],
    "namespace": ["namespace"],
    "workload": ["namespace", "workload"],
    "netns": ["netns"],
    "netns-pod": ["netns_namespace", "netns_pod"],
    "label": ["label"],
    "remote-pod": ["remote_namespace", "remote_pod"],
}
KEYS_OF_ENDS = {"process", "user", "unit", "container", "pod", "namespace", "workload", "netns", "netns-pod"}
# What a sparse record tells of connections that it has summed up.
TOLD_OF_RESTS = {"process", "user", "unit", "container", "pod", "namespace", "label"}
# Rows of these keys are of one host in a report of several.
KEYS_OF_ONE_HOST = {"flow", "process", "netns"}

RATES = [f"{way}_rate_{seconds}s" for way in ("tx", "rx") for seconds in (2, 10, 40)]
WIRE = ["sent_bytes", "retrans_bytes", "retrans_segs", "tx_wire_bytes", "rx_wire_bytes"]
GROUP_SUMS = ["connections", "tx_bytes", "rx_bytes", *RATES, *WIRE, "owner"]
CHANGES = ["presence", "tx_bytes_before", "rx_bytes_before", "tx_bytes_more", "rx_bytes_more", "rate_more"]
REPORT_FRONT = ["time", "elapsed_s", "host", "start"]
PERIOD_FRONT = ["from", "to", "kind"]

# Fields that are not in the tables of docs/reference.md.
KINDS = {
    "time": "time", "start": "time", "from": "time", "to": "time", "elapsed_s": "number", "host": "text", "kind": "text",
    "node": "text?", "connections": "integer", "presence": "text", "tx_bytes_before": "integer",
    "rx_bytes_before": "integer", "tx_bytes_more": "signed", "rx_bytes_more": "signed", "rate_more": "signed number",
}
# Of a group these are not always known.
UNKNOWN_IN_GROUPS = {"netns", "owner", *WIRE}
# Of a connection whose left end is not on the host but inside of a border, none of the socket there.
UNKNOWN_BEHIND_A_BORDER = {"netns", "state", "owner", "users", "segs_in", "segs_out", *WIRE}

NUMBER = r"(0|[1-9][0-9]*)(\.[0-9]+)?"
PATTERNS = {
    "integer": r"0|[1-9][0-9]*",
    "signed": r"0|-?[1-9][0-9]*",
    "number": NUMBER,
    "signed number": "-?" + NUMBER,
    "boolean": "true|false",
}
TYPES = {
    "integer": int, "signed": int, "number": float, "signed number": float, "boolean": bool, "text": str, "time": str,
    "address": str, "net": str,
}
# What DuckDB may take a column for in which a value is known.
DUCKDB_TYPES = {
    "integer": {"BIGINT"}, "signed": {"BIGINT"}, "number": {"DOUBLE", "BIGINT"}, "signed number": {"DOUBLE", "BIGINT"},
    "boolean": {"BOOLEAN"}, "time": {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"},
}


class Fault(Exception):
    """Something in an output is not as it has to be."""


def check(is_right, what):
    if not is_right:
        raise Fault(what)


def check_same(found, expected, what):
    """Two lists in any order."""
    found, expected = (collections.Counter(map(repr, rows)) for rows in (found, expected))
    more, less = (list((a - b).elements()) for a, b in ((found, expected), (expected, found)))
    check(not more and not less, f"{what} there are {more} in place of {less}")


def columns(by):
    """The field of each value of the keys, each name once."""
    named = {}
    for key in by:
        if key.startswith("net/"):
            bits = int(key.removeprefix("net/"))
            name = "remote_net" if "remote_net" not in named else f"remote_net_{bits}"
            named[name] = bits
        else:
            named.update((field, None) for field in KEYS[key] if field not in named)
    return named


def groups_ends(by):
    return not KEYS_OF_ENDS.isdisjoint(by)


def guarded(text):
    """A text as it stands in CSV."""
    return "'" + text if text and text[0] in "=+-@\t\r" else text


def network(address, bits_v4):
    bits = bits_v4 if ":" not in address else 64
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


@functools.lru_cache(maxsize=None, typed=True)
def check_value(name, value, kind):
    """A value that has the type of its format already."""
    is_of_type = type(value) is TYPES[kind] or (kind == "number" and type(value) is int)
    check(is_of_type, f"{name} is {value!r}, which is no {kind}")
    try:
        if kind == "address":
            ipaddress.ip_address(value)
        elif kind == "net":
            ipaddress.ip_network(value)
        elif kind == "time":
            check(datetime.fromisoformat(value).tzinfo is not None, f"{name} has no zone")
    except ValueError as error:
        raise Fault(f"{name}: {error}") from error
    if kind == "number":
        check(math.isfinite(value) and value >= 0, f"{name} is {value}")


@functools.cache
def typed(name, text, kind):
    """A value of CSV, of which an empty one is not known."""
    pattern = PATTERNS.get(kind)
    if pattern is None or not text:
        return text or None
    check(re.fullmatch(pattern, text), f"{name} is {text!r}, which is no {kind}")
    return text == "true" if kind == "boolean" else TYPES[kind](text)


class Table:
    """The names of an output's rows, and the type of each."""

    def __init__(self, output, kinds):
        by, fields = output["by"], output["fields"]
        is_period = output["kind"] in ("report", "diff")
        self.is_of_groups = by is not None
        self.keys = list(columns(by)) if by else []
        if is_period:
            self.keys.insert(0, "node")
            rows = self.keys + list(kinds["sums"]) + (CHANGES if output["kind"] == "diff" else [])
        else:
            rows = self.keys + GROUP_SUMS if by else list(kinds["columns"])
        self.front = PERIOD_FRONT if is_period else REPORT_FRONT
        self.names = fields or rows
        # Without these nobody can tell which lines are rows, and what they add up to.
        self.is_whole = is_period or {"tx_bytes", "rx_bytes", "owner"} <= set(self.names)
        kinds = {**KINDS, **kinds["columns"], **(kinds["sums"] if is_period else {})}
        unknown = UNKNOWN_IN_GROUPS if by else UNKNOWN_BEHIND_A_BORDER if output["has_border"] else ()
        self.kinds = {name: self.kind(name, kinds, unknown) for name in (*self.front, *self.names)}

    @staticmethod
    def kind(name, kinds, unknown):
        """The type without its mark, and whether the value may be unknown."""
        if name.startswith("remote_net"):
            return "net", False
        kind = "address" if name in ("local_addr", "remote_addr") else kinds[name]
        return kind.removesuffix("?"), kind.endswith("?") or name in unknown

    def check_row(self, row, is_aside):
        for name, value in row.items():
            kind, may_be_unknown = self.kinds[name]
            if value is not None:
                check_value(name, value, kind)
            elif not may_be_unknown and not is_aside:
                raise Fault(f"{name} is not known")


# One report of an output: what stands in front of its rows, the rows, what stands beside them by its name, the totals.
Report = collections.namedtuple("Report", "front rows aside totals")

# What a line of CSV is that is no row, by the field that says so.
ASIDES = {"owner": {"untracked", "others", "local_twice", "summed_up"},
          "kind": {"others", "remainder", "untracked", "local_twice", "total"}}


class Csv:
    """An output in CSV, as Python's csv reads it."""

    def __init__(self, file, table):
        with open(file, encoding="utf-8", newline="") as lines:
            text = lines.read()
        check(text.endswith("\n") and "\0" not in text, "it does not end with a line")
        names, *self.lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        check(len(set(names)) == len(names), f"a name is there twice: {names}")
        expected = table.front + table.names
        check(names == expected, f"the names are {names} and not {expected}")
        for number, line in enumerate(self.lines, 2):
            check(len(line) == len(names), f"line {number} has {len(line)} values for {len(names)} names")
        self.names, self.table = names, table
        self.reports = self.split()

    def split(self):
        """The reports, told apart by what stands in front."""
        table = self.table
        said_by = next((name for name in ("kind", "owner") if name in self.names), None)
        front_names = table.front[:2] if said_by == "kind" else table.front
        kinds = [table.kinds[name][0] for name in self.names]
        reports = {}
        for line in self.lines:
            row = dict(zip(self.names, map(typed, self.names, line, kinds)))
            what = row[said_by] if said_by else None
            is_aside = what in ASIDES.get(said_by, ()) and not (what == "summed_up" and table.is_of_groups)
            table.check_row(row, is_aside or what == "summed_up" or not table.is_whole)
            front = tuple(row.pop(name) for name in front_names)
            report = reports.setdefault(front, Report(front, [], {}, None))
            if is_aside:
                check(what not in report.aside, f"{what} is there twice")
                report.aside[what] = row
            else:
                report.rows.append(row)
        return list(reports.values())


def unique(pairs):
    names = [name for name, _ in pairs]
    check(len(set(names)) == len(names), f"a name is there twice: {names}")
    return dict(pairs)


def no_constant(word):
    raise Fault(f"{word} is no JSON")


class Json:
    """An output in JSON, as Python's json reads it."""

    def __init__(self, file, table):
        with open(file, encoding="utf-8", newline="") as lines:
            text = lines.read()
        check(text.endswith("\n"), "it does not end with a line")
        read = functools.partial(json.loads, object_pairs_hook=unique, parse_constant=no_constant)
        self.table = table
        self.reports = [self.report(read(line)) for line in text.removesuffix("\n").split("\n")]

    def report(self, whole):
        is_period = "total" in whole
        front = tuple(whole[name] for name in (self.table.front[:2] if is_period else self.table.front))
        self.table.check_row(dict(zip(self.table.front, front)), False)
        if self.table.is_of_groups:
            check("flows" not in whole, "there are flows beside groups")
        rows = whole["groups" if self.table.is_of_groups else "flows"]
        names = self.table.names
        aside = {name: whole[name] for name in ("others", "remainder", "untracked", "local_twice", "summed_up", "total")
                 if name in whole}
        rows = [self.flat(row) if not self.table.is_of_groups else row for row in rows]
        for row in rows:
            check(list(row) == names, f"the names are {list(row)} and not {names}")
            self.table.check_row(row, row.get("owner") == "summed_up")
        return Report(front, rows, aside, whole["total" if is_period else "totals"])

    def flat(self, row):
        """A connection with the fields of its other end as CSV has them."""
        if "peer" not in row:
            return row
        row = dict(row)
        peer = row.pop("peer")
        of_peer = [name for name in self.table.names if name.startswith("peer_")]
        if peer is not None:
            check([f"peer_{name}" for name in peer] == of_peer, f"the other end has {list(peer)}")
        return row | {name: peer and peer[name.removeprefix("peer_")] for name in of_peer}


def amount(thing):
    return (thing["tx_bytes"], thing["rx_bytes"]) if thing else (0, 0)


def plus(*amounts):
    return tuple(sum(way) for way in zip((0, 0), *amounts))


def check_sums(report, totals):
    """The rows and what stands beside them are the totals, and what groups of ends count twice."""
    beside = [amount(report.aside.get(name)) for name in ("others", "remainder", "untracked", "summed_up")]
    found = plus(*map(amount, report.rows), *beside)
    expected = plus(totals, amount(report.aside.get("local_twice")))
    check(found == expected, f"the rows and what is beside them are {found} and not {expected}")


class Records:
    """What is in recordings."""

    def __init__(self, records):
        self.records = records
        self.sums = functools.cache(self.sums)
        self.period = functools.cache(self.period)

    def of_front(self, front):
        """The record of a report."""
        time, elapsed_s, host, start = front
        ms = [datetime.fromisoformat(text).timestamp() * 1000 for text in (time, start)]
        for number, record in enumerate(self.records):
            far = max(abs(a - b) for a, b in zip(ms, (record["end_us"] / 1000, record["start_us"] / 1000)))
            if host in (record["host"], guarded(record["host"])) and far < 1.5:
                check(math.isclose(elapsed_s, record["length_ns"] / 1e9, rel_tol=1e-9), "elapsed_s is another")
                return number
        raise Fault(f"there is no record of {front}")

    def sums(self, number, by):
        """The groups of a record: their keys and owner, connections, bytes and what was put on the wire."""
        groups = collections.defaultdict(lambda: [0] * (3 + len(WIRE)))
        for key, connections, tx, rx, wire in self.members(number, by, groups_ends(by)):
            group = groups[key]
            group[:3] = [group[0] + connections, group[1] + tx, group[2] + rx]
            for at, more in enumerate(wire or [None] * len(WIRE), 3):
                group[at] = None if more is None or group[at] is None else group[at] + more
        return [(*key, *sums) for key, sums in groups.items()]

    def members(self, number, by, ends):
        record = self.records[number]
        for end in record["ends"]:
            if (ends or not end["is_right"]) and end["tx_bytes"] + end["rx_bytes"] > 0:
                wire = [end[name] for name in WIRE]
                yield (*key_of(end, by), None), 1, end["tx_bytes"], end["rx_bytes"], wire
        for rest in record["rests"]:
            is_told = TOLD_OF_RESTS.issuperset(by)
            key = (*key_of(rest, by), None) if is_told else (*[None] * len(columns(by)), "summed_up")
            yield key, rest["flows"], rest["tx_bytes"], rest["rx_bytes"], None

    def period(self, by, numbers, ends):
        """The rows of a report on some records: host, keys, connections and bytes; and what is in no row."""
        rows, sockets = collections.defaultdict(lambda: [0, 0, 0]), set()
        remainder = (0, 0)
        for record in map(self.records.__getitem__, numbers):
            node = record["host"] if not KEYS_OF_ONE_HOST.isdisjoint(by) else None
            machine = record["machine"] if node else None
            for end in record["ends"]:
                if (end["is_right"] and not ends) or end["tx_bytes"] + end["rx_bytes"] == 0:
                    continue
                key = (machine, node, *key_of(end, by))
                socket = (record["machine"], end["socket"])
                # Of two ends on one host the left one is the connection.
                is_new = socket not in sockets and (ends or not end["is_right"])
                sockets.add(socket)
                row = rows[key]
                row[:] = [row[0] + is_new, row[1] + end["tx_bytes"], row[2] + end["rx_bytes"]]
            for rest in record["rests"]:
                if not TOLD_OF_RESTS.issuperset(by):
                    remainder = plus(remainder, amount(rest))
                    continue
                row = rows[(machine, node, *key_of(rest, by))]
                row[:] = [row[0] + rest["flows"], row[1] + rest["tx_bytes"], row[2] + rest["rx_bytes"]]
        return [(*key[1:], *sums) for key, sums in rows.items()], remainder

    def total(self, numbers):
        return plus(*(self.records[number]["totals"] for number in numbers))


def key_of(end, by):
    """What an end shows of the keys."""
    return tuple(end.get(name) if bits is None else network(end["remote_addr"], bits)
                 for name, bits in columns(by).items())


def as_csv(rows, table):
    """Rows as they stand in CSV, where an empty text and nothing are the same."""
    of_text = {name for name in table.names if table.kinds[name][0] == "text"}
    return [{name: (guarded(value) or None) if name in of_text and value is not None else value
             for name, value in row.items()} for row in rows]


class Reader:
    """Everything that is known while outputs are read."""

    def __init__(self, manifest):
        self.kinds = {name: dict(kinds) for name, kinds in manifest["kinds"].items()}
        self.outputs = manifest["outputs"]
        self.records = {name: Records(records) for name, records in manifest["records"].items()}
        self.demo_totals = set(map(tuple, manifest["demo_totals"]))
        self.demo_ends = manifest["demo_ends"]
        self.faults, self.read = 0, 0
        self.duckdb = duckdb.connect(config={"threads": 1})

    def run(self):
        for pair in self.outputs:
            read = {}
            for output in pair:
                try:
                    read[output["format"]] = self.check(output, read.get("json"))
                    self.read += 1
                except (Fault, ValueError, KeyError, TypeError, csv.Error, duckdb.Error) as error:
                    self.faults += 1
                    print(f"{output['file']}: {output['command']}: {type(error).__name__}: {error}")
        print(f"read {self.read} outputs", file=sys.stderr)

    def check(self, output, other):
        """One output; `other` is what the same command has said in JSON before."""
        table = Table(output, self.kinds)
        read = (Json if output["format"] == "json" else Csv)(output["file"], table)
        check(read.reports and all(report.rows for report in read.reports), "there are no rows")
        totals = []
        for at, report in enumerate(read.reports):
            # A moment is not there for a second run.
            of_other = other.reports[at] if other and output["kind"] != "live" else None
            if of_other is not None and table.is_whole:
                self.compare(report, of_other, table, output)
            total = self.totals(report, of_other)
            if table.is_whole and total is not None:
                check_sums(report, total)
            totals.append(total)
            {"replay": self.replay, "report": self.report, "diff": self.report, "live": self.live}[output["kind"]](
                output, report, table, total)
        self.check_duckdb(output, read, plus(*totals) if table.is_whole and None not in totals else None)
        return read

    @staticmethod
    def totals(report, of_other):
        if report.totals is not None:
            return amount(report.totals)
        if "total" in report.aside:
            return amount(report.aside["total"])
        return amount(of_other.totals) if of_other else None

    def compare(self, report, other, table, output):
        """CSV has the same rows as JSON."""
        rows = as_csv(other.rows, table)
        ours = [{name: row[name] for name in table.names} for row in report.rows]
        check(len(ours) == len(rows), f"there are {len(ours)} rows, and {len(rows)} in JSON")
        for row, same in zip(ours, rows):
            differs = {name: (row[name], same[name]) for name in table.names if (row[name] or None) != (same[name] or None)}
            check(not differs, f"a row differs from that in JSON: {differs}")
        aside = {name for name, it in other.aside.items() if it and any(amount(it))}
        check(aside == {name for name, it in report.aside.items() if any(amount(it))},
              f"{sorted(report.aside)} are beside the rows, and {sorted(other.aside)} in JSON")
        for name in aside:
            check(amount(report.aside[name]) == amount(other.aside[name]), f"{name} differs from that in JSON")

    def replay(self, output, report, table, total):
        records = self.records[output["records"]]
        number = records.of_front(report.front)
        record = records.records[number]
        if not output["is_exact"]:
            return
        if total is not None:
            check(total == tuple(record["totals"]), f"the totals are {total} and not {record['totals']}")
        if not table.is_whole:
            return
        elapsed_s = record["length_ns"] / 1e9
        for row in report.rows:
            for name in RATES:
                if name in row:
                    right = math.isclose(row[name] * elapsed_s, row[name[:2] + "_bytes"], rel_tol=1e-9)
                    check(right, f"{name} of {row}")
        is_csv = output["format"] == "csv"
        if output["by"] is None:
            self.flows(report, record, is_csv)
            return
        if output["fields"]:
            return
        text = guarded if is_csv else lambda text: text
        shown = lambda value: text(value) if isinstance(value, str) else value
        names = [*table.keys, "owner", "connections", "tx_bytes", "rx_bytes", *WIRE]
        found = [tuple(row[name] for name in names) for row in report.rows]
        expected = [tuple(map(shown, row)) for row in records.sums(number, tuple(output["by"]))]
        check_same(found, expected, "among the groups")
        if groups_ends(output["by"]):
            twice = plus(*(amount(end) for end in record["ends"] if end["is_right"]))
            check(amount(report.aside.get("local_twice")) == twice, f"local_twice is not {twice}")
        if output["by"] == ["process"]:
            pids = {end["pid"] for end in record["ends"] if end["tx_bytes"] + end["rx_bytes"] > 0}
            check(pids <= {row["pid"] for row in report.rows}, f"not every process of {pids} has a row")

    def flows(self, report, record, is_csv):
        """Every connection of a record, with its other end where that is here."""
        ends = record["ends"]
        expected = []
        for end in ends:
            if end["is_right"] or end["tx_bytes"] + end["rx_bytes"] == 0:
                continue
            peer = ends[end["peer"]] if end["peer"] is not None else {}
            of_peer = ["netns", "pid", "comm", "tx_bytes", "rx_bytes", "unit", "container", "pod", "namespace", "workload",
                       "netns_pod", "netns_namespace"]
            row = {name: value for name, value in end.items() if name not in ("is_right", "peer", "socket")}
            expected.append(row | {f"peer_{name}": peer.get(name) for name in of_peer})
        if is_csv:
            for row in expected:
                row.update((name, guarded(value)) for name, value in row.items() if isinstance(value, str))
        found = [{name: row[name] for name in expected[0] if name in row} for row in report.rows]
        expected = [{name: row[name] for name in found[0]} for row in expected]
        check_same(found, expected, "among the flows")

    def report(self, output, report, table, total):
        records = self.records[output["records"]]
        twice = amount(report.aside.get("local_twice"))
        numbers = range(len(records.records))
        if output["kind"] == "diff":
            before = [n for n in numbers if records.records[n]["window"] == 0]
            numbers = [n for n in numbers if records.records[n]["window"] == 1]
            self.check_before(report, records.total(before))
        for row in report.rows:
            self.check_derived(row, total)
        if output["seen_twice"] is not None:
            # From which of its ends a connection counts that two hosts have recorded is not said here.
            both = sum(records.total(numbers)) - output["seen_twice"]
            check(sum(total) == both, f"the total is {sum(total)} and not {both}")
            return
        if not output["is_exact"]:
            return
        check(total == records.total(numbers), f"the total is {total} and not {records.total(numbers)}")
        ends = groups_ends(output["by"])
        if ends:
            expected = plus(*(amount(end) for n in numbers for end in records.records[n]["ends"] if end["is_right"]))
            check(twice == expected, f"local_twice is {twice} and not {expected}")
        expected, remainder = records.period(tuple(output["by"]), tuple(numbers), ends)
        # What a period lacks that is compared with another is only in that one.
        rows = [row for row in report.rows if row["tx_bytes"] + row["rx_bytes"] > 0]
        names = [*table.keys, "connections", "tx_bytes", "rx_bytes"]
        found = [tuple(row[name] for name in names) for row in rows]
        if output["format"] == "csv":
            shown = lambda value: guarded(value) if isinstance(value, str) else value
            expected = [tuple(map(shown, row)) for row in expected]
        check_same(found, expected, "among the rows")
        check(amount(report.aside.get("remainder")) == remainder, f"the remainder is not {remainder}")

    @staticmethod
    def check_before(report, total):
        """The sums of the other period are its total as well."""
        before = lambda thing: (thing["tx_bytes_before"], thing["rx_bytes_before"]) if thing else (0, 0)
        beside = [before(report.aside.get(name)) for name in ("others", "remainder", "untracked")]
        found = plus(*map(before, report.rows), *beside)
        expected = plus(total, before(report.aside.get("local_twice")))
        check(found == expected, f"the rows of the other period are {found} and not {expected}")
        for row in report.rows:
            more = tuple(now - then for now, then in zip(amount(row), before(row)))
            check(more == (row["tx_bytes_more"], row["rx_bytes_more"]), f"what is more is not {more}")

    @staticmethod
    def check_derived(row, total):
        """What follows from the bytes of a row."""
        check(row["bytes"] == sum(amount(row)), f"bytes of {row}")
        for name, part, whole in [("tx_share", row["tx_bytes"], total[0]), ("rx_share", row["rx_bytes"], total[1]),
                                  ("share", row["bytes"], sum(total))]:
            right = row[name] is None if whole == 0 else math.isclose(row[name], part / whole, rel_tol=1e-9)
            check(right, f"{name} of {row}")

    def live(self, output, report, table, total):
        if not table.is_whole:
            return
        twice = amount(report.aside.get("local_twice"))
        beside = [amount(report.aside.get(name)) for name in ("others", "untracked", "summed_up")]
        rows = plus(*map(amount, report.rows), *beside)
        counted = (rows[0] - twice[0], rows[1] - twice[1])
        check(counted in self.demo_totals, f"the made-up traffic never was {counted}")
        if output["fields"]:
            return
        # A connection has what all keys show.
        by = tuple(output["by"] or KEYS)
        known = self.known(by, output["format"] == "csv")
        for row in report.rows:
            key = tuple(row[name] for name in columns(by))
            check(key in known, f"there is no end with {key}")

    @functools.cache
    def known(self, by, is_csv):
        """What the ends of the made-up traffic show of the keys."""
        shown = lambda value: guarded(value) if is_csv and isinstance(value, str) else value
        return {tuple(map(shown, key_of(end, by))) for end in self.demo_ends if groups_ends(by) or not end["is_right"]}

    def check_duckdb(self, output, read, total):
        """DuckDB finds the same names, types and sums by itself."""
        query = self.csv_query if output["format"] == "csv" else self.json_query
        found = query(output["file"], read)
        if total is not None:
            check(found == total, f"DuckDB adds up {found} and not {total}")

    def query(self, sums, columns, source, file):
        """The number of rows, two sums, and the other columns by their names."""
        sums = ", ".join(f"sum({it})::BIGINT" for it in sums)
        result = self.duckdb.execute(f"SELECT count(*), {sums}, {columns} FROM {source}", [file])
        names = [column[0] for column in result.description]
        [(count, tx, rx, *others)] = result.fetchall()
        return count, (tx, rx), dict(zip(names[3:], others, strict=True))

    def csv_query(self, file, read):
        sums = ["0", "0"]
        if read.table.is_whole:
            said_by = "kind" if "kind" in read.names else "owner"
            sign = f"CASE {said_by} WHEN 'local_twice' THEN -1 WHEN 'total' THEN 0 ELSE 1 END"
            sums = [f"{way}_bytes * {sign}" for way in ("tx", "rx")]
        count, found, types = self.query(
            sums, r"any_value(typeof(COLUMNS('(.*)'))) AS '\1'",
            "read_csv(?, header = true, strict_mode = true, sample_size = -1)", file)
        check(list(types) == read.names, f"DuckDB reads the names {list(types)}")
        check(count == len(read.lines), f"DuckDB reads {count} lines, and Python {len(read.lines)}")
        known = {name for name, values in zip(read.names, zip(*read.lines)) if any(values)}
        for name in known:
            wanted = DUCKDB_TYPES.get(read.table.kinds[name][0])
            check(wanted is None or types[name] in wanted, f"DuckDB takes {name} for {types[name]}")
        return found

    def json_query(self, file, read):
        rows = "groups" if read.table.is_of_groups else "flows"
        beside = {name for report in read.reports for name in report.aside if name != "total"}
        sums = []
        for way in ("tx_bytes", "rx_bytes"):
            terms = {f"list_sum([row.{way} for row in {rows}])": "+"}
            terms |= {f"{name}.{way}": "-" if name == "local_twice" else "+" for name in sorted(beside)}
            sums.append(" ".join(f"{sign} coalesce({term}, 0)" for term, sign in terms.items()))
        source = "read_json(?, format = 'newline_delimited', maximum_object_size = 67108864)"
        count, found, _ = self.query(sums if read.table.is_whole else ["0", "0"], f"any_value({rows})", source, file)
        check(count == len(read.reports), f"DuckDB reads {count} objects, and Python {len(read.reports)}")
        return found


reader = Reader(json.load(sys.stdin))
reader.run()
sys.exit(reader.faults > 0)
