#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""hostile_dump.py FOLDER - writes dumps there in which every text is hostile, by dump_format.h alone.

Each text is a word of its own (fault1w, fault2w, ...) followed by what a terminal, a parser or a person could be led
astray by. Texts that a viewer knows (levels, types, ways to die) are as they have to be; in wild.bin these are hostile,
too. Prints the words of the others, but for those of texts that no viewer shows. In fault.lie the index has a batch of
one event more than there is; in fault.moved are so many that --diff has something to say of numbers and values.
"""
import os
import struct
import sys

NASTY = (b"=cmd|' /C calc'!A0 \x1b]0;owned\x07\x1b[2J\x1b[31m\r\n\tforged=\"1\" 'q' \\ ; -- </script> , %n%s $(id) "
         b"\x7f\x08 \xc2\x9b2J \xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8b\xd8\x9c \xff\xc0\x80\xed\xa0\x80 \xf0\x9f\x92\xa5")
MADE_NS = 1700000000 * 10**9


class Hostile:
    """A text that is to be made; `known` is what it is where a viewer is to know it."""

    def __init__(self, known=None, shown=True):
        self.known, self.shown = known, shown


class Maker:
    def __init__(self, name, wild):
        self.name, self.wild = name, wild
        self.count = 0
        self.words = []

    def text(self, shown):
        word = f"{self.name}{self.count}w"
        self.count += 1
        if shown:
            self.words.append(word)
        # In front, too, where a cell of a table begins.
        return b"=" + word.encode() + NASTY

    def head(self, major, number):
        if number < 24:
            return bytes([major << 5 | number])
        for extra, size in ((24, "B"), (25, "H"), (26, "I")):
            if number < 1 << 8 * struct.calcsize(size):
                return struct.pack(">B" + size, major << 5 | extra, number)
        return struct.pack(">BQ", major << 5 | 27, number)

    def string(self, data, major=3):
        return self.head(major, len(data)) + data

    def encode(self, item):
        if isinstance(item, Hostile):
            known = item.known is not None and not self.wild
            return self.string(item.known.encode() if known else self.text(item.shown))
        if isinstance(item, bool):
            return b"\xf5" if item else b"\xf4"
        if isinstance(item, float):
            return struct.pack(">Bd", 0xfb, item)
        if isinstance(item, int):
            return self.head(0, item) if item >= 0 else self.head(1, -1 - item)
        if isinstance(item, bytes):
            return self.string(item, 2)
        if isinstance(item, str):
            return self.string(item.encode())
        if isinstance(item, list):
            return self.head(4, len(item)) + b"".join(map(self.encode, item))
        return self.head(5, len(item)) + b"".join(self.encode(key) + self.encode(value) for key, value in item.items())


# ---- the file ---------------------------------------------------------------------------------


def xxh32(data):
    """Of less than 16 bytes."""
    primes = (2654435761, 2246822519, 3266489917, 668265263, 374761393)
    mask = 0xffffffff
    value = (primes[4] + len(data)) & mask
    for word, in struct.iter_unpack("<I", data[:len(data) & ~3]):
        value = (value + word * primes[2]) & mask
        value = ((value << 17 | value >> 15) & mask) * primes[3] & mask
    for byte in data[len(data) & ~3:]:
        value = (value + byte * primes[4]) & mask
        value = ((value << 11 | value >> 21) & mask) * primes[0] & mask
    value = (value ^ value >> 15) * primes[1] & mask
    value = (value ^ value >> 13) * primes[2] & mask
    return value ^ value >> 16


def frame(data):
    """An LZ4 frame of one block, not compressed."""
    descriptor = struct.pack("<BBQ", 0x68, 0x50, len(data))
    return (struct.pack("<I", 0x184D2204) + descriptor + bytes([xxh32(descriptor) >> 8 & 255]) +
            struct.pack("<I", 1 << 31 | len(data)) + data + bytes(4))


def skippable(magic, word, data):
    data = word + struct.pack("<HHI", 1, 1, 0) + data
    return struct.pack("<II", magic, len(data)) + data


# ---- what is in it, as dump_format.h says -----------------------------------------------------

H = Hostile
UNSEEN = Hostile(shown=False)


def actor(pid, text=H()):
    return {"pid": pid, "tid": pid, "uid": 1000, "gid": 1000, "comm": text, "cgroup_id": 7, "exe": text, "cgroup": text,
            "container_id": text, "container_runtime": text, "pod_uid": text,
            "parents": [{"pid": 2, "comm": text}, {"pid": 1, "comm": text}]}


def memory():
    return {"total_bytes": 5 << 20, "anonymous_bytes": 4 << 20, "file_bytes": 1 << 20, "shared_bytes": 0,
            "swap_bytes": 0, "peak_bytes": 6 << 20}


CAUSES = {
    "fault": {"signal": 11, "signal_name": H("SIGSEGV"), "code": 1, "code_name": H("SEGV_MAPERR"), "core_dumped": True,
              "fault_address": 0, "ip": 0x401010, "sp": 0x407000, "thread": actor(4245)},
    "signal": {"signal": 9, "signal_name": H("SIGKILL"), "code": 0, "code_name": H("SI_USER"), "sender": actor(99)},
    "oom": {"signal": 9, "signal_name": H("SIGKILL"),
            "oom": {"trigger": actor(77), "limit_bytes": 6 << 20, "usage_bytes": 6 << 20, "limit_level": 1,
                    "limit_cgroup_id": 9, "limit_cgroup": H(), **memory()}},
    "parent_death": {"signal": 9, "signal_name": H("SIGKILL"), "sender": actor(98)},
    "alive": {},
}

TRIGGERS = {
    "event": {"time_ns": MADE_NS + 2000, "tid": 4242, "site": 2, "thread": H(), "level": H("ERROR"), "target": H(),
              "message": H(), "values": H()},
    "memory": {"percent": 92, "percent_wanted": 90, "usage_bytes": 94, "limit_bytes": 102},
    "operator": {"uid": 0},
    "group": {"first_pid": 12, "first_service": H()},
}

# Where an address may be: in code, in a stack, in a file; with a code that has no words of its own.
for place, address in (("code", 0x401800), ("stack", 0x407010), ("mapping", 0x500800)):
    CAUSES[place] = {**CAUSES["fault"], "fault_address": address, "code_name": H()}
TYPES = ["str", "str", "istr", "bytes", "bool", "char", "u64", "i64", "f64", "ptr"]


def way(how):
    return "fault" if how in ("code", "stack", "mapping") else how


def summary(how):
    return {"signature": H("0123456789abcdef"), "service": H(), "pid": 4242, "created_at": UNSEEN,
            "created_ns": MADE_NS + 10**9, "reason": H(), "how": H(way(how)), "events": 5, "uid": 1000, "sentence": H(),
            "loop": H(), "loop_since_ns": MADE_NS, "loop_count": 3, "set": UNSEEN, "set_role": H("first")}


def metadata(how, trigger):
    meta = {
        "ttlog": 1, "service": H(), "hostname": H(), "pid": 4242, "created_at": H(), "created_ns": MADE_NS + 10**9,
        "reason": H(), "events": 5, "overwritten": 10, "dropped": 0, "truncated": 1, "torn": 0,
        "cause": {"how": H(way(how)), "confidence": H("high"), "sentence": H(),
                  "evidence": [{"kind": UNSEEN, "time_ns": 1, "sender": actor(5, UNSEEN)}], **CAUSES[how]},
        "process": {"comm": H(), "exe": H(), "cmdline": H(), "cwd": H(), "cgroup": H(), "container_id": H(),
                    "container_runtime": H(), "pod_uid": H(), "uid": 1000, "gid": 1000, "ppid": 1, "ns_pid": 1,
                    "start_ns": MADE_NS - 10**9, "limits": {H(): [5, "unlimited"], "core": [0, H("unlimited")]},
                    "memory": memory(), "memory_at_death": memory()},
        "group": {"set": H(), "role": H("died" if trigger is None else "alive"), "by": H("declared"), "name": H(),
                  "first_pid": 12, "first_service": H(), "first_sentence": H(), "copied": 1, "left_out": 1},
        "threads": [{"tid": 4242 + i, "name": H(), "events": 2, "first_ns": MADE_NS, "last_ns": MADE_NS + 5}
                    for i in range(2)],
        "lanes": [{"name": name, "events": 3, "overwritten": 5, "overwritten_first_ns": MADE_NS - 9,
                   "overwritten_last_ns": MADE_NS - 5, "dropped": 2, "dropped_first_ns": MADE_NS + 1,
                   "dropped_last_ns": MADE_NS + 2} for name in (H("main"), H("alert"), H())],
        "history": {"budget_bytes": 99, "bytes": 9, "gaps": [{"lane": 2, "events": 4, "first_ns": MADE_NS - 3,
                                                              "last_ns": MADE_NS - 2}]},
        "channels": {"open": 1, "opened": 2, "replaced": 1, "refused": 1,
                     "list": [{"name": H(), "events": 1, "budget_bytes": 64, "overwritten": 3, "opened_ns": MADE_NS}]},
        "clock": {"source": H("tsc"), "mode": H("exact"), "error_ns": 1, "points": [[0, 0, MADE_NS]]},
        "recorder": {"version": H(), "rung": H("ebpf"), "found": H("adopted"), "region_bytes": 1 << 20},
    }
    if how != "alive":
        meta["death_ns"] = MADE_NS + 3000
    if trigger:
        meta["trigger"] = {"kind": H(trigger), "rule": H(), "called": H() if trigger == "operator" else UNSEEN, **TRIGGERS[trigger]}
    return meta


def scene():
    return {"scene": {"threads": 2, "threads_left_out": 3, "pages_left_out": 4, "modules_left_out": 5,
                      "modules_cut": True, "fault_mapping": {"start": 0x500000, "end": 0x40101000, "offset": 0, "path": H(),
                                                             "access": H("r--p")}},
            "modules": [{"start": 0x401000, "end": 0x402000, "offset": 0, "inode": 5, "major": 8, "minor": 1,
                         "build_id": b"\xab\xcd", "path": H()},
                        {"start": 0x601000, "end": 0x602000, "offset": 0, "inode": 6, "major": 8, "minor": 1,
                         "path": H()}]}


def scene_thread(tid, fatal):
    return {"scene_thread": {
        "tid": tid, "name": H(), "fatal": fatal, "registers": {"rip": 0x401010, "rsp": 0x407000, H(): 1},
        "fault_address": 0, "error_code": 6, "trap": 14, "code_address": 0x400ff0, "code": b"\x90\xc3" * 32,
        "slices": [[0x407000, bytes(64)]], "note": H(),
        "frames": [{"pc": 0x401010, "module": 0, "offset": 16, "symbol": H(), "symbol_offset": 4, "function": H(),
                    "file": H(), "line": 7, "column": 1, "inline": True, "activation": True},
                   {"pc": 0x401020, "module": 0, "offset": 32, "symbol": H(), "symbol_offset": 4},
                   {"pc": 0x401030, "module": 0, "offset": 48, "guessed": True},
                   {"pc": 0x601010, "module": 1, "offset": 16}]}}


def dictionary():
    def site(level, message, fields, printf=False):
        return {"level": H(level), "target": H(), "message": message, "file": H(), "function": H(), "line": 7,
                "printf": printf, "fields": fields}
    return {"sites": {1: site("INFO", H(), [[H(), H(kind)] for kind in TYPES]),
                      2: site("ERROR", H(), [["n", H("i64")], ["peer", H("str")]]),
                      3: site("WARN", H("%s of %d%%: %s"), [["", H("str")], ["", H("i64")], ["", H("str")]], True),
                      4: site("NONE", H(), [["span", H("str")], ["a b", H("type")]])},
            "strings": {100: H()}}


def events():
    return {"seq": 0, "events": [
        [MADE_NS, 0, 0, 0, 1, H(), b"=\x1b[2J\xff\n", 100, b"=\x1b[2J", True, 0x1b, 1, -1, 0.5, 4096],
        [MADE_NS + 1000, 1, 1, 2, 1, H(), H(), 7, b"", False, 0x9b, 2, -2, float("nan"), 0],
        [MADE_NS + 2000, 0, 1, 1, 2, 5, H()],
        [MADE_NS + 3000, 1, 2, 4, 3, 0, H(), -5, H()],
        [MADE_NS + 4000, 5, 9, 0, 4, "begin", H(), H(), [UNSEEN], {UNSEEN: UNSEEN}],
    ]}


def moved():
    """A hundred of one site, half of them in the last microsecond before the death, with other values in these."""
    def values(i):
        late = i >= 50
        return [(b"late" if late else b"early") + NASTY, b"=\x1b[2J", 100, b"x", late, 0x1b,
                i % 7 * (100 if late else 1), -1, 0.5, 4096]
    return {"seq": 0, "events": [[MADE_NS + 1000 + 20 * i, 0, 0, 0, 1] + values(i) for i in range(100)]}


def make(name, how, trigger=None, wild=False, batch=None, indexed_more=0):
    maker = Maker(name, wild)
    data = skippable(0x184D2A50, b"TTLOGDMP", maker.encode(summary(how)))
    for part in (metadata(how, trigger), scene(), scene_thread(4245, True), scene_thread(4242, False), dictionary()):
        data += frame(maker.encode(part))
    at = len(data)
    batch = batch or events()
    count = len(batch["events"])
    data += frame(maker.encode(batch))
    index = {"batches": [[at, 0, count + indexed_more, MADE_NS, MADE_NS + 4000]], "events": count}
    data += skippable(0x184D2A5F, b"TTLOGIDX", maker.encode(index))
    with open(os.path.join(os.fsencode(sys.argv[1]), (name if "." in name else name + ".bin").encode()), "wb") as file:
        file.write(data)
    if not wild and "." not in name:
        print(*maker.words, sep="\n")


for kind in CAUSES:
    if kind != "alive":
        make(kind, kind)
for kind in TRIGGERS:
    make(kind, "alive", kind)
make("wild", "fault", "event", True)
make("fault.lie", "fault", wild=True, indexed_more=1)
make("fault.moved", "fault", batch=moved())
