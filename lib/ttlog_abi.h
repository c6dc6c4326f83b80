/* SPDX-License-Identifier: MIT */
/*
 * ttlog_abi.h - the region and the hello: what an application and a recorder agree on. The hello, what
 * they say on the socket, is a part of it that is written down in ttlog_abi_hello.h.
 *
 * The promise
 *
 *   An event whose call returned can be read from the region whatever happens to its process at the
 *   next instruction, and whatever was lost before it has been counted.
 *
 * The actors
 *
 *   client     the application with libttlog. Writes the dictionary, the lanes and the ledger.
 *   recorder   another process. Makes the region (or finds one), reads all of it, writes the control
 *              page. It believes nothing in here that it can know from elsewhere: a region is
 *              hostile input, and may change while it is read.
 *   kernel     the eBPF program. Writes the freeze word of the control page, nothing else.
 *
 *   There is no pid in the header: the recorder has it from the socket and the pidfd, which can't lie.
 *
 * The drawing: one sealed memfd named "ttlog", offsets from its start, never a pointer
 *
 *   0          +-----------------------+
 *              | header                | geometry, clock, service name; constant once magic is there
 *   control    +-----------------------+
 *              | control page          | level, freeze word, coarse clock; the recorder may lay a BPF
 *   ledger     +-----------------------+ map over it in the client's address space
 *              | ledger                | hands and drop counts of the lanes; heads of the dictionary
 *   dictionary +-----------------------+
 *              | index, heap           | sites and interned strings, committed record by record
 *   channels   +-----------------------+
 *              | table                 | an entry for every two chunks of lane CHANNEL
 *   lane 0     +-----------------------+
 *              | records               | a cache line a chunk: its state word, the only thing that threads
 *              |                       | race for, and two accounts of what was overwritten here so far
 *              | chunks                | chunk header, events, one zero word
 *   lane 1     +-----------------------+
 *              | ...                   |
 *   bytes      +-----------------------+
 *
 *   The page of the control page holds nothing else, and every array starts on a page.
 *   All integers have the byte order of the machine: a region never leaves it.
 *   All bytes zero is a region that is not set up yet; an all-zero lane is an empty lane.
 *
 * The states of a chunk (who may go where; lib/ring.c has the steps)
 *
 *   FREE ------taker-----> COND ---taker---> INIT ---taker---> OWNED ---owner---> RETIRED
 *                            ^  \__taker, when frozen meanwhile: back to RETIRED__/   |
 *                            |________________________taker___________________________|
 *
 *   state     who may write                                  what a reader takes
 *   FREE      nobody                                         nothing
 *   OWNED     the owner: events, and the data of a retire    the committed events
 *   RETIRED   nobody                                         all events
 *   COND      the taker: the account of the next generation  all events, they are still whole
 *   INIT      the taker: everything                          nothing
 *
 *   A chunk whose owner vanished without retiring (no thread of that id exists) may be condemned by
 *   any taker. A taker that died in COND or INIT leaves a chunk that is read as the table says.
 *
 * The chunks of a channel (lane CHANNEL; lib/channel.c has the steps)
 *
 *   A channel has the chunks from 2 * its place in the table on, as many as its entry says, and nobody
 *   else takes one of them. Its chunks go through the same states, but for two arrows more:
 *
 *   RETIRED --the thread that filled it, for one more event--> OWNED      (same generation)
 *   COND --taker--> INIT --taker--> FREE   when a channel that was closed gives way to a new one
 *
 *   Its epoch is the generation of the channel that the events belong to. An entry whose generation is
 *   another one does not name them.
 *
 * An event
 *
 *   header word, timestamp in clock ticks, packed values, padding to 8 bytes. The header word is
 *   stored last, with release: it is the commit. The word behind an event is zero before the commit.
 *   A walk from the first word that stops at the first zero sees every committed event and no other.
 *
 * Losses
 *
 *   overwritten   sum over a lane's records of account[generation & 1].count: exact in every state
 *   dropped       the lane's ledger: no chunk could be had
 *   A channel's own are the sum over its chunks less what its entry says they had before it. diverted is
 *   no loss: events of the channel that went where those without a channel go.
 *
 * Versions
 *
 *   `version` goes up with every change of this file or the hello's that a reader could notice,
 *   `compatible` is the oldest reader version that may still read it. A reader refuses regions whose
 *   `compatible` is above its own version. Bytes marked zero are zero until a version gives them a
 *   meaning.
 */
#ifndef TTLOG_ABI_H
#define TTLOG_ABI_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ttlog.h"
#include "lib/ttlog_abi_hello.h"

#define TTLOG_ABI_VERSION 3
#define TTLOG_ABI_COMPATIBLE 1
#define TTLOG_MESSAGE_COMPATIBLE 2 /* the oldest version whose messages still mean the same */
#define TTLOG_REGION_MAGIC UINT64_C(0x314e475247474c54) /* "TLGGRGN1" */
#define TTLOG_MEMFD_NAME "ttlog" /* shows as /memfd:ttlog (deleted) in /proc/PID/maps */

/* What a client may ask for; the recorder rounds up to pages and may cap it. */
#define TTLOG_REGION_BYTES_DEFAULT (UINT64_C(16) << 20)
#define TTLOG_REGION_BYTES_MIN (UINT64_C(1) << 20)
#define TTLOG_REGION_BYTES_MAX (UINT64_C(4) << 30)
/* Memory for channels beside that; without a wish they have a 16th of it. The table is in it. */
#define TTLOG_CHANNEL_BYTES_MIN (UINT64_C(16) * TTLOG_PAGE_BYTES)
#define TTLOG_CHANNEL_BYTES_MAX (UINT64_C(2) << 30)

#define TTLOG_PAGE_BYTES TTLOG_CONTROL_BYTES /* the granularity of the drawing */
#define TTLOG_THREAD_NAME_BYTES 16	     /* TASK_COMM_LEN */
#define TTLOG_LANE_MAX 8

/* ---- lanes ----------------------------------------------------------------------------------- */

enum ttlog_lane_id {
	TTLOG_LANE_MAIN = 0,	    /* everything that no other lane takes */
	TTLOG_LANE_ALERT = 1,	    /* WARN and above, a slot an event: no debug noise evicts them */
	TTLOG_LANE_ALERT_LARGE = 2, /* those that do not fit a slot of ALERT */
	TTLOG_LANE_BOOT = 3,	    /* the first chunks of the process, never overwritten */
	TTLOG_LANE_AFTERLIFE = 4,   /* what is recorded after the fatal signal */
	TTLOG_LANE_NESTED = 5,	    /* events of handlers that interrupted an event, a slot an event */
	TTLOG_LANE_CHANNEL = 6,	    /* the channels', each with chunks of its own */
	TTLOG_LANE_COUNT = 7,
};

/* Each retired chunk keeps its events until the afterlife of a later epoch (AFTERLIFE), or for ever. */
#define TTLOG_LANE_NEVER_RECYCLED 1u
/* A chunk holds one event: taken, written and retired by one call. */
#define TTLOG_LANE_SLOTS 2u

struct ttlog_lane_geometry {
	uint64_t records_offset; /* struct ttlog_chunk_record[chunk_count] */
	uint64_t chunks_offset;	  /* chunk_count x chunk_bytes */
	uint32_t chunk_bytes;	  /* a multiple of 64; at least 128, at most 32 KiB */
	uint32_t chunk_count;
	uint32_t flags; /* TTLOG_LANE_... */
	uint32_t zero;
};

/* ---- header ---------------------------------------------------------------------------------- */

enum ttlog_clock_source {
	TTLOG_CLOCK_MONOTONIC = 0, /* ticks are nanoseconds of CLOCK_MONOTONIC */
	TTLOG_CLOCK_TSC = 1,	   /* invariant TSC */
	TTLOG_CLOCK_CNTVCT = 2,	   /* arm64 virtual counter */
};

/* The three clocks, read together. Two points that are apart convert ticks to nanoseconds. */
struct ttlog_clock_point {
	uint64_t ticks;
	uint64_t monotonic_ns; /* CLOCK_MONOTONIC */
	uint64_t realtime_ns;  /* CLOCK_REALTIME */
};

/* How often a writer reads its clock. An event that does without a reading carries an earlier one. */
enum ttlog_clock_mode {
	TTLOG_CLOCK_EXACT = 0,	/* at every event */
	TTLOG_CLOCK_SPARSE = 1, /* at the first event of a chunk and at every 16th */
	TTLOG_CLOCK_COARSE = 2, /* as SPARSE; in between the recorder's, if that is later (coarse_ticks) */
};

struct ttlog_region_header {
	_Atomic uint64_t magic; /* stored last, release: the rest of the header is there */
	uint16_t version;
	uint16_t compatible;
	uint32_t header_bytes; /* sizeof(struct ttlog_region_header) of the maker */
	uint64_t region_bytes;
	uint64_t control_offset;
	uint64_t ledger_offset;
	uint64_t dict_index_offset; /* _Atomic uint64_t[dict_index_count] */
	uint64_t dict_heap_offset;
	uint32_t dict_index_count;
	uint32_t dict_heap_bytes; /* a multiple of 8 */
	uint32_t lane_count;
	uint32_t clock_source; /* enum ttlog_clock_source */
	struct ttlog_clock_point clock;
	uint32_t clock_mode; /* enum ttlog_clock_mode */
	uint32_t channel_count; /* entries of the table */
	uint64_t channels_offset; /* struct ttlog_channel_entry[channel_count] */
	uint64_t recorder_hash; /* whose it is, see ttlog_recorder_hash() */
	uint32_t flush_interval_s; /* a snapshot every so often; 0 = never. For who adopts it */
	uint32_t zero;
	char service[TTLOG_SERVICE_BYTES];
	struct ttlog_lane_geometry lane[TTLOG_LANE_MAX];
	char group[TTLOG_GROUP_BYTES]; /* from version 3 on; before, zero: "" is no group */
};

/*
 * FNV-1a of the path of the socket where its recorder is, or would be if there was one: a recorder adopts
 * the regions that were meant for it. 0: of a client that wants none.
 */
static inline uint64_t ttlog_recorder_hash(const char *socket_path)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (!*socket_path)
		return 0;
	while (*socket_path)
		hash = (hash ^ (unsigned char)*socket_path++) * UINT64_C(0x100000001b3);
	return hash ? hash : 1;
}

/* ---- ledger ---------------------------------------------------------------------------------- */

/* The hand and the counters are on cache lines of their own: the first moves with every take. */
struct ttlog_lane_ledger {
	_Alignas(64) _Atomic uint64_t hand; /* the next ticket: a take starts to look at ticket % count */
	_Alignas(64) _Atomic uint64_t dropped; /* events for which no chunk could be had */
	_Atomic uint64_t dropped_first;	       /* ticks; 0 = none */
	_Atomic uint64_t dropped_last;	       /* ticks */
	_Atomic uint64_t truncated;	       /* events recorded with shortened strings */
};

struct ttlog_ledger {
	struct ttlog_lane_ledger lane[TTLOG_LANE_MAX];
	_Alignas(64) _Atomic uint32_t dict_next_id;    /* ids given out, committed or not; starts at 1 */
	_Atomic uint32_t dict_next_offset;	       /* bytes of heap given out; starts at 8 */
	_Atomic uint64_t dict_full;		       /* records for which there was no room */
	/*
	 * Of the channels. The hand of lane CHANNEL is the first chunk that no channel ever had. Those that
	 * were closed stand in a queue, oldest first: position p is in closed_slot of entry p % count.
	 */
	_Alignas(64) _Atomic uint64_t closed_head;
	_Atomic uint64_t closed_tail;
	_Atomic uint64_t channels_open;	    /* now */
	_Atomic uint64_t channels_opened;   /* ever */
	_Atomic uint64_t channels_replaced; /* closed ones that gave way to new ones */
	_Atomic uint64_t channels_refused;  /* that could not be opened for want of memory */
	/*
	 * The heartbeat. The first two change with a promise alone; with each beat the last, by whoever
	 * beats: two at once leave the time of either.
	 */
	_Alignas(64) _Atomic uint32_t heartbeat_period_ms; /* a beat at least so often; 0: none is promised */
	_Atomic uint32_t heartbeat_promise; /* counts the promises: one more each time */
	_Atomic uint64_t heartbeat_ticks; /* of the newest beat, or of the promise */
};

/* ---- channels -------------------------------------------------------------------------------- */

enum ttlog_channel_state {
	TTLOG_CHANNEL_NONE = 0,	  /* nobody's, or on its way to its first owner */
	TTLOG_CHANNEL_OPEN = 1,
	TTLOG_CHANNEL_CLOSED = 2, /* readable until another channel needs its chunks */
	TTLOG_CHANNEL_TAKEN = 3,  /* on its way to a new owner; the name is the old one while it has events */
};

/* generation : 32 | zero : 30 | state : 2. A generation of a place in the table is one channel. */
#define TTLOG_CHANNEL_STATE(generation, state) ((uint64_t)(generation) << 32 | (uint64_t)(state))
#define TTLOG_CHANNEL_STATE_OF(word) ((unsigned int)((word) & 3))
#define TTLOG_CHANNEL_GENERATION(word) ((uint32_t)((word) >> 32))

#define TTLOG_CHANNEL_NAME_BYTES 32 /* with its NUL */
#define TTLOG_CHANNEL_CHUNKS_MIN 2u /* the chunks of a place in the table: what a channel has at least */

/* The first cache line is what an event reads. The name of a generation never changes. */
struct ttlog_channel_entry {
	_Alignas(64) _Atomic uint64_t state;
	_Atomic uint64_t hand; /* chunks taken since it was opened; the next is hand % chunk_count */
	_Atomic uint32_t chunk_count;
	_Atomic uint32_t closed_slot; /* place + 1 of a closed channel: see closed_head; 0 = empty */
	_Atomic uint64_t diverted;    /* events that its chunks had no place for: they are in other lanes */
	_Atomic uint64_t diverted_first; /* ticks; 0 = none */
	_Atomic uint64_t diverted_last;
	_Atomic uint64_t opened_ticks;
	_Atomic uint64_t closed_ticks; /* 0 = it was not */
	_Alignas(64) _Atomic uint64_t overwritten_before; /* in its chunks, before it was opened */
	char name[TTLOG_CHANNEL_NAME_BYTES];
	uint64_t zero[3];
};

/* ---- dictionary ------------------------------------------------------------------------------ */

/*
 * index[id] is zero until the record is whole, then (hash << 32 | heap offset), stored with release.
 * An id is given out before its record is written, so a writer that dies leaves a hole that is an
 * empty entry and hides nothing behind it. Entries never change again. Id 0 and offset 0 are nobody's.
 */
#define TTLOG_DICT_OFFSET(entry) ((uint32_t)(entry))
#define TTLOG_DICT_HASH(entry) ((uint32_t)((entry) >> 32))

enum ttlog_dict_kind {
	TTLOG_DICT_SITE = 1,
	TTLOG_DICT_STRING = 2,
};

#define TTLOG_SITE_PRINTF 1u /* the message is a printf format, fields have no names */
#define TTLOG_DICT_INDEX_MAX (1u << 18)  /* entries; a larger dictionary is no dictionary */
#define TTLOG_DICT_HEAP_BYTES_MAX (32u << 20)
#define TTLOG_DICT_STRING_MAX 1023 /* bytes of a string in the dictionary, without its NUL */

/*
 * A site: this, then field_count type bytes (enum ttlog_type), then NUL-terminated strings: target,
 * message, file, function, one name per field (none with TTLOG_SITE_PRINTF). Padded to 8 bytes.
 * A string: this with level, field_count, line and flags zero, then the NUL-terminated string.
 */
struct ttlog_dict_record {
	uint32_t bytes; /* with this header and the padding */
	uint8_t kind;	/* enum ttlog_dict_kind */
	uint8_t level;	/* enum ttlog_level */
	uint8_t field_count;
	uint8_t flags; /* TTLOG_SITE_... */
	uint32_t line;
	uint32_t zero;
};

/* ---- records, chunks ------------------------------------------------------------------------- */

enum ttlog_chunk_state {
	TTLOG_CHUNK_FREE = 0,
	TTLOG_CHUNK_OWNED = 1,
	TTLOG_CHUNK_RETIRED = 2,
	TTLOG_CHUNK_COND = 3,
	TTLOG_CHUNK_INIT = 4,
};

/* generation : 38 | owner tid : 22 | state : 3. The kernel's largest tid is 2^22 - 1. */
#define TTLOG_STATE_TID_MASK UINT64_C(0x3fffff)
#define TTLOG_STATE(generation, tid, state)                                                            \
	((uint64_t)(generation) << 25 | ((uint64_t)(tid) & TTLOG_STATE_TID_MASK) << 3 | (uint64_t)(state))
#define TTLOG_STATE_OF(word) ((unsigned int)((word) & 7))
#define TTLOG_STATE_TID(word) ((uint32_t)((word) >> 3 & TTLOG_STATE_TID_MASK))
#define TTLOG_STATE_GENERATION(word) ((uint64_t)(word) >> 25)

/*
 * What was overwritten in this chunk, all generations before the one it belongs to. Of the two, the
 * one that counts is [generation & 1] of the state word; the other is being prepared, or is history.
 */
struct ttlog_account {
	_Atomic uint64_t count;
	_Atomic uint64_t first; /* ticks of the oldest event overwritten here; 0 = none */
	_Atomic uint64_t last;	/* ticks of the newest */
};

/* Whoever takes a chunk needs all of it, and nobody who takes another chunk any of it. */
struct ttlog_chunk_record {
	_Alignas(64) _Atomic uint64_t state;
	struct ttlog_account account[2];
	uint64_t zero;
};

/*
 * 64 bytes, then events, then one zero word that nobody ever writes anything else to.
 * The data of the retire belongs to the generation that it names, and to no other.
 */
struct ttlog_chunk {
	uint32_t tid;	/* of the owner, in its own pid namespace */
	uint32_t epoch; /* freeze word when it was taken; AFTERLIFE: when it was retired, once it is;
			 * CHANNEL: the channel's generation */
	char thread_name[TTLOG_THREAD_NAME_BYTES];
	uint64_t taken_ticks;
	_Atomic uint64_t retired_generation;
	_Atomic uint64_t retired_last;	 /* ticks of the newest event */
	_Atomic uint64_t retired_ticket; /* the lane's hand when it was retired: its age; in lane
					  * CHANNEL the channel's hand when it had been taken */
	_Atomic uint32_t retired_count;	 /* events */
	union {
		_Atomic uint32_t retired_end; /* lane CHANNEL: where the next event would start */
		uint32_t writer; /* else: which of its thread's writers, 0 on, the chunk was taken for:
				  * the events of one are in the order of its chunks */
	};
};

#define TTLOG_CHUNK_FIRST ((uint32_t)sizeof(struct ttlog_chunk)) /* where the first event starts */
/* The greatest event that fits a chunk of that size. */
#define TTLOG_CHUNK_ROOM(chunk_bytes) ((chunk_bytes) - TTLOG_CHUNK_FIRST - 8)

/* ---- events ---------------------------------------------------------------------------------- */

/*
 * site id : 32 | zero : 8 | flags : 8 | bytes : 16. Bytes are those of the whole event, a multiple
 * of 8, at least 16. Values follow the timestamp in the order of the site's fields, unaligned:
 * integers, float, double and pointers in their own size (pointers 8), bool and char as one byte,
 * strings with their NUL, byte spans as a 16-bit length and the bytes, interned strings as 32-bit id.
 */
#define TTLOG_EVENT_BYTES(word) ((uint32_t)((word) & 0xffff))
#define TTLOG_EVENT_FLAGS(word) ((uint32_t)((word) >> 16 & 0xff))
#define TTLOG_EVENT_SITE(word) ((uint32_t)((word) >> 32))
#define TTLOG_EVENT_TRUNCATED 1u /* a string or span was cut, or a value is missing */
#define TTLOG_EVENT_MIN 16u

/* ---- what the above says, checked ------------------------------------------------------------ */

static_assert(sizeof(struct ttlog_control) == TTLOG_CONTROL_BYTES, "the control page is a page");
static_assert(sizeof(struct ttlog_chunk) == 64, "a chunk header is one cache line");
static_assert(sizeof(struct ttlog_account) == 24, "no padding");
static_assert(sizeof(struct ttlog_lane_ledger) == 128, "two cache lines");
static_assert(sizeof(struct ttlog_ledger) <= TTLOG_PAGE_BYTES, "the ledger fits its page");
static_assert(sizeof(struct ttlog_chunk_record) == 64, "a record is one cache line");
static_assert(sizeof(struct ttlog_lane_geometry) == 32, "no padding");
static_assert(offsetof(struct ttlog_region_header, lane) == 192, "no padding");
static_assert(sizeof(struct ttlog_region_header) <= TTLOG_PAGE_BYTES, "the header fits its page");
static_assert(sizeof(struct ttlog_channel_entry) == 128, "two cache lines");
static_assert(offsetof(struct ttlog_channel_entry, overwritten_before) == 64, "the cold line");
static_assert(sizeof(struct ttlog_dict_record) == 16, "no padding");
static_assert(offsetof(struct ttlog_region_header, group) == 448, "what version 2 ended with");
static_assert(TTLOG_STATE_GENERATION(TTLOG_STATE(5, 77, 3)) == 5, "state words come apart again");

#endif
