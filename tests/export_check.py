#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""export_check.py FORMAT REFERENCE FILE - is what another program makes of FILE what `ttlog-view -o json` says?

REFERENCE has the JSON lines of the same dump, and REFERENCE.info what `--info -o json` says of it. Each reader
below gives events as dictionaries with the keys that its format carries; every one of them is compared, in order.
What a format is allowed to change (a NUL that ends a string, a number that has no room) is said where it does.
"""
import base64
import csv
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile

LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


def fail(*what):
    print("export_check:", *what)
    sys.exit(1)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, timeout=100, **options)
    if done.returncode:
        fail(command, done.returncode, done.stderr.decode(errors="replace"))
    return done


def schema():
    """exports.proto, compiled."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as folder:
        run("protoc", f"-I{here}", f"--python_out={folder}", f"{here}/exports.proto")
        sys.path.insert(0, folder)
        import exports_pb2
        return exports_pb2


# Where a NUL would be the end of a text, for some reader at least.
NO_NUL = ("csv", "sqlite", "ctf")


def sound(text):
    return text.replace("\0", "\ufffd") if kind in NO_NUL and isinstance(text, str) else text


# ---- what each format gives -------------------------------------------------------------------


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, strict=True):
            for key, cell in row.items():
                if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and key != "ts_ns":
                    fail("a formula:", key, cell)
                row[key] = cell[1:] if cell[:2] in ("'=", "'+", "'-", "'@", "'\t", "'\r") else cell
            yield {"ts": row["ts"], "ts_ns": row["ts_ns"], "seq": int(row["seq"]), "level": row["level"],
                   "target": row["target"], "msg": row["msg"], "tid": int(row["tid"]), "thread": row["thread"],
                   "service": row["service"], "host": row["host"], "file": row["file"], "line": int(row["line"]),
                   "func": row["func"], "fields": json.loads(row["fields"])}


def read_logfmt(path):
    """A reader of its own: key=value, the value bare or between quotes with JSON's escapes."""
    decoder = json.JSONDecoder()
    with open(path, newline="\n", encoding="utf-8") as file:
        for line in file:
            pairs, at, line = [], 0, line.rstrip("\n")
            while at < len(line):
                equals = line.index("=", at)
                key = line[at:equals]
                if not key or " " in key or '"' in key:
                    fail("not a key:", key)
                at = equals + 1
                if line[at:at + 1] == '"':
                    value, at = decoder.raw_decode(line, at)
                else:
                    end = line.find(" ", at)
                    end = len(line) if end < 0 else end
                    value, at = line[at:end], end
                if at < len(line) and line[at] != " ":
                    fail("no space behind", key, line)
                at += 1
                pairs.append((key, value))
            known = dict(reversed(pairs))
            yield {"ts": known["ts"], "level": known["level"].upper(), "target": known["target"], "msg": known["msg"],
                   "tid": int(known["tid"]), "thread": known["thread"], "service": known["service"],
                   "count": len(pairs)}


def any_value(any_):
    """What OTLP holds, from JSON as it is on the wire."""
    (kind, value), = any_.items()
    if kind == "intValue":
        if not isinstance(value, str):
            fail("an intValue that is no text:", value)
        return int(value)
    if kind == "bytesValue":
        return base64.b64decode(value, validate=True).hex()
    if kind == "doubleValue" and isinstance(value, str):
        return float(value.replace("Infinity", "inf"))
    return value


def otlp_events(logs):
    for resource in logs:
        about = dict(resource["resource"])
        for scope, records in resource["scopes"]:
            for record in records:
                own = record["attributes"]
                if len({key for key, _ in own}) != len(own):
                    fail("an attribute twice:", own)
                own = dict(own)
                yield {"ts_ns": str(record["time"]), "level": record["severity"], "target": scope, "msg": record["body"],
                       "seq": own["ttlog.seq"], "tid": own["thread.id"], "thread": own.get("thread.name", ""),
                       "file": own["code.file.path"], "line": own["code.line.number"],
                       "func": own["code.function.name"], "service": about["service.name"],
                       "host": about["host.name"], "pid": about["process.pid"],
                       "fields": {key: value for key, value in own.items()
                                  if not key.startswith(("thread.", "code.", "ttlog."))}}
                if record["number"] != 1 + 4 * LEVELS.index(record["severity"]):
                    fail("severity", record["number"], record["severity"])


def read_otlp(path):
    logs = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            for resource in json.loads(line)["resourceLogs"]:
                logs.append({"resource": [(a["key"], any_value(a["value"])) for a in resource["resource"]["attributes"]],
                             "scopes": [(scope["scope"]["name"],
                                         [{"time": int(r["timeUnixNano"]), "severity": r["severityText"],
                                           "number": r["severityNumber"], "body": any_value(r["body"]),
                                           "attributes": [(a["key"], any_value(a["value"])) for a in r["attributes"]]}
                                          for r in scope["logRecords"]]) for scope in resource["scopeLogs"]]})
    return sorted(otlp_events(logs), key=lambda event: event["seq"])


def no_unknown(message):
    if len(message.UnknownFields()) if hasattr(message, "UnknownFields") else 0:
        fail("a field of no known number in", message.DESCRIPTOR.name)
    for descriptor, value in message.ListFields():
        if descriptor.message_type:
            for each in value if descriptor.label == descriptor.LABEL_REPEATED else [value]:
                no_unknown(each)


def proto_value(any_):
    value = getattr(any_, any_.WhichOneof("value"))
    return value.hex() if isinstance(value, bytes) else value


def read_otlp_proto(path):
    data = schema().LogsData()
    with open(path, "rb") as file:
        data.ParseFromString(file.read())
    no_unknown(data)
    logs = [{"resource": [(a.key, proto_value(a.value)) for a in resource.resource.attributes],
             "scopes": [(scope.scope.name,
                         [{"time": r.time_unix_nano, "severity": r.severity_text, "number": r.severity_number,
                           "body": proto_value(r.body),
                           "attributes": [(a.key, proto_value(a.value)) for a in r.attributes]}
                          for r in scope.log_records]) for scope in resource.scope_logs]}
            for resource in data.resource_logs]
    return sorted(otlp_events(logs), key=lambda event: event["seq"])


def annotation(one):
    for kind in ("bool_value", "uint_value", "int_value", "double_value", "string_value"):
        if one.HasField(kind):
            return getattr(one, kind)
    return hex(one.pointer_value)


def read_perfetto(path):
    trace = schema().Trace()
    with open(path, "rb") as file:
        trace.ParseFromString(file.read())
    no_unknown(trace)
    names, categories, places, tracks, logs, stacks = {}, {}, {}, {}, [], {}
    for index, packet in enumerate(trace.packet):
        if packet.trusted_packet_sequence_id != 1 or packet.sequence_flags != (3 if index == 0 else 2):
            fail("packet", index, "is of no sequence, or clears it")
        for each in packet.interned_data.event_names:
            names[each.iid] = each.name
        for each in packet.interned_data.event_categories:
            categories[each.iid] = each.name
        for each in packet.interned_data.source_locations:
            places[each.iid] = each
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        logs += packet.android_log.events
    number = 0
    for packet in trace.packet:
        event = packet.track_event
        if not packet.HasField("track_event") or event.name:
            continue
        track, place, log = tracks[event.track_uuid], places[event.source_location_iid], logs[number]
        arguments = [(each.name, annotation(each)) for each in event.debug_annotations]
        if tracks[track.parent_uuid].process.process_name == "":
            fail("a thread without a process")
        depth = stacks.get(event.track_uuid, 0) + {1: 1, 2: -1, 3: 0}[event.type]
        if depth < 0:
            fail("a slice ends that was not begun")
        stacks[event.track_uuid] = depth
        if log.timestamp != packet.timestamp or (event.type != 2 and log.tag != categories[event.category_iids[0]]):
            fail("the log has another order")
        fields = dict(arguments[1:])
        msg = fields.pop("msg") if event.type == 2 else fields.pop("msg", names[event.name_iid])
        if not log.message.startswith(msg):
            fail("the log says", log.message)
        yield {"ts_ns": str(packet.timestamp), "level": arguments[0][1], "target": log.tag, "msg": msg, "tid": log.tid,
               "thread": track.thread.thread_name, "file": place.file_name, "line": place.line_number,
               "func": place.function_name, "fields": fields, "pid": track.thread.pid}
        number += 1
    if number != len(logs):
        fail(len(logs), "lines of the log,", number, "events")


def journal_text(value):
    """Text, or an array of numbers where the journal's reader saw bytes that are not."""
    return bytes(value).decode("utf-8", "replace") if isinstance(value, list) else value


def read_journal(path):
    done = run("/usr/lib/systemd/systemd-journal-remote", "-o", path + ".journal", path)
    lines = run("journalctl", "--file", path + ".journal", "-o", "json", "--all", "--no-pager").stdout.splitlines()
    entries = [json.loads(line) for line in lines]
    if any("FORGED" in key for entry in entries for key in entry):
        fail("a field that is not ours", done.stderr)
    deaths = [entry for entry in entries if entry.get("TTLOG_EVENT") == "death"]
    if [journal_text(entry["MESSAGE"]) for entry in deaths] != [INFO["cause"]["sentence"]]:
        fail("deaths:", deaths)
    for entry in entries:
        if entry in deaths:
            continue
        yield {"ts": None, "msg": journal_text(entry.get("MESSAGE", "")), "level": entry["TTLOG_LEVEL"],
               "target": journal_text(entry.get("TTLOG_TARGET", "")), "tid": int(entry["TID"]),
               "thread": journal_text(entry.get("TTLOG_THREAD", "")), "service": journal_text(entry["SYSLOG_IDENTIFIER"]),
               "host": journal_text(entry["_HOSTNAME"]), "pid": int(entry["_PID"]), "seq": int(entry["TTLOG_SEQ"]),
               "file": entry["CODE_FILE"], "line": int(entry["CODE_LINE"]), "func": entry["CODE_FUNC"],
               "us": int(entry["__REALTIME_TIMESTAMP"])}


def read_sqlite(path):
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    if database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        fail("the database is damaged")
    dump = database.execute("SELECT service, host, pid, sentence, overwritten, dropped FROM dumps").fetchall()
    if dump != [(INFO["service"], INFO["hostname"], INFO["pid"], INFO["cause"]["sentence"], INFO["overwritten"],
                 INFO["dropped"])]:
        fail("dumps:", dump, INFO)
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    if not {"events_by_time", "fields_by_name"} <= names:
        fail("indexes:", names)
    for row in database.execute("SELECT event, seq, ts_ns, ts, level, severity, target, msg, tid, thread, file, line, func,"
                                " fields FROM events ORDER BY event"):
        fields = {}
        for name, value in database.execute("SELECT name, value FROM fields WHERE event = ?", row[:1]):
            fields[name] = value.hex() if isinstance(value, bytes) else value
        yield {"seq": row[1], "ts_ns": str(row[2]), "ts": row[3], "level": row[4], "target": row[6], "msg": row[7],
               "tid": row[8], "thread": row[9], "file": row[10], "line": row[11], "func": row[12], "fields": fields}
        if row[4] != LEVELS[row[5]] or json.loads(row[13]).keys() != fields.keys():
            fail("severity or fields of", row)


def read_ctf(path):
    """Through babeltrace2's own bindings, which are what its command is made of."""
    import bt2
    lost = 0
    for message in bt2.TraceCollectionMessageIterator(path):
        if isinstance(message, bt2._DiscardedEventsMessageConst):
            lost += message.count
        if not isinstance(message, bt2._EventMessageConst):
            continue
        event = message.event
        target, msg = str(event.name).split(":", 1)
        context = event.common_context_field
        values = {str(name): (float(v) if isinstance(v, bt2._RealFieldConst) else str(v) if isinstance(
            v, bt2._StringFieldConst) else int(v)) for name, v in event.payload_field.items()} if event.payload_field else {}
        environment = event.stream.trace.environment
        yield {"ts_ns": str(message.default_clock_snapshot.ns_from_origin), "target": target,
               "msg": values.pop("msg", msg), "tid": int(context["vtid"]), "thread": str(context["procname"]),
               "pid": int(context["vpid"]), "seq": int(context["seq"]), "host": str(environment["hostname"]),
               "service": str(environment["service"]), "values": list(values.values())}
    if lost != INFO["overwritten"] + INFO["dropped"]:
        fail(lost, "events are discarded, of", INFO["overwritten"], "and", INFO["dropped"])


# ---- what it has to be ------------------------------------------------------------------------


def is_same(wanted, got):
    """A value as JSON has it, and one with its own type."""
    if wanted is None and isinstance(got, float):
        return not math.isfinite(got)
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted == bool(got)
    if isinstance(wanted, int) and isinstance(got, str):
        return str(wanted) == got  # of 64 bits, where only 63 have room
    if isinstance(wanted, float) and isinstance(got, (int, float)):
        return math.isclose(wanted, got, rel_tol=1e-6)
    return wanted == got


def compare(wanted, got, name):
    for key, value in got.items():
        if key == "fields":
            expected = wanted["fields"]
            if name == "perfetto":
                expected = {key: each for key, each in expected.items() if key != "msg"}
            for field, each in value.items():
                # In CSV they are JSON within a cell.
                if not is_same(expected[field] if kind == "csv" else sound(expected[field]), each):
                    fail(name, "field", repr(field), "is", repr(each), "and not", repr(expected[field]))
            if value.keys() != expected.keys():
                fail(name, "fields", value.keys(), expected.keys())
        elif key == "values":
            expected = list(wanted["fields"].values())
            for field, each in zip(expected, value):
                if isinstance(each, int) and isinstance(field, str):
                    each = hex(each)  # a pointer
                if not is_same(sound(field), each):
                    fail(name, "value", repr(each), "and not", repr(field))
            if len(value) != len(expected):
                fail(name, "values", value, expected)
        elif key == "count":
            if value != len(wanted["fields"]) + 8:
                fail(name, "pairs:", value)
        elif key == "us":
            if value != int(wanted["ts_ns"]) // 1000:
                fail(name, "time", value, wanted["ts_ns"])
        elif value is not None:
            expected = sound(wanted[key])
            if name == "ctf" and key in ("target", "msg", "host", "service"):
                # In the metadata: controls have no place there.
                expected = "".join(c if c >= " " and not "\x7f" <= c <= "\x9f" else "\ufffd" for c in expected)
                value = "".join(c if c >= " " and not "\x7f" <= c <= "\x9f" else "\ufffd" for c in value)
            if expected != value:
                fail(name, key, "is", repr(value), "and not", repr(expected))


kind, reference, path = sys.argv[1:]
with open(reference, encoding="utf-8") as file:
    events = [json.loads(line) for line in file]
with open(reference + ".info", encoding="utf-8") as file:
    INFO = json.load(file)
shown = list(globals()["read_" + kind.replace("-", "_")](path))
if len(shown) != len(events):
    fail(kind, "has", len(shown), "events, of", len(events))
if kind == "ctf":
    shown.sort(key=lambda event: event["seq"])
for one, other in zip(events, shown):
    compare(one, other, kind)
print(kind, len(shown))
