/* SPDX-License-Identifier: MIT */
/*
 * dump_format.h - the dump: what the recorder writes and a viewer reads, years later, elsewhere.
 *
 * The promise
 *
 *   The file opens without us: standard LZ4 frames around a CBOR sequence (RFC 8742). `lz4 -dc FILE`
 *   and any CBOR reader show everything. A file cut anywhere gives all batches before the cut. The
 *   file is as hostile as any other: a reader bounds every length, depth and count.
 *
 * The drawing, from the first byte
 *
 *   skippable LZ4 frame (magic 0x184D2A50)    "TTLOGDMP", u16 version, u16 compatible (both little
 *                                             endian), u32 zero, then the summary: one CBOR map
 *   LZ4 frame                                 the metadata: one CBOR map
 *   LZ4 frame ...                             the scene of a death: one CBOR map; then one CBOR map in a
 *                                             frame of its own for each thread
 *   LZ4 frame ...                             the dictionary: one CBOR map, more when it is large
 *   LZ4 frame ...                             a batch of events: one CBOR map each, in time order
 *   skippable LZ4 frame (magic 0x184D2A5F)    "TTLOGIDX", u16 version, u16 compatible, u32 zero, then
 *                                             the index: one CBOR map
 *
 *   LZ4 frames have independent blocks of 256 KiB, a checksum on each block and one on the content,
 *   and the content size, so that each frame can be read, checked and salvaged by itself. Skippable
 *   frames are ignored by every LZ4 reader. All maps have definite lengths and text keys; a reader
 *   skips the keys that it does not know.
 *
 * summary   (for whoever looks at many dumps; "signature" is always the first key)
 *   "signature": text              16 hexadecimal digits: which bug it was. Dumps with the same cause, of
 *                                  the same build, from the same place have the same; all zeros: not
 *                                  known, as in a file that was cut off. Older dumps have none
 *   "service", "pid", "created_at", "created_ns", "reason", "how", "events": as in the metadata
 *   "uid": int                     of the process
 *   "sentence": text               as in the cause, cut to DUMP_SUMMARY_TEXT_MAX bytes
 *   "loop": text, "loop_since_ns": int, "loop_count": int    in a crash loop (a service that dies, is
 *                                  started again and dies in the same way): which one, when it began, and
 *                                  the how-manieth death this was, counting those without a dump
 *   "start_ns": int                as in the process; and of a death, as in the cause and the metadata,
 *                                  "death_ns", "signal", "exit_code", "fault_address": int,
 *                                  "confidence": text
 *   "set", "set_role": text        as in the metadata's group
 *
 * metadata  (keys that do not apply are missing; *_ns are nanoseconds since 1970 unless they say
 *           otherwise; all integers)
 *   "ttlog": 1                     the format's version, again
 *   "service", "hostname": text
 *   "pid": int                     in the recorder's pid namespace
 *   "created_at": text             RFC 3339, UTC, 6 digits; "created_ns": the same as a number
 *   "reason": text                 as in the file's name: "sigsegv", "exit-0", "snapshot-checkpoint"
 *   "events", "overwritten", "dropped", "truncated", "torn": int
 *   "death_ns": int                the fatal signal, or group dead if there was none; missing in the
 *                                  dump of a living process. Times "relative to the death" count from it
 *   "cause": map
 *       "how": text                "exit", "fault", "abort", "signal", "oom", "cgroup_kill",
 *                                  "parent_death", "pidns_death", "rlimit_cpu", "seccomp", "exec",
 *                                  "unknown", "alive" (a snapshot), and more in later versions
 *       "confidence": text         "high", "medium", "low"
 *       "sentence": text           the same for people: "killed by SIGKILL from bash (pid 12, uid 0)"
 *       "signal": int, "signal_name": text, "code": int, "code_name": text, "core_dumped": bool
 *                                  code and its name are missing if no siginfo was seen
 *       "exit_code": int           the exit status, 0 to 255
 *       "fault_address", "ip", "sp": int
 *       "stack_overflow": true     a fault because the stack was used up
 *       "raised_again": true       a fault that a handler took, and then sent to itself to die of it:
 *                                  signal, code and address are those of the fault
 *       "by_tracer": true          the sender is a debugger, which put the signal there by ptrace(2)
 *       "unwatched": true          it was dead before a recorder watched it (its ring was kept, or found,
 *                                  meanwhile): there is no evidence, no sender, no scene, and no death_ns
 *       "sender": map              {"pid", "tid", "uid", "gid": int, "comm": text, "cgroup_id": int}, and
 *                                  of that moment {"exe", "cgroup": text, "parents": array of {"pid":
 *                                  int, "comm": text}, nearest first}; by the cgroup's name, if it has
 *                                  them, {"container_id", "container_runtime", "pod_uid": text}.
 *                                  With parent_death and pidns_death it is who died
 *       "thread": map              the first of these, for the thread that faulted or called abort
 *       "oom": map                 with "oom": {"trigger": a map like sender, who asked for memory when
 *                                  there was none; "total_bytes", "anonymous_bytes", "file_bytes",
 *                                  "shared_bytes", "swap_bytes": int, of the victim; and if a memory
 *                                  cgroup of it was full "limit_bytes", "usage_bytes", "limit_level"
 *                                  (how far above its own), "limit_cgroup_id": int, "limit_cgroup": text}
 *       "evidence": array          what the kernel said, oldest first: maps with the names of the
 *                                  fields of struct ttlog_bpf_event, with the sender as above, and
 *                                  "memory": a map like oom's; their times are CLOCK_MONOTONIC
 *       "evidence_forgotten", "evidence_lost": int
 *   "trigger": map                 what led to the dump of a living process, as far as it is known:
 *       "kind": text               "event", "memory", "interval" (each a rule's), "heartbeat" (none came),
 *                                  "program" (it asked itself), "operator", "periodic" (as it wished when
 *                                  it registered), "group" (one that it works with has died), and more
 *                                  in later versions
 *       "rule", "called": text     the name of the rule; what who asked called it
 *       with event                 "time_ns", "tid", "site": int, which is that event's among the events
 *                                  (if it is still there); "thread", "level", "target", "message",
 *                                  "values" ("seconds=0.7 who=alice"): text, cut if it is long
 *       with memory                "percent" (in use, of the limit), "percent_wanted" (by the rule),
 *                                  "usage_bytes", "limit_bytes": int
 *       with interval, periodic    "every_ms": int
 *       with heartbeat             "silent_ms", "promised_ms": int
 *       with operator              "uid": int
 *       with group                 "first_pid": int, "first_service": text
 *   "process": map                 {"comm", "exe", "cmdline", "cwd", "cgroup", "container_id",
 *                                  "container_runtime", "pod_uid": text, "uid", "gid", "ppid", "ns_pid"
 *                                  (in its own pid namespace), "start_ns": int, "limits": map, by the
 *                                  names of setrlimit(2), of [soft, hard], each int or "unlimited",
 *                                  "memory": map}; read when the process registered. The environment is
 *                                  nowhere. "memory_at_death": map. Both are {"total_bytes",
 *                                  "anonymous_bytes", "file_bytes", "shared_bytes", "swap_bytes",
 *                                  "peak_bytes" (resident, the most at a time): int}
 *   "group": map                   missing if the dump is of no set: of a death, and of those who worked
 *                                  with who died. {"set": text (its name, the same in all of its dumps),
 *                                  "role": text ("first": it died, and so there is a set; "died" soon
 *                                  after; "alive": it lived, and was copied), "by": text ("declared",
 *                                  "cgroup", "pod", "family"), "name": text (of the group, the path of
 *                                  the cgroup, the pod's uid), and of who died first "first_pid": int,
 *                                  "first_service", "first_sentence": text; "copied", "left_out": int
 *                                  (of the living)}
 *   "threads": array               maps {"tid": int, "name": text, "events": int, "first_ns",
 *                                  "last_ns": int}; an event names a thread by its index here. At most
 *                                  DUMP_THREADS_MAX; an index beyond is a thread of no known name
 *   "threads_unlisted": int        how many those are
 *   "lanes": array                 maps {"name": text, "events", "overwritten", "dropped",
 *                                  "truncated", "recycled": int, "overwritten_first_ns",
 *                                  "overwritten_last_ns", "dropped_first_ns", "dropped_last_ns": int};
 *                                  an event names a lane by its index here
 *   "history": map                 {"budget_bytes", "bytes": int, "gaps": array}; only where the recorder
 *                                  kept what the ring no longer held: then events of both are in the
 *                                  batches, and "overwritten" counts those that neither had. The gaps
 *                                  are maps {"lane" (index), "events", "first_ns", "last_ns": int}: so
 *                                  many of them are missing between two that are there, and none of
 *                                  these was recorded before or after; by lane, then by time
 *   "channels": map                {"open": int (at the end), "opened" (ever), "replaced" (closed ones
 *                                  that gave way), "refused" (for want of memory): int, "list": array,
 *                                  "unlisted": int}; missing if the process wanted none. The list has
 *                                  those that have events or lost some, maps {"name": text, "events",
 *                                  "budget_bytes", "overwritten", "diverted" (sent to it, but in another
 *                                  lane), "opened_ns", "closed_ns", "overwritten_first_ns",
 *                                  "overwritten_last_ns", "diverted_first_ns", "diverted_last_ns": int},
 *                                  without those that are 0; an event names a channel by its index here.
 *                                  At most DUMP_CHANNELS_MAX, as with threads
 *   "clock": map                   {"source": "tsc" | "cntvct" | "monotonic", "mode": "exact" | "sparse" |
 *                                  "coarse", "error_ns": int, "points": [[ticks, monotonic ns, realtime
 *                                  ns], ...]}: what the times were made from, oldest first. Monotonic
 *                                  time is straight between two points; the wall clock is ahead of it
 *                                  by what it was at the newest point that is not later. error_ns: what
 *                                  the events' times may be wrong by, beside what "mode" says of them:
 *                                  exact (or missing): each has a reading of its own. sparse: those
 *                                  without have the one before of their thread. coarse: all may be some
 *                                  ms old, or as old as with sparse where no recorder ran. In the lanes
 *                                  alert, alert_large, nested and channel each has its own in any mode
 *   "recorder": map                {"version", "rung", "found": text, "region_bytes", "dict_full":
 *                                  int}. rung: "ebpf", "ebpf-late-freeze", "pidfd": what deaths were seen
 *                                  with. found: "adopted" (the ring was taken from the process), "kept"
 *                                  (the service manager had it); missing: a hello brought it
 *
 * scene  (none of a living process, or where there was no kernel program to see it; a frame is known by
 *           the first key of its map, and a reader steps over one that it does not know. It and its
 *           threads follow each other, anywhere behind the metadata: they come when they are unwound)
 *   "scene": map                   {"threads": int (frames that follow), "threads_left_out",
 *                                  "pages_left_out" (of stacks, 4 KiB each), "modules_left_out": int,
 *                                  "modules_cut" (the kernel did not tell of all mappings at the death:
 *                                  those that were known before are among them): true, or missing,
 *                                  "fault_mapping" (what has the address of the fault; missing: nothing, or
 *                                  the kernel could not be asked): {"start", "end", "offset": int, "path":
 *                                  text ("[heap]", "[stack]"; missing: memory without a file), "access":
 *                                  text, as in /proc/PID/maps: "r--p"}}
 *   "modules": array               what was mapped to execute, by address: maps {"start", "end",
 *                                  "offset" (of start in the file), "inode", "major", "minor": int,
 *                                  "build_id": bytes, "path": text}. The path is the process's own
 *
 * scene thread  (the one that faulted, or took the fatal signal, first)
 *   "scene_thread": map            {"tid": int, "name": text, "fatal": bool, and where it was:
 *       "registers": map           name -> int; "rax" ... "r15", "rip", or "x0" ... "x30", "sp", "pc"
 *       "fs_base": int             x86-64
 *       "fault_address", "error_code", "trap": int     of its last fault, as the processor said
 *       "alternate_stack", "alternate_stack_bytes": int    of sigaltstack()
 *       "interrupted_sp": int      the stack pointer before a handler on the alternate stack began
 *       "code_address": int, "code": bytes             around the program counter
 *       "slices": array            [[address, bytes], ...], by address: of its stack, and of the one
 *                                  that a handler interrupted; pages that were not in memory are missing,
 *                                  and where the environment was there are zeros
 *       "frames": array            innermost first, maps {"pc": int, "module": int (index), "offset":
 *                                  int (in the module, as its ELF headers number addresses), "symbol":
 *                                  text, "symbol_offset": int, "function", "file": text, "line",
 *                                  "column": int, "inline" (the function below was inlined into it),
 *                                  "activation" (pc is where it was, not where it returns to),
 *                                  "guessed" (may be wrong): true}; missing: not unwound
 *       "note": text               why the frames end where they do, or why there are none
 *   }
 *
 * threads   (only in what is read while it is written, of a living process: those that the metadata could
 *           not know; an array as in the metadata, whose indices go on in it)
 *   "threads": array
 *
 * dictionary  (each of its frames has both)
 *   "sites": map                   id -> {"level", "target", "message", "file", "function": text,
 *                                  "line": int, "printf": bool, "fields": [[name, type], ...]}
 *   "strings": map                 id -> text, interned strings
 *   types: "bool" "char" "i8" "u8" "i16" "u16" "i32" "u32" "i64" "u64" "f32" "f64" "str" "bytes" "ptr"
 *   "istr"; levels: "TRACE" "DEBUG" "INFO" "WARN" "ERROR" "FATAL"
 *
 * batch
 *   "seq": int                     number of its first event; the first of a dump is 0
 *   "events": array of arrays      [time_ns, thread index, lane index, flags, site id, value ...],
 *                                  with flag 4 a channel index between site id and values
 *   A value is: bool as bool; char, pointers and interned strings (their id) as unsigned integers,
 *   integers as integers, f32 as half/single float, f64 as double, str as text when it is UTF-8 and as
 *   a byte string when it is not, bytes as a byte string. flags: 1 = a string was cut, 2 = the time
 *   was carried over from an earlier reading of the clock, 4 = it was sent to a channel. Events are in the order in which they were
 *   recorded; time_ns goes back where somebody set the wall clock back, and nowhere else.
 *
 * index     {"batches": [[file offset of the frame, seq, events, first time_ns, last time_ns], ...],
 *           "events": int}; a reader may do without it
 *
 * Names     ttlog-<pid>-<YYYYMMDDHHMMSS>-<reason>.bin, UTC, "-2", "-3" ... before .bin when it is taken
 *
 * Versions  `version` goes up with a change that a reader can notice, `compatible` is the oldest reader
 *           that may still read it. Golden dumps of every released version are in tests/golden.
 */
#ifndef DUMP_FORMAT_H
#define DUMP_FORMAT_H

#define DUMP_VERSION 1
#define DUMP_COMPATIBLE 1

#define DUMP_SKIPPABLE_HEAD 0x184D2A50u
#define DUMP_SKIPPABLE_INDEX 0x184D2A5Fu
#define DUMP_MAGIC_HEAD "TTLOGDMP" /* 8 bytes, no NUL */
#define DUMP_MAGIC_INDEX "TTLOGIDX"
#define DUMP_MAGIC_BYTES 8
#define DUMP_PREFIX_BYTES 16 /* magic, version, compatible, zero */

/*
 * Where the digits of the summary's signature are in the file. Their frame has no checksum: they are
 * written when all the rest is there.
 */
#define DUMP_SIGNATURE_OFFSET 36
#define DUMP_SIGNATURE_DIGITS 16
#define DUMP_SUMMARY_TEXT_MAX 240
#define DUMP_SET_BYTES 96 /* of its name, with a NUL */
#define DUMP_SUMMARY_BYTES_MAX (4u << 10) /* a reader refuses more */

/* A writer starts a new batch when either is reached. */
#define DUMP_BATCH_EVENTS 4096
#define DUMP_BATCH_BYTES (256u << 10)

/* A reader refuses more. */
#define DUMP_FRAME_BYTES_MAX (64u << 20) /* of content */
#define DUMP_DEPTH_MAX 16
#define DUMP_TEXT_BYTES_MAX (1u << 20)
#define DUMP_FIELDS_MAX 64
#define DUMP_THREADS_MAX 65536
#define DUMP_LANES_MAX 64
#define DUMP_CHANNELS_MAX 131072
#define DUMP_GAPS_MAX 4096
#define DUMP_IDS_MAX (1u << 20) /* of sites and strings */
#define DUMP_SCENE_THREADS_MAX 1024
#define DUMP_SCENE_MODULES_MAX 4096
#define DUMP_SCENE_FRAMES_MAX 1024
#define DUMP_SCENE_SLICES_MAX 64
#define DUMP_SCENE_REGISTERS_MAX 64
#define DUMP_SCENE_BYTES_MAX (64u << 20) /* of all its frames' content */
#define DUMP_EVENT_FIXED 5 /* array elements before the values */

#define DUMP_EVENT_TRUNCATED 1u
#define DUMP_EVENT_CARRIED 2u
#define DUMP_EVENT_CHANNEL 4u

_Static_assert(DUMP_BATCH_BYTES * 4 < DUMP_FRAME_BYTES_MAX, "what is written can be read");

#endif
