/* SPDX-License-Identifier: MIT */
#include "viewer/perfetto_tracks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/protobuf.h"

/* TrackDescriptor */
#define TRACK_UUID 1
#define TRACK_NAME 2
#define TRACK_PROCESS 3
#define TRACK_THREAD 4
#define TRACK_PARENT_UUID 5
/* ProcessDescriptor */
#define PROCESS_PID 1
#define PROCESS_CMDLINE 2
#define PROCESS_NAME 6
#define PROCESS_LABELS 8
/* ThreadDescriptor */
#define THREAD_PID 1
#define THREAD_TID 2
#define THREAD_NAME 5
/* InternedData and its parts */
#define INTERNED_CATEGORIES 1
#define INTERNED_NAMES 2
#define INTERNED_LOCATIONS 4
#define INTERNED_IID 1
#define INTERNED_TEXT 2
#define LOCATION_FILE 2
#define LOCATION_FUNCTION 3
#define LOCATION_LINE 4

/* Threads' numbers are behind their process's, those of the tracks of losses behind these. */
#define UUID_LOSSES (UINT64_C(1) << 24)

static uint64_t trace_time(int64_t ns)
{
	return ns > 0 ? (uint64_t)ns : 0;
}

void perfetto_put_packet(struct perfetto *perfetto, int64_t ns, uint64_t flags)
{
	struct out *packet = &perfetto->packet;

	pb_uint(packet, PACKET_TIMESTAMP, trace_time(ns));
	pb_uint(packet, PACKET_SEQUENCE_ID, 1);
	pb_uint(packet, PACKET_SEQUENCE_FLAGS, flags);
	pb_bytes(perfetto->out, TRACE_PACKET, span_of(packet));
	packet->bytes = 0;
}

/* Their proto has 32 bits for a pid. */
static bool fits(struct number number)
{
	return number.known && number.bits > 0 && number.bits <= INT32_MAX;
}

static void put_descriptor(struct perfetto *perfetto, int64_t ns)
{
	pb_bytes(&perfetto->packet, PACKET_TRACK_DESCRIPTOR, span_of(&perfetto->message));
	perfetto->message.bytes = 0;
	perfetto_put_packet(perfetto, ns, SEQUENCE_NEEDS_STATE);
}

static void describe_process(struct perfetto *perfetto, struct perfetto_process *process,
			     int64_t ns)
{
	const struct meta *meta = dump_meta(process->dump);
	const struct span sentence = meta->cause.sentence;
	struct out *message = &perfetto->message, *part = &perfetto->part;

	part->bytes = 0;
	if (fits(meta->pid))
		pb_uint(part, PROCESS_PID, meta->pid.bits);
	if (meta->process.cmdline.bytes)
		pb_text(part, &perfetto->scratch, PROCESS_CMDLINE, meta->process.cmdline);
	pb_text(part, &perfetto->scratch, PROCESS_NAME, meta->service);
	if (sentence.bytes)
		pb_text(part, &perfetto->scratch, PROCESS_LABELS, sentence);
	pb_uint(message, TRACK_UUID, process->uuid);
	if (fits(meta->pid))
		pb_bytes(message, TRACK_PROCESS, span_of(part));
	else
		pb_text(message, &perfetto->scratch, TRACK_NAME, meta->service);
	put_descriptor(perfetto, ns);
	process->described = true;
}

struct perfetto_process *perfetto_process(struct perfetto *perfetto, const struct event *event)
{
	struct perfetto_process *process = &perfetto->processes[perfetto->newest];

	for (size_t i = 0; process->dump != event->dump && i < perfetto->process_count; i++) {
		perfetto->newest = i;
		process = &perfetto->processes[i];
	}
	if (!process->tracks)
		process->tracks = calloc(dump_meta(process->dump)->thread_count + 1,
					 sizeof(*process->tracks));
	if (!process->tracks)
		return NULL;
	if (!process->described)
		describe_process(perfetto, process, event->time_ns);
	return process;
}

static void describe_thread(struct perfetto *perfetto, const struct perfetto_process *process,
			    uint64_t uuid, const struct event *event)
{
	const struct meta *meta = dump_meta(process->dump);
	const struct meta_thread *thread = event->thread;
	struct out *message = &perfetto->message, *part = &perfetto->part;
	struct span name = thread->name.bytes ? thread->name : (struct span){"?", 1};

	pb_uint(message, TRACK_UUID, uuid);
	pb_uint(message, TRACK_PARENT_UUID, process->uuid);
	if (fits(meta->pid) && fits(thread->tid)) {
		part->bytes = 0;
		pb_uint(part, THREAD_PID, meta->pid.bits);
		pb_uint(part, THREAD_TID, thread->tid.bits);
		pb_text(part, &perfetto->scratch, THREAD_NAME, name);
		pb_bytes(message, TRACK_THREAD, span_of(part));
	} else {
		pb_text(message, &perfetto->scratch, TRACK_NAME, name);
	}
	put_descriptor(perfetto, event->time_ns);
}

struct perfetto_track *perfetto_track(struct perfetto *perfetto, struct perfetto_process *process,
				      const struct event *event, uint64_t *ret_uuid)
{
	const struct meta *meta = dump_meta(process->dump);
	const uintptr_t at = (uintptr_t)event->thread - (uintptr_t)meta->threads;
	uint64_t index = at / sizeof(*meta->threads);
	struct perfetto_track *track;

	/* One that is not in the list. */
	if (!meta->thread_count || index >= meta->thread_count)
		index = meta->thread_count;
	track = &process->tracks[index];
	*ret_uuid = process->uuid + 1 + index;
	if (!track->described)
		describe_thread(perfetto, process, *ret_uuid, event);
	track->described = true;
	return track;
}

/* ---- what is said once ------------------------------------------------------------------------
 */

static void put_interned(struct perfetto *perfetto, uint32_t field, uint64_t iid, struct span text)
{
	perfetto->detail.bytes = 0;
	pb_uint(&perfetto->detail, INTERNED_IID, iid);
	pb_text(&perfetto->detail, &perfetto->scratch, INTERNED_TEXT, text);
	pb_bytes(&perfetto->part, field, span_of(&perfetto->detail));
}

int perfetto_site(struct perfetto *perfetto, struct perfetto_process *process,
		  const struct site *site, uint64_t *ret_iid)
{
	const uint64_t which = (uint64_t)(process - perfetto->processes);
	const int added = id_set_add(&process->known_sites, site->id);

	*ret_iid = which * DUMP_IDS_MAX + site->id + 1;
	if (added <= 0)
		return added;
	perfetto->part.bytes = 0;
	put_interned(perfetto, INTERNED_CATEGORIES, *ret_iid, site->target);
	put_interned(perfetto, INTERNED_NAMES, *ret_iid, site->message);
	perfetto->detail.bytes = 0;
	pb_uint(&perfetto->detail, INTERNED_IID, *ret_iid);
	pb_text(&perfetto->detail, &perfetto->scratch, LOCATION_FILE, site->file);
	pb_text(&perfetto->detail, &perfetto->scratch, LOCATION_FUNCTION, site->function);
	pb_uint(&perfetto->detail, LOCATION_LINE, site->line & UINT32_MAX);
	pb_bytes(&perfetto->part, INTERNED_LOCATIONS, span_of(&perfetto->detail));
	pb_bytes(&perfetto->packet, PACKET_INTERNED_DATA, span_of(&perfetto->part));
	return 0;
}

/* ---- deaths and losses ------------------------------------------------------------------------
 */

static void put_named(struct perfetto *perfetto, uint64_t uuid, unsigned int type,
		      const char *category, struct span name, int64_t ns)
{
	struct out *message = &perfetto->message;

	pb_uint(message, EVENT_TYPE, type);
	pb_uint(message, EVENT_TRACK_UUID, uuid);
	pb_text(message, &perfetto->scratch, EVENT_CATEGORIES,
		(struct span){category, strlen(category)});
	pb_text(message, &perfetto->scratch, EVENT_NAME, name);
	pb_bytes(&perfetto->packet, PACKET_TRACK_EVENT, span_of(message));
	message->bytes = 0;
	perfetto_put_packet(perfetto, ns, SEQUENCE_NEEDS_STATE);
}

static void put_loss(struct perfetto *perfetto, uint64_t uuid, const char *how,
		     struct number events, struct number first_ns, struct number last_ns)
{
	struct out *name = &perfetto->detail;

	if (!events.known || !events.bits || !first_ns.known || !last_ns.known)
		return;
	name->bytes = 0;
	out_printf(name, "%" PRIu64 " events %s", events.bits, how);
	put_named(perfetto, uuid, TYPE_SLICE_BEGIN, "lost", span_of(name), (int64_t)first_ns.bits);
	put_named(perfetto, uuid, TYPE_SLICE_END, "lost", span_of(name), (int64_t)last_ns.bits);
}

/* Those of different kinds may lie over each other: a track each. */
static void put_losses(struct perfetto *perfetto, struct perfetto_process *process, uint64_t uuid,
		       const struct meta_lane *lane)
{
	static const char *const kinds[] = {"overwritten", "dropped"};
	struct number counts[] = {lane->overwritten, lane->dropped};
	struct out *name = &perfetto->detail;

	for (uint64_t i = 0; i < 2; i++) {
		if (!counts[i].known || !counts[i].bits)
			continue;
		name->bytes = 0;
		out_printf(name, "lost: %s, ", kinds[i]);
		out_span(name, lane->name);
		pb_uint(&perfetto->message, TRACK_UUID, uuid + i);
		pb_uint(&perfetto->message, TRACK_PARENT_UUID, process->uuid);
		pb_text(&perfetto->message, &perfetto->scratch, TRACK_NAME, span_of(name));
		put_descriptor(perfetto, 0);
	}
	put_loss(perfetto, uuid, kinds[0], lane->overwritten, lane->overwritten_first_ns,
		 lane->overwritten_last_ns);
	put_loss(perfetto, uuid + 1, kinds[1], lane->dropped, lane->dropped_first_ns,
		 lane->dropped_last_ns);
}

void perfetto_put_ends(struct perfetto *perfetto, struct perfetto_process *process)
{
	const struct meta *meta = dump_meta(process->dump);
	const struct span sentence = meta->cause.sentence;

	if (!process->described)
		describe_process(perfetto, process, (int64_t)meta->created_ns.bits);
	if (meta->death_ns.known)
		put_named(perfetto, process->uuid, TYPE_INSTANT, "death",
			  sentence.bytes ? sentence : (struct span){"died", 4},
			  (int64_t)meta->death_ns.bits);
	for (uint64_t i = 0; i < meta->lane_count; i++)
		put_losses(perfetto, process, process->uuid + UUID_LOSSES + 2 * i, &meta->lanes[i]);
}
