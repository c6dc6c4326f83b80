# SPDX-License-Identifier: MIT
# The events of a dump as dicts, without ttlog: lz4 -dc DUMP | python3 events.py
import sys
import cbor2

sites, strings, lines = {}, {}, sys.stdin.buffer
while lines.peek(1):
    item = cbor2.load(lines)
    sites.update(item.get("sites", {}))
    strings.update(item.get("strings", {}))
    events = item["events"] if "seq" in item else []  # only a batch has both
    for seq, (time_ns, thread, lane, flags, site, *values) in enumerate(events, item.get("seq", 0)):
        what, values = sites[site], values[1:] if flags & 4 else values
        fields = {name: strings.get(value, value) if kind == "istr" else value
                  for (name, kind), value in zip(what["fields"], values)}
        print({"seq": seq, "time_ns": time_ns, "level": what["level"], "msg": what["message"], **fields})
