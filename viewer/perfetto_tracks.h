/* SPDX-License-Identifier: MIT */
/*
 * perfetto_tracks.h - the tracks of a trace: who has one, which number, and what was said of it
 * already.
 *
 * Numbers of messages' fields are those of Perfetto's trace_packet.proto and what it includes;
 * names beside them.
 */
#ifndef VIEWER_PERFETTO_TRACKS_H
#define VIEWER_PERFETTO_TRACKS_H

#include "viewer/dump_reader.h"
#include "viewer/id_set.h"
#include "viewer/out.h"

/* Trace */
#define TRACE_PACKET 1
/* TracePacket */
#define PACKET_CLOCK_SNAPSHOT 6
#define PACKET_TIMESTAMP 8
#define PACKET_SEQUENCE_ID 10
#define PACKET_TRACK_EVENT 11
#define PACKET_INTERNED_DATA 12
#define PACKET_SEQUENCE_FLAGS 13
#define PACKET_ANDROID_LOG 39
#define PACKET_TRACK_DESCRIPTOR 60
#define SEQUENCE_STATE_CLEARED 1
#define SEQUENCE_NEEDS_STATE 2
/* TrackEvent */
#define EVENT_CATEGORY_IIDS 3
#define EVENT_DEBUG_ANNOTATIONS 4
#define EVENT_TYPE 9
#define EVENT_NAME_IID 10
#define EVENT_TRACK_UUID 11
#define EVENT_CATEGORIES 22
#define EVENT_NAME 23
#define EVENT_SOURCE_LOCATION_IID 34
#define TYPE_SLICE_BEGIN 1
#define TYPE_SLICE_END 2
#define TYPE_INSTANT 3

struct perfetto_track {
	bool described;
	uint32_t open; /* slices */
};

/* Of one dump. */
struct perfetto_process {
	const struct dump *dump;
	uint64_t uuid; /* of the process; its threads' follow */
	bool described;
	struct perfetto_track *tracks; /* of each thread of the list, and one for those beyond */
	struct id_set known_sites;
};

struct perfetto {
	struct out *out;
	const struct columns *columns;
	struct out packet, message, part, detail, scratch; /* each within the one before */
	struct perfetto_process *processes;
	size_t process_count, newest;
	struct out logs; /* of a packet that is not yet written */
	bool begun;
};

/* The packet that was put together: with the time, and as one of the only sequence. */
void perfetto_put_packet(struct perfetto *perfetto, int64_t ns, uint64_t flags);

/* NULL: no memory. Describes the process with its first event. */
struct perfetto_process *perfetto_process(struct perfetto *perfetto, const struct event *event);
/* Describes the thread with its first event. */
struct perfetto_track *perfetto_track(struct perfetto *perfetto, struct perfetto_process *process,
				      const struct event *event, uint64_t *ret_uuid);
/* An event's name, category and place are said once: *ret_iid is the number of all three. */
int perfetto_site(struct perfetto *perfetto, struct perfetto_process *process,
		  const struct site *site, uint64_t *ret_iid);
/* Of that process, what is on tracks of its own: its death and what was lost. */
void perfetto_put_ends(struct perfetto *perfetto, struct perfetto_process *process);

#endif
