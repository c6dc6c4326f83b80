/* SPDX-License-Identifier: MIT */
#include "viewer/ctf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/message.h"

#define PACKET_BYTES (256u << 10) /* of events; one that is larger has a packet of its own */

static uint64_t moment(int64_t ns)
{
	return ns > 0 ? (uint64_t)ns : 0;
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

static void put_little(struct out *out, uint64_t number, size_t bytes)
{
	char to[8];

	for (size_t i = 0; i < bytes; i++)
		to[i] = (char)(number >> 8 * i);
	out_bytes(out, to, bytes);
}

/* Ends at the first NUL for whoever reads it: there is none within. */
static void put_string(struct out *out, struct span span)
{
	const char *nul;
	size_t plain;

	while (span.bytes) {
		nul = memchr(span.data, '\0', span.bytes);
		plain = nul ? (size_t)(nul - span.data) : span.bytes;
		out_utf8(out, (struct span){span.data, plain});
		if (nul) {
			out_text(out, "\xef\xbf\xbd");
			plain++;
		}
		span = (struct span){span.data + plain, span.bytes - plain};
	}
	out_char(out, '\0');
}

static void put_real(struct out *out, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	put_little(out, bits, sizeof(bits));
}

/* A value of another kind than its site says is damage: 0, or nothing. */
static void put_value(struct ctf_trace *trace, struct out *out, enum ctf_type type,
		      const struct value *value)
{
	const bool is_real = value && (value->kind == VALUE_F32 || value->kind == VALUE_F64);
	const bool is_whole = value && (value->kind == VALUE_UINT || value->kind == VALUE_BOOL);
	uint64_t number = is_whole ? value->number : 0;

	if (value && value->kind == VALUE_NEGATIVE)
		number = ~value->number;
	switch (type) {
	case CTF_UNSIGNED:
	case CTF_SIGNED:
	case CTF_POINTER:
		put_little(out, number, 8);
		break;
	case CTF_BOOL:
		put_little(out, number != 0, 1);
		break;
	case CTF_REAL:
		put_real(out, is_real ? value->real : 0);
		break;
	case CTF_STRING:
		trace->text.bytes = 0;
		if (value)
			value_write(&trace->text, value);
		put_string(out, span_of(&trace->text));
		break;
	}
}

/* ---- packets ----------------------------------------------------------------------------------
 */

static int write_file(int folder, const char *name, struct span span, int flags)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	size_t at = 0;
	ssize_t done;
	int error = 0;

	if (fd < 0)
		return -errno;
	while (at < span.bytes && !error) {
		done = write(fd, span.data + at, span.bytes - at);
		if (done >= 0)
			at += (size_t)done;
		else if (errno != EINTR)
			error = -errno;
	}
	if (close(fd) && !error)
		error = -errno;
	return error;
}

/* With the events that are in `packet`, or without any. */
static int write_packet(struct ctf_trace *trace, struct ctf_stream *stream, uint64_t begin_ns,
			uint64_t end_ns)
{
	struct out *out = &trace->scratch;
	const uint64_t head_bytes = 4 + CTF_UUID_BYTES + 4 + 6 * 8;
	const uint64_t bits = (head_bytes + stream->packet.bytes) * 8;
	char name[32];
	int error;

	snprintf(name, sizeof(name), "lane_%zu", (size_t)(stream - trace->streams));
	out->bytes = 0;
	put_little(out, CTF_MAGIC, 4);
	out_bytes(out, (const char *)trace->uuid, CTF_UUID_BYTES);
	put_little(out, 0, 4);
	put_little(out, begin_ns, 8);
	put_little(out, end_ns, 8);
	put_little(out, bits, 8);
	put_little(out, bits, 8);
	put_little(out, stream->packets, 8);
	put_little(out, stream->discarded, 8);
	out_span(out, span_of(&stream->packet));
	error = out->error ? out->error : stream->packet.error;
	if (!error)
		error = write_file(trace->folder, name, span_of(out),
				   stream->packets ? O_APPEND : O_EXCL);
	stream->packets++;
	stream->packet.bytes = 0;
	stream->last_ns = end_ns;
	return error;
}

static int write_events(struct ctf_trace *trace, struct ctf_stream *stream)
{
	if (!stream->packet.bytes)
		return 0;
	return write_packet(trace, stream, stream->begin_ns, stream->end_ns);
}

static uint64_t not_before(uint64_t ns, uint64_t least)
{
	return ns > least ? ns : least;
}

/*
 * A reader sees what was lost between two packets by how the count differs: an empty one where the
 * loss began, which may also be the first of its stream, and one where it ended.
 */
static int write_loss(struct ctf_trace *trace, struct ctf_stream *stream,
		      const struct ctf_loss *loss)
{
	uint64_t first_ns, last_ns;
	int error = write_events(trace, stream);

	first_ns = not_before(moment(loss->first_ns), stream->last_ns);
	last_ns = not_before(moment(loss->last_ns), first_ns);
	if (!error)
		error = write_packet(trace, stream, first_ns, first_ns);
	stream->discarded += loss->events;
	return error ? error : write_packet(trace, stream, last_ns, last_ns);
}

/* ---- losses -----------------------------------------------------------------------------------
 */

static int compare_losses(const void *a, const void *b)
{
	const struct ctf_loss *left = a, *right = b;

	return (left->last_ns > right->last_ns) - (left->last_ns < right->last_ns);
}

static void add_loss(struct ctf_stream *stream, uint64_t events, struct number first_ns,
		     struct number last_ns, int64_t otherwise_ns)
{
	if (!events)
		return;
	stream->losses[stream->loss_count++] = (struct ctf_loss){
		.first_ns = first_ns.known ? (int64_t)first_ns.bits : otherwise_ns,
		.last_ns = last_ns.known ? (int64_t)last_ns.bits : otherwise_ns,
		.events = events,
	};
}

/* Gaps are among those that were overwritten. */
static int gather_losses(struct ctf_trace *trace, uint64_t lane)
{
	const struct meta *meta = dump_meta(trace->dump);
	const struct meta_lane *of = &meta->lanes[lane];
	struct ctf_stream *stream = &trace->streams[lane];
	uint64_t overwritten = of->overwritten.bits;

	stream->losses = calloc(meta->history.gap_count + 2, sizeof(*stream->losses));
	if (!stream->losses)
		return -ENOMEM;
	for (uint64_t i = 0; i < meta->history.gap_count; i++) {
		const struct meta_gap *gap = &meta->history.gaps[i];

		if (!gap->lane.known || gap->lane.bits != lane)
			continue;
		add_loss(stream, gap->events.bits, gap->first_ns, gap->last_ns, 0);
		overwritten -= gap->events.bits < overwritten ? gap->events.bits : overwritten;
	}
	add_loss(stream, overwritten, of->overwritten_first_ns, of->overwritten_last_ns, 0);
	add_loss(stream, of->dropped.bits, of->dropped_first_ns, of->dropped_last_ns,
		 (int64_t)meta->created_ns.bits);
	qsort(stream->losses, stream->loss_count, sizeof(*stream->losses), compare_losses);
	return 0;
}

/* ---- a trace ----------------------------------------------------------------------------------
 */

static void make_uuid(struct ctf_trace *trace)
{
	const struct meta *meta = dump_meta(trace->dump);
	uint64_t hash = id_mix(ID_MIX_START, meta->hostname.data, meta->hostname.bytes);

	hash = id_mix(hash, &meta->pid.bits, sizeof(meta->pid.bits));
	hash = id_mix(hash, &meta->created_ns.bits, sizeof(meta->created_ns.bits));
	for (size_t i = 0; i < CTF_UUID_BYTES; i++) {
		if (i == 8)
			hash = id_mix(hash, "ttlog", 5);
		trace->uuid[i] = (unsigned char)(hash >> 8 * (i % 8));
	}
	trace->uuid[6] = (trace->uuid[6] & 0x0f) | 0x80; /* version 8: made in a way of our own */
	trace->uuid[8] = (trace->uuid[8] & 0x3f) | 0x80;
}

int ctf_trace_init(struct ctf_trace *trace, struct dump *dump, int folder,
		   const struct columns *columns)
{
	const struct meta *meta = dump_meta(dump);
	int error = 0;

	*trace = (struct ctf_trace){.dump = dump, .folder = folder, .columns = columns};
	out_init(&trace->scratch, -1);
	out_init(&trace->text, -1);
	make_uuid(trace);
	trace->streams = calloc(meta->lane_count + 1, sizeof(*trace->streams));
	if (!trace->streams)
		return -ENOMEM;
	trace->stream_count = meta->lane_count + 1;
	for (size_t i = 0; i < trace->stream_count; i++)
		out_init(&trace->streams[i].packet, -1);
	for (uint64_t i = 0; i < meta->lane_count && !error; i++)
		error = gather_losses(trace, i);
	return error;
}

void ctf_trace_fini(struct ctf_trace *trace)
{
	for (size_t i = 0; i < trace->stream_count; i++) {
		out_fini(&trace->streams[i].packet);
		free(trace->streams[i].losses);
	}
	free(trace->streams);
	free(trace->sites);
	id_set_fini(&trace->known_sites);
	out_fini(&trace->scratch);
	out_fini(&trace->text);
}

static int know_site(struct ctf_trace *trace, const struct site *site)
{
	size_t capacity = trace->site_capacity ? 2 * trace->site_capacity : 64;
	const struct site **sites;
	int added = id_set_add(&trace->known_sites, site->id);

	if (added <= 0)
		return added;
	if (trace->site_count == trace->site_capacity) {
		sites = reallocarray(trace->sites, capacity, sizeof(struct site *));
		if (!sites)
			return -ENOMEM;
		trace->sites = sites;
		trace->site_capacity = capacity;
	}
	trace->sites[trace->site_count++] = site;
	return 0;
}

static struct ctf_stream *stream_of(struct ctf_trace *trace, const struct event *event)
{
	const struct meta *meta = dump_meta(trace->dump);
	const uintptr_t at = (uintptr_t)event->lane - (uintptr_t)meta->lanes;
	uint64_t lane = at / sizeof(*meta->lanes);

	if (!meta->lane_count || lane > meta->lane_count)
		lane = meta->lane_count;
	return &trace->streams[lane];
}

static void put_context(struct out *out, const struct event *event)
{
	const struct number pid = dump_meta(event->dump)->pid, tid = event->thread->tid;

	put_little(out, pid.known ? pid.bits : UINT64_MAX, 8);
	put_little(out, tid.known ? tid.bits : UINT64_MAX, 8);
	put_string(out, event->thread->name);
	put_string(out, event->lane->name);
	put_string(out, event->channel ? event->channel->name : (struct span){0});
	put_little(out, event->seq, 8);
}

static void put_fields(struct ctf_trace *trace, struct out *out, const struct record *record)
{
	const struct site *site = record->event.site;

	if (site->printf) {
		trace->text.bytes = 0;
		message_write(&trace->text, site, record->value, record->count);
		put_string(out, span_of(&trace->text));
	}
	if (ctf_is_unknown(site)) {
		trace->text.bytes = 0;
		for (uint32_t i = 0; i < record->count; i++) {
			if (!columns_have_field(trace->columns, record->value[i].name))
				continue;
			out_text(&trace->text, trace->text.bytes ? " " : "");
			value_write(&trace->text, &record->value[i]);
		}
		put_string(out, span_of(&trace->text));
	}
	for (uint32_t i = 0; i < site->field_count; i++)
		if (columns_have_field(trace->columns, site->fields[i].name))
			put_value(trace, out, ctf_type_of(site->fields[i].type),
				  i < record->count ? &record->value[i] : NULL);
}

int ctf_trace_event(struct ctf_trace *trace, struct record *record)
{
	const struct event *event = &record->event;
	struct ctf_stream *stream = stream_of(trace, event);
	struct out *out = &stream->packet;
	uint64_t ns = moment(event->time_ns);
	int error = know_site(trace, event->site);

	while (!error && stream->loss_next < stream->loss_count &&
	       stream->losses[stream->loss_next].last_ns <= event->time_ns)
		error = write_loss(trace, stream, &stream->losses[stream->loss_next++]);
	if (error)
		return error;
	ns = not_before(ns, out->bytes ? stream->end_ns : stream->last_ns);
	if (!out->bytes)
		stream->begin_ns = ns;
	stream->end_ns = ns;
	record_decode(record);
	put_little(out, event->site->id, CTF_EVENT_ID_BYTES);
	put_little(out, ns, 8);
	put_context(out, event);
	put_fields(trace, out, record);
	if (out->error || trace->text.error)
		return out->error ? out->error : trace->text.error;
	return out->bytes < PACKET_BYTES ? 0 : write_events(trace, stream);
}

int ctf_trace_end(struct ctf_trace *trace)
{
	struct ctf_stream *stream;
	int error = 0;

	for (size_t i = 0; i < trace->stream_count && !error; i++) {
		stream = &trace->streams[i];
		while (!error && stream->loss_next < stream->loss_count)
			error = write_loss(trace, stream, &stream->losses[stream->loss_next++]);
		if (!error)
			error = write_events(trace, stream);
	}
	if (error)
		return error;
	trace->scratch.bytes = 0;
	ctf_write_metadata(&trace->scratch, trace);
	if (trace->scratch.error)
		return trace->scratch.error;
	return write_file(trace->folder, "metadata", span_of(&trace->scratch), O_EXCL);
}
