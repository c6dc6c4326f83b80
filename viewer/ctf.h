/* SPDX-License-Identifier: MIT */
/*
 * ctf.h - a trace in the Common Trace Format: its streams, its metadata.
 *
 *   FOLDER/metadata      what the streams hold, in TSDL
 *   FOLDER/lane_0 ...    packets: header, context, events
 *
 * All is little-endian and aligned to bytes. Streams are written while events come, a packet at a
 * time, and the metadata at the end, when it is known which sites there are.
 */
#ifndef VIEWER_CTF_H
#define VIEWER_CTF_H

#include "viewer/columns.h"
#include "viewer/dump_reader.h"
#include "viewer/id_set.h"
#include "viewer/out.h"

#define CTF_MAGIC 0xC1FC1FC1u
#define CTF_UUID_BYTES 16
/* As a number that an event's header has. */
#define CTF_EVENT_ID_BYTES 4

/* Events that a lane has lost, between two moments. */
struct ctf_loss {
	int64_t first_ns, last_ns;
	uint64_t events;
};

struct ctf_stream {
	struct out packet;	   /* the events of the packet that is not written yet */
	uint64_t begin_ns, end_ns; /* of them */
	uint64_t last_ns;	   /* no later time is smaller: streams don't go back */
	uint64_t packets, discarded;
	struct ctf_loss *losses; /* by last_ns */
	size_t loss_count, loss_next;
};

/* Of one dump. */
struct ctf_trace {
	struct dump *dump;
	int folder; /* a descriptor, -1: none yet */
	unsigned char uuid[CTF_UUID_BYTES];
	struct ctf_stream *streams; /* of each lane, and of events of none that is known */
	size_t stream_count;
	struct id_set known_sites;
	const struct site **sites; /* that there are events of */
	size_t site_count, site_capacity;
	const struct columns *columns; /* fields that are wanted; NULL: all */
	struct out scratch, text;
};

/* 0 or a negative errno; ctf_trace_fini() is legal in any case, on one that is zeroed too. */
int ctf_trace_init(struct ctf_trace *trace, struct dump *dump, int folder,
		   const struct columns *columns);
void ctf_trace_fini(struct ctf_trace *trace);
int ctf_trace_event(struct ctf_trace *trace, struct record *record);
/* Writes what is left of the packets, the losses, and the metadata. */
int ctf_trace_end(struct ctf_trace *trace);

/* The metadata, as text. */
void ctf_write_metadata(struct out *out, const struct ctf_trace *trace);

/* How a field is written, by what its site says of it. */
enum ctf_type { CTF_UNSIGNED, CTF_SIGNED, CTF_POINTER, CTF_BOOL, CTF_REAL, CTF_STRING };
enum ctf_type ctf_type_of(enum field_type type);
/* A site that the dump does not describe: its values are one text. */
bool ctf_is_unknown(const struct site *site);

#endif
