/* SPDX-License-Identifier: MIT */
/*
 * dump_reader.h - a dump file as metadata and a stream of events.
 *
 * Reads forward once and holds one batch. A damaged or cut file gives all its whole batches; what
 * could not be read is counted and said in one sentence.
 */
#ifndef VIEWER_DUMP_READER_H
#define VIEWER_DUMP_READER_H

#include "recorder/dump_format.h"
#include "viewer/dictionary.h"
#include "viewer/dump_index.h"
#include "viewer/meta.h"
#include "viewer/scene.h"

struct dump;

enum value_kind {
	VALUE_UINT,
	VALUE_NEGATIVE, /* -1 - number */
	VALUE_BOOL,
	VALUE_F32,
	VALUE_F64,
	VALUE_TEXT,  /* str and interned strings; may hold any byte */
	VALUE_BYTES,
	VALUE_NULL,
};

struct value {
	enum value_kind kind;
	enum field_type type; /* as the site says, FIELD_UNKNOWN without one */
	struct span name;
	uint64_t number;
	double real;
	struct span span;
};

/* Plain data: may be copied and kept, with the bytes at `values`. */
struct event {
	struct dump *dump;
	struct site *site;
	const struct meta_thread *thread; /* never NULL */
	const struct meta_lane *lane;	  /* never NULL */
	const struct meta_channel *channel; /* NULL: none; without a name: not known */
	int64_t time_ns;
	uint64_t seq;
	uint64_t flags; /* DUMP_EVENT_... */
	uint32_t value_count;
	const unsigned char *values; /* encoded; until the next event of this dump */
	size_t values_bytes;
};

/*
 * path "-" is the standard input. Reads up to the first event. 0 or a negative errno; *ret_why is then
 * a reason for people.
 */
int dump_open(struct dump **ret_dump, const char *path, const char **ret_why);
/* The same of a descriptor, from where it stands; it stays the caller's. Its path is that of the standard input. */
int dump_open_descriptor(struct dump **ret_dump, int fd, const char **ret_why);
void dump_close(struct dump *dump); /* NULL is fine */

/* Called before each wait for more of a pipe. */
typedef void (*dump_wait_fn)(void *context);
void dump_on_wait(struct dump *dump, dump_wait_fn fn, void *context);

const char *dump_path(const struct dump *dump);
const struct meta *dump_meta(const struct dump *dump);
const struct meta_scene *dump_scene(const struct dump *dump); /* empty if there is none */
struct dictionary *dump_dictionary(struct dump *dump);

/* True, or false at the end: of the file, or of what can be read of it. */
bool dump_next(struct dump *dump, struct event *ret_event);
/*
 * The same, but most of those whose site has the verdict SITE_NEVER are stepped over: for who would ask a
 * query, and asks it still.
 */
bool dump_next_unrefused(struct dump *dump, struct event *ret_event);
/*
 * The batches, by the index at the file's end. None: it is no file, or cut, or the index is damaged;
 * then reading forward is all that can be done. The array belongs to the dump.
 */
size_t dump_extents(struct dump *dump, const struct dump_extent **ret_extents);
/*
 * From now on the events are those of the batches from `from` to before `to`, and then there is an end; may
 * be called again and again. Damage is only looked for in what is read. 0 or a negative errno.
 */
int dump_range(struct dump *dump, size_t from, size_t to);

/*
 * For who reads frames of the file out of their order: a batch's content, event by event. begin: 0, or
 * -EBADMSG if it is none. next: false at its end, or at an event that makes no sense (then left is not 0).
 */
struct dump_batch {
	struct decode cursor;
	uint64_t left, seq; /* seq of the next event */
};

int dump_batch_begin(struct dump_batch *batch, const unsigned char *content, size_t bytes);
bool dump_batch_next(struct dump *dump, struct dump_batch *batch, struct event *ret_event);
/* Steps over the events in front whose site has the verdict SITE_NEVER, or over some of them. How many. */
uint64_t dump_batch_skip_refused(struct dump *dump, struct dump_batch *batch);
/* The content of a data frame that is no batch: the scene, a part of the dictionary. 0 or an errno. */
int dump_take(struct dump *dump, const unsigned char *content, size_t bytes);

/* 0, or the negative errno that ended the reading: of memory, or of read(2). */
int dump_failure(const struct dump *dump);

/* Events handed out or counted so far. */
uint64_t dump_events_read(const struct dump *dump);

/* An event with its values, decoded when somebody asks for the first time. */
struct record {
	struct event event;
	bool decoded;
	uint32_t count; /* less than the event's if its bytes make no sense */
	struct value value[DUMP_FIELDS_MAX];
};

void record_decode(struct record *record);
/* One of them alone, of that name. False: there is none, or it makes no sense. */
bool record_value(struct record *record, struct span name, struct value *ret_value);

/*
 * False, or true and what is wrong with what was read of the file, in a few words. That something is missing
 * shows after the end.
 */
bool dump_damage(const struct dump *dump, char *buffer, size_t bytes);

#endif
