/* SPDX-License-Identifier: MIT */
/*
 * ttlog.h - record structured events that outlive the process.
 *
 *     #include <ttlog.h>
 *
 *     ttlog_init("orders");
 *     ttlog_info("Request processed", "request_id", id, "status", 200, "method", "GET");
 *
 * An event whose call returned is in the dump, whatever kills the process at the next instruction.
 * Recording costs a timestamp and a few stores: no lock, no system call, no allocation. It is legal in
 * any thread, in a signal handler, in a forked child, in a destructor; it returns nothing, leaves errno
 * alone and never fails in a way that a caller could use. What is lost is counted (ttlog_get_stats).
 *
 * Three things do make system calls: ttlog_init() or the first event of a process, the first event of
 * a thread, and a search for chunks of vanished threads when a region has no chunk left.
 *
 * C11 and later, C++17 and later; GCC and Clang.
 */
#ifndef TTLOG_H
#define TTLOG_H

/* An event is committed by one store of 64 bits, and a region may have 4 GiB. */
#if __SIZEOF_POINTER__ < 8
#error "ttlog needs a 64-bit target"
#endif

/* What a compiler takes without -std= may be older. */
#if defined(__cplusplus) && __cplusplus < 201703L
#error "ttlog needs C++17: -std=c++17"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#include <string_view>
#include <type_traits>
extern "C" {
#endif

#define TTLOG_VERSION_MAJOR 0
#define TTLOG_VERSION_MINOR 1
#define TTLOG_VERSION_PATCH 0
#define TTLOG_VERSION "0.1.0"

enum ttlog_level {
	TTLOG_TRACE = 0,
	TTLOG_DEBUG = 1,
	TTLOG_INFO = 2,
	TTLOG_WARN = 3,
	TTLOG_ERROR = 4,
	TTLOG_FATAL = 5, /* the gravest level; it does not end the program */
	TTLOG_OFF = 6,	 /* as a threshold: nothing is recorded */
};

/* ---- start and end ---------------------------------------------------------------------------- */

/*
 * What the environment can set, and more. Zero or NULL takes the environment variable, then the
 * default. A set-uid or otherwise privileged program ignores the environment.
 */
struct ttlog_options {
	size_t size;		   /* sizeof(struct ttlog_options) */
	const char *service;	   /* TTLOG_SERVICE_NAME; default: the program's name. 63 bytes are kept */
	const char *socket;	   /* TTLOG_SOCKET; default: /run/ttlog/recorder.sock. "" = no recorder */
	uint64_t buffer_bytes;	   /* TTLOG_BUFFER_SIZE (with K, M, G); default 16 MiB; 1 MiB to 4 GiB */
	uint64_t channel_bytes;	   /* TTLOG_CHANNEL_MEMORY: memory for channels, on top of buffer_bytes;
				    * 64K to 2G; default: a 16th of buffer_bytes, out of it */
	const char *level;	   /* TTLOG_LEVEL: trace (default), debug, info, warn, error, fatal, off */
	uint32_t flush_interval_s; /* TTLOG_FLUSH_INTERVAL: a snapshot every so many seconds; 0 = never */
	uint32_t hello_timeout_ms; /* TTLOG_HELLO_TIMEOUT: how long to wait for the recorder; 50 */
	int debug;		   /* TTLOG_DEBUG: say on stderr what the library does */
	/*
	 * TTLOG_CLOCK: exact (default: every event has a time of its own), sparse (the clock is read for
	 * every 16th event of a thread; those between carry the time of the last reading, in their
	 * order), coarse (as sparse, and what is carried is at most a few ms old while a recorder runs).
	 * For those to whom the reading is too dear: it is most of what an event costs.
	 */
	const char *clock;
	/*
	 * TTLOG_GROUP: a name that processes share which work together; 63 bytes are kept. When one of
	 * them dies, the recorder writes a dump of each of the others, too. Default: none.
	 */
	const char *group;
};

/*
 * Makes this process recordable: asks the recorder for a region, or makes one of its own. A program
 * that records without it is initialised by its first event. service NULL: as in ttlog_options.
 * Takes at most hello_timeout_ms more than making the memory does. 0, or a negative errno: -EALREADY (it was
 * initialised), -EINVAL (an option that makes no sense), -ENOMEM, -EMFILE and so on (nothing will be
 * recorded). Any thread; legal in a signal handler and in a forked child.
 */
int ttlog_init(const char *service);
int ttlog_init_with(const struct ttlog_options *options);

/*
 * Ends recording until the next ttlog_init(). Events recorded so far stay in the region until the
 * process ends. Not needed before an exit. Any thread; not in a signal handler.
 */
void ttlog_close(void);

/* ---- recording -------------------------------------------------------------------------------- */

/*
 * ttlog_info("message", "key", value, ...): message and keys are string literals, a value's type is
 * found at compile time: bool, char, integers of any width, float, double, strings (NULL is recorded
 * as "(null)"), ttlog_bytes(p, n), what ttlog_intern() returned, any other pointer to an object as an
 * address. At most 20 fields. A statement, not an expression; arguments are evaluated once, in no
 * particular order, and only if the level is recorded. An event takes at most 4,024 bytes (in a buffer of
 * 32 MiB 8,120, of 64 MiB or more 16,312): the longest strings are cut, and the event says so.
 *
 * #define TTLOG_TARGET "database" before the include names the target of a file's events; the default
 * is the file's name without its ending.
 */
#define ttlog_trace(...) TTLOG_LOG_(TTLOG_TRACE, __VA_ARGS__)
#define ttlog_debug(...) TTLOG_LOG_(TTLOG_DEBUG, __VA_ARGS__)
#define ttlog_info(...) TTLOG_LOG_(TTLOG_INFO, __VA_ARGS__)
#define ttlog_warn(...) TTLOG_LOG_(TTLOG_WARN, __VA_ARGS__)
#define ttlog_error(...) TTLOG_LOG_(TTLOG_ERROR, __VA_ARGS__)
#define ttlog_fatal(...) TTLOG_LOG_(TTLOG_FATAL, __VA_ARGS__)

/* printf habits: the format is a literal, the viewer formats. At most 20 arguments; no '*' widths. */
#define ttlog_tracef(...) TTLOG_LOGF_(TTLOG_TRACE, __VA_ARGS__)
#define ttlog_debugf(...) TTLOG_LOGF_(TTLOG_DEBUG, __VA_ARGS__)
#define ttlog_infof(...) TTLOG_LOGF_(TTLOG_INFO, __VA_ARGS__)
#define ttlog_warnf(...) TTLOG_LOGF_(TTLOG_WARN, __VA_ARGS__)
#define ttlog_errorf(...) TTLOG_LOGF_(TTLOG_ERROR, __VA_ARGS__)
#define ttlog_fatalf(...) TTLOG_LOGF_(TTLOG_FATAL, __VA_ARGS__)

/* ---- channels --------------------------------------------------------------------------------- */

/*
 * A channel is a memory of its own for some events: those of a connection, a tenant, a device. However
 * much is recorded elsewhere, it keeps its newest events; however much is sent to it, it takes nothing
 * from the others. There may be 100,000 of them.
 *
 *     struct ttlog_channel conn = ttlog_channel_open("conn-17", 4096);
 *
 *     ttlog_info_to(conn, "Request", "path", path, "bytes", length);
 *     ttlog_channel_close(conn);
 *
 * A handle may be copied, kept, used by any thread at any time. Zero is no channel.
 */
struct ttlog_channel {
	uint32_t index;	     /* not for others; see ttlog_channel_error() */
	uint32_t generation; /* 0: no channel */
};

/*
 * Opens a channel that keeps about budget_bytes of events, at least: 1,024 bytes or a multiple of them,
 * some 26 events of 32 bytes. The memory is that of TTLOG_CHANNEL_MEMORY, of which 1,024 bytes take
 * 1,280. When it is used up, the channel that was closed first gives way, with all its events. 31 bytes of
 * the name are kept; names may be the same. If there is no room, ttlog_channel_error() says why, and
 * what is sent to it goes where events without a channel go. Contexts as for ttlog_info().
 */
struct ttlog_channel ttlog_channel_open(const char *name, size_t budget_bytes);

/*
 * No more events come; those that are there stay readable until another channel needs the memory.
 * Whatever is sent to it from now on goes where events without a channel go. Contexts as above.
 */
void ttlog_channel_close(struct ttlog_channel channel);

/*
 * Why ttlog_channel_open() failed; 0 if it did not. -EINVAL (name NULL), -ENOSPC (no memory for another
 * channel, and none that was closed is large enough), -EBUSY (nothing gives way now, because the process
 * is dying or frozen), what ttlog_init() returns (there is no region), -1 for a handle that is zero.
 */
static inline int ttlog_channel_error(struct ttlog_channel channel)
{
	return channel.generation ? 0 : channel.index ? -(int)channel.index : -1;
}

/*
 * As ttlog_info("message", "key", value, ...) and so on, into a channel, warnings and errors too. A
 * longest string is cut so that an event takes at most 440 bytes. A forked child has the channels that
 * its parent had open, empty, under the same handles.
 */
#define ttlog_trace_to(channel, ...) TTLOG_TO_(channel, TTLOG_TRACE, __VA_ARGS__)
#define ttlog_debug_to(channel, ...) TTLOG_TO_(channel, TTLOG_DEBUG, __VA_ARGS__)
#define ttlog_info_to(channel, ...) TTLOG_TO_(channel, TTLOG_INFO, __VA_ARGS__)
#define ttlog_warn_to(channel, ...) TTLOG_TO_(channel, TTLOG_WARN, __VA_ARGS__)
#define ttlog_error_to(channel, ...) TTLOG_TO_(channel, TTLOG_ERROR, __VA_ARGS__)
#define ttlog_fatal_to(channel, ...) TTLOG_TO_(channel, TTLOG_FATAL, __VA_ARGS__)

#define ttlog_tracef_to(channel, ...) TTLOG_TOF_(channel, TTLOG_TRACE, __VA_ARGS__)
#define ttlog_debugf_to(channel, ...) TTLOG_TOF_(channel, TTLOG_DEBUG, __VA_ARGS__)
#define ttlog_infof_to(channel, ...) TTLOG_TOF_(channel, TTLOG_INFO, __VA_ARGS__)
#define ttlog_warnf_to(channel, ...) TTLOG_TOF_(channel, TTLOG_WARN, __VA_ARGS__)
#define ttlog_errorf_to(channel, ...) TTLOG_TOF_(channel, TTLOG_ERROR, __VA_ARGS__)
#define ttlog_fatalf_to(channel, ...) TTLOG_TOF_(channel, TTLOG_FATAL, __VA_ARGS__)

/* Is that level recorded now? One load and one branch. */
#define ttlog_enabled(of) \
	__builtin_expect((uint32_t)(of) >= \
			 __atomic_load_n(&ttlog_control_.level, __ATOMIC_RELAXED), 1)

/* A span of bytes as a value; at most 65,535 are kept, less in an event that gets too large. */
struct ttlog_bytes {
	const void *data;
	size_t size;
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* a function beside a struct of its name */
static inline struct ttlog_bytes ttlog_bytes(const void *data, size_t size)
{
	struct ttlog_bytes bytes = {data, size};

	return bytes;
}
#pragma GCC diagnostic pop

/* A string that is in the dictionary: four bytes an event. Zero is the empty string. */
struct ttlog_interned {
	uint32_t id;
};

/*
 * Puts a string into the dictionary, once; at most 1,023 bytes are kept. {0} when there is no room
 * or no region. Searches: call it once a string, not once an event. Any context in which recording is.
 */
struct ttlog_interned ttlog_intern(const char *string);

/* ---- while it runs ---------------------------------------------------------------------------- */

/*
 * Asks the recorder to write a dump of this living process. Returns at once: 0, or a negative errno:
 * -ENOTCONN (no recorder), -EAGAIN (it is busy), -EINVAL (reason NULL). 63 bytes of reason are kept.
 * Where the recorder that it said hello to is gone: connects to the next one, for this message alone.
 * Any thread; legal in a signal handler.
 */
int ttlog_snapshot(const char *reason);

/*
 * The same, and waits until the dump is durable: written, under its name, and both on the disk. Then
 * ret_path has the file's name as the recorder sees it (a container may see another); 0 bytes: nobody
 * wants it. 0, or a negative errno, beside those above: -ETIMEDOUT (the recorder goes on with it),
 * -EBUSY (snapshots come too fast, or enough of them are being written), -ECANCELED (the recorder ended
 * meanwhile), -ENAMETOOLONG (it is written, the name does not fit), -ENOSPC, -EIO and so on (it could not
 * be written), -EMFILE. Any thread; legal in a signal handler that may wait.
 */
int ttlog_snapshot_wait(const char *reason, uint32_t timeout_ms, char *ret_path, size_t path_bytes);

/*
 * Promises a heartbeat: from now on ttlog_heartbeat() is called at least every period_ms, or else the
 * recorder takes this process for hung, and writes a dump of it (reason "hang") with the stacks of its
 * threads. 0 takes the promise back. One a process: who promises again changes it. A forked child has
 * promised nothing. While the process is stopped or frozen, or the machine sleeps, no beat is missed.
 * 0, or a negative errno: -EINVAL (more than a day), what ttlog_init() returns. Any thread; legal in a
 * signal handler.
 */
int ttlog_heartbeat_promise(uint32_t period_ms);

/*
 * A beat: a reading of the clock and a store; no system call. Without a promise it means nothing.
 * Contexts as for ttlog_info().
 */
void ttlog_heartbeat(void);

/*
 * Sets the threshold: events below it cost one load and one branch. 0 or a negative errno: -EINVAL.
 * Any thread; legal in a signal handler.
 */
int ttlog_set_level(enum ttlog_level level);

struct ttlog_stats {
	size_t size;		 /* in: sizeof(struct ttlog_stats); out: what was filled */
	uint64_t retained;	 /* events that can be read now */
	uint64_t overwritten;	 /* events that gave way to newer ones */
	uint64_t dropped;	 /* events for which there was no room */
	uint64_t truncated;	 /* events with a shortened string */
	uint64_t region_bytes;	 /* 0: there is no region */
	uint32_t sites;		 /* entries of the dictionary, strings included */
	uint32_t level;		 /* the threshold in force */
	uint32_t connected;	 /* 1: a recorder holds the region */
	uint32_t frozen;	 /* 1: nothing is overwritten now */
	uint64_t channels;	 /* open now */
	uint64_t channels_refused; /* that could not be opened */
};

/*
 * Fills *ret_stats; walks the region, so it takes milliseconds. 0, or a negative errno: -EINVAL.
 * Any thread; legal in a signal handler.
 */
int ttlog_get_stats(struct ttlog_stats *ret_stats);

/* ---- the life before this one ----------------------------------------------------------------- */

#define TTLOG_DEATH_HOW_BYTES 16
#define TTLOG_DEATH_CONFIDENCE_BYTES 8
#define TTLOG_DEATH_REASON_BYTES 96
#define TTLOG_DEATH_SIGNATURE_BYTES 24
#define TTLOG_DEATH_SENTENCE_BYTES 256
#define TTLOG_DEATH_DUMP_BYTES 512

/* flags */
#define TTLOG_DEATH_FAULT_ADDRESS 1u /* fault_address says something */
#define TTLOG_DEATH_DUMP_PENDING 2u  /* its dump is still being written, so dump is "" */
/*
 * The recorder was not there, and knows this from a dump: of an exit since then that left none it
 * would not know.
 */
#define TTLOG_DEATH_FROM_DUMP 4u

struct ttlog_death {
	size_t size;		/* in: sizeof(struct ttlog_death); out: what was filled */
	uint64_t died_ns;	/* CLOCK_REALTIME; 0: not known */
	uint64_t started_ns;	/* CLOCK_REALTIME; 0: not known */
	uint64_t fault_address; /* see flags */
	uint64_t loop_count;	/* in a crash loop: the how-manieth death of it; 0: in none */
	uint32_t flags;		/* TTLOG_DEATH_... */
	int32_t pid;		/* as the recorder sees it */
	int32_t signal;		/* that it died of; 0: of none, or not known */
	int32_t exit_code;	/* 0 to 255; -1: it did not exit, or not known */
	char how[TTLOG_DEATH_HOW_BYTES]; /* "exit", "fault", "signal", "oom", ...: cause.how of a dump */
	char confidence[TTLOG_DEATH_CONFIDENCE_BYTES]; /* "high", "medium", "low" */
	char reason[TTLOG_DEATH_REASON_BYTES];	       /* "sigsegv", "exit-3" */
	char signature[TTLOG_DEATH_SIGNATURE_BYTES];   /* which bug it was; "": not known, or not yet */
	char sentence[TTLOG_DEATH_SENTENCE_BYTES];     /* for people: "killed by SIGKILL from bash ..." */
	char dump[TTLOG_DEATH_DUMP_BYTES]; /* the file, for the recorder; "": none, or not yet */
};

/*
 * Why did I die? Asks the recorder how the process of this service's name and user ended that was the
 * last to do so; exec is no end. A fork of it is such a process too, unless it exits with 0. Takes at most hello_timeout_ms (50).
 * 0, or a negative errno: -ENOENT (nobody has died that it knows of), -ENOTCONN (no recorder, or one
 * that is too old), -ETIMEDOUT, -EINVAL (size). Any thread; legal in a signal handler and in a forked
 * child, and before ttlog_init(), which it does the work of then.
 */
int ttlog_last_death(struct ttlog_death *ret_death);

/* ---- for bindings: sites made at run time ----------------------------------------------------- */

enum ttlog_type {
	TTLOG_TYPE_BOOL = 1,
	TTLOG_TYPE_CHAR = 2,
	TTLOG_TYPE_I8 = 3,
	TTLOG_TYPE_U8 = 4,
	TTLOG_TYPE_I16 = 5,
	TTLOG_TYPE_U16 = 6,
	TTLOG_TYPE_I32 = 7,
	TTLOG_TYPE_U32 = 8,
	TTLOG_TYPE_I64 = 9,
	TTLOG_TYPE_U64 = 10,
	TTLOG_TYPE_F32 = 11,
	TTLOG_TYPE_F64 = 12,
	TTLOG_TYPE_STRING = 13,	  /* with its NUL in the event */
	TTLOG_TYPE_BYTES = 14,	  /* 16-bit length and the bytes */
	TTLOG_TYPE_POINTER = 15,  /* 8 bytes */
	TTLOG_TYPE_INTERNED = 16, /* 32-bit id */
	TTLOG_TYPE_COUNT = 17,
};

#define TTLOG_FIELDS_MAX 20

/* A place that records. Zero-initialise it, fill it, keep it and its strings while it is in use. */
struct ttlog_site {
	uint64_t word;	   /* its id in the dictionary << 32; 0 until its first event */
	uint8_t level;	   /* enum ttlog_level */
	uint8_t field_count;
	uint8_t flags;	   /* 1: message is a printf format, names are ignored */
	uint8_t zero;
	uint32_t line;
	const char *target;   /* NULL: the stem of file */
	const char *message;  /* NULL is "" here and below */
	const char *file;
	const char *function;
	const char *const *names; /* field_count of them */
	const uint8_t *types;	  /* enum ttlog_type, field_count of them */
};

/*
 * A value: bits for scalars (a float's own bits), data and size for strings and spans. A NULL
 * string's data is NULL. The ttlog_value_*() functions below make them.
 */
struct ttlog_value {
	uint64_t bits;
	const void *data;
	uint32_t size; /* bytes of payload in the event: 1, 2, 4, 8; strlen + 1; 2 + length of a span */
	uint32_t zero;
};

/* Registers the site; recording does it too. 0 or a negative errno: -EINVAL, -ENOSPC, -ENOMEM. */
int ttlog_site_register(struct ttlog_site *site);

/*
 * Records one event; count must be the site's field_count and the values of its types, or nothing is
 * recorded. Contexts as for ttlog_info().
 */
void ttlog_record(struct ttlog_site *site, const struct ttlog_value *values, uint32_t count);
/* The same into a channel. */
void ttlog_record_to(struct ttlog_channel channel, struct ttlog_site *site,
		     const struct ttlog_value *values, uint32_t count);

/* ==== what the macros need; not an interface =================================================== */

/* One page, so that another page can be mapped over it. */
#if defined(__x86_64__) || defined(__i386__)
#define TTLOG_CONTROL_BYTES 4096
#else
#define TTLOG_CONTROL_BYTES 65536
#endif

struct ttlog_control {
	uint32_t freeze; /* odd: evict nothing. Goes up by one with each freeze and each thaw */
	uint32_t level;	 /* events below it are not recorded */
	uint64_t coarse_ticks; /* now, or a few ms ago; 0 without a recorder. For TTLOG_CLOCK=coarse */
	uint32_t held; /* the recorders' own: 1 = frozen by hand, and to be thawed by hand */
	unsigned char zero[TTLOG_CONTROL_BYTES - 20];
};

/*
 * The hot part of a thread's writer, ABI 1. A thread without one has a constant writer that is always
 * busy; in a forked child all of it reads as zeros (the kernel wipes it), so limit is 0.
 */
struct ttlog_writer {
	uint64_t position;    /* events in the chunk << 32 | offset of the next one */
	unsigned char *chunk; /* where offset 0 is */
	uint64_t last_ticks;  /* of the newest event */
	uintptr_t busy;	      /* stack pointer of the call that is writing, 0 = none */
	uint64_t clock_mask;  /* of position: what is not 0 there has carried_ticks for a time; 0 = never */
	uint64_t carried_ticks; /* the newest reading, kept while there is a mask */
	uint32_t limit;	      /* no event may end beyond it before ttlog_room_() was asked; 0 = no chunk */
	uint32_t zero;
};

extern struct ttlog_control ttlog_control_ __attribute__((aligned(TTLOG_CONTROL_BYTES)));
extern __thread struct ttlog_writer *ttlog_writer_ __attribute__((tls_model("initial-exec")));

/* All that is not the fast path: first uses, alerts, nested events, large events. */
void ttlog_record_(struct ttlog_site *site, const struct ttlog_value *values)
	__attribute__((cold, noinline));
/*
 * An event of that size would pass the limit: does what is due there, and moves the limit on. 1: there
 * is room now; 2: there is, and the event has to have a reading of the clock; 0: go the slow way. Makes
 * no system call.
 */
int ttlog_room_(struct ttlog_writer *writer, uint32_t size);

/* An event for a channel; all of them go this way. */
void ttlog_record_to_(struct ttlog_channel channel, struct ttlog_site *site,
		      const struct ttlog_value *values) __attribute__((noinline));

#define TTLOG_INLINE_ static inline __attribute__((always_inline, unused))

/*
 * Stores into the region. Another process may read them at any time, and throws away what it read if
 * the chunk changed hands meanwhile; TSan, which can't know that, sees relaxed atomic bytes.
 */
TTLOG_INLINE_ void ttlog_store_(unsigned char *to, const void *from, size_t size)
{
#if defined(__SANITIZE_THREAD__)
#define TTLOG_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TTLOG_TSAN_ 1
#endif
#endif
#ifdef TTLOG_TSAN_
	for (size_t i = 0; i < size; i++)
		__atomic_store_n(to + i, ((const unsigned char *)from)[i], __ATOMIC_RELAXED);
#else
	memcpy(to, from, size);
#endif
}

TTLOG_INLINE_ uint64_t ttlog_ticks_(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return 0; /* never reached: the limit stays 0 */
#endif
}

TTLOG_INLINE_ uintptr_t ttlog_stack_pointer_(void)
{
	uintptr_t sp;

#if defined(__x86_64__)
	__asm__ volatile("movq %%rsp, %0" : "=r"(sp));
#elif defined(__aarch64__)
	__asm__ volatile("mov %0, sp" : "=r"(sp));
#else
	sp = (uintptr_t)__builtin_frame_address(0);
#endif
	return sp;
}

/* The stack pointer goes straight to memory: through a register it is an instruction more. */
TTLOG_INLINE_ void ttlog_set_busy_(struct ttlog_writer *writer)
{
#if defined(__x86_64__)
	__asm__ volatile("movq %%rsp, %0" : "=m"(writer->busy));
#else
	*(volatile uintptr_t *)&writer->busy = ttlog_stack_pointer_();
#endif
}

/* Values from C types; integers keep their sign by the type they are stored in. */
#define TTLOG_SCALAR_(name, type, wide) \
	TTLOG_INLINE_ struct ttlog_value ttlog_value_##name(type scalar) \
	{ \
		struct ttlog_value value = {(uint64_t)(wide)scalar, NULL, (uint32_t)sizeof(type), 0}; \
\
		return value; \
	}
TTLOG_SCALAR_(char, char, unsigned char)
TTLOG_SCALAR_(i8, int8_t, int64_t)
TTLOG_SCALAR_(u8, uint8_t, uint64_t)
TTLOG_SCALAR_(i16, int16_t, int64_t)
TTLOG_SCALAR_(u16, uint16_t, uint64_t)
TTLOG_SCALAR_(i32, int32_t, int64_t)
TTLOG_SCALAR_(u32, uint32_t, uint64_t)
TTLOG_SCALAR_(i64, int64_t, int64_t)
TTLOG_SCALAR_(u64, uint64_t, uint64_t)
TTLOG_SCALAR_(long, long, int64_t)
TTLOG_SCALAR_(ulong, unsigned long, uint64_t)
TTLOG_SCALAR_(llong, long long, int64_t)
TTLOG_SCALAR_(ullong, unsigned long long, uint64_t)

TTLOG_INLINE_ struct ttlog_value ttlog_value_bool(int truth)
{
	struct ttlog_value value = {truth != 0, NULL, 1, 0};

	return value;
}

TTLOG_INLINE_ struct ttlog_value ttlog_value_f32(float real)
{
	struct ttlog_value value = {0, NULL, 4, 0};
	uint32_t bits;

	memcpy(&bits, &real, 4);
	value.bits = bits;
	return value;
}

TTLOG_INLINE_ struct ttlog_value ttlog_value_f64(double real)
{
	struct ttlog_value value = {0, NULL, 8, 0};

	memcpy(&value.bits, &real, 8);
	return value;
}

TTLOG_INLINE_ struct ttlog_value ttlog_value_string(const char *string)
{
	const char *kept = string ? string : "(null)";
	size_t length = strlen(kept);
	struct ttlog_value value = {0, kept, (uint32_t)(length < 65535 ? length : 65535) + 1, 0};

	return value;
}

TTLOG_INLINE_ struct ttlog_value ttlog_value_bytes(struct ttlog_bytes bytes)
{
	size_t length = bytes.data ? bytes.size : 0;
	struct ttlog_value value = {0, bytes.data, (uint32_t)(length < 65535 ? length : 65535) + 2, 0};

	return value;
}

TTLOG_INLINE_ struct ttlog_value ttlog_value_pointer(const volatile void *pointer)
{
	struct ttlog_value value = {(uint64_t)(uintptr_t)pointer, NULL, 8, 0};

	return value;
}

TTLOG_INLINE_ struct ttlog_value ttlog_value_interned(struct ttlog_interned interned)
{
	struct ttlog_value value = {interned.id, NULL, 4, 0};

	return value;
}

/* Puts one value where the cursor is and moves it on. The type is a constant in every caller. */
TTLOG_INLINE_ unsigned char *ttlog_put_(unsigned char *to, unsigned int type,
					struct ttlog_value value)
{
	if (type == TTLOG_TYPE_STRING && __builtin_constant_p(value.size) &&
	    __builtin_constant_p(((const char *)value.data)[value.size - 1]) &&
	    ((const char *)value.data)[value.size - 1] == 0) {
		/* A literal: with its NUL it is one store, or a few. */
		ttlog_store_(to, value.data, value.size);
	} else if (type == TTLOG_TYPE_STRING) {
		ttlog_store_(to, value.data, value.size - 1);
		ttlog_store_(to + value.size - 1, "", 1);
	} else if (type == TTLOG_TYPE_BYTES) {
		uint16_t length = (uint16_t)(value.size - 2);

		ttlog_store_(to, &length, 2);
		if (length)
			ttlog_store_(to + 2, value.data, length);
	} else {
		/* The low bytes come first on every machine that has a region. */
		ttlog_store_(to, &value.bits, value.size);
	}
	return to + value.size;
}

#define TTLOG_EVENT_SIZE_(payload) ((16u + (uint32_t)(payload) + 7u) & ~7u)

/*
 * The event's time: a reading of the clock, or that of an earlier event (TTLOG_CLOCK=sparse), or what the
 * recorder last saw if that is newer (coarse). Not last_ticks, which each event stores: to load what the
 * event before has just stored takes longer than all the rest of an event.
 */
TTLOG_INLINE_ uint64_t ttlog_carried_(struct ttlog_writer *writer)
{
	uint64_t coarse = __atomic_load_n(&ttlog_control_.coarse_ticks, __ATOMIC_RELAXED);

	if (__builtin_expect(coarse > writer->carried_ticks, 0))
		*(volatile uint64_t *)&writer->carried_ticks = coarse;
	return writer->carried_ticks;
}

TTLOG_INLINE_ uint64_t ttlog_reading_(struct ttlog_writer *writer)
{
	uint64_t ticks = ttlog_ticks_();

	*(volatile uint64_t *)&writer->carried_ticks = ticks;
	return ticks;
}

/*
 * Where an event of that size starts, with the writer marked busy; NULL: go the slow way. Busy is set
 * before the position is loaded, so that a handler in between can't use the same place. The clock is
 * read before that: rdtsc waits for stores in front of it, 2.5 ns in a loop that keeps the core busy. So
 * a handler in between has a later time in an earlier place; the order of events is that of places.
 * model: record_0
 */
TTLOG_INLINE_ unsigned char *ttlog_begin_(struct ttlog_writer *writer, uint32_t size,
					  uint64_t *ret_ticks, uint64_t *ret_position)
{
	/* One branch for two questions, the usual answer to both being no. */
	if (__builtin_expect((writer->busy | writer->clock_mask) != 0, 0)) {
		uint64_t carries;

		if (*(volatile uintptr_t *)&writer->busy != 0)
			return NULL;
		carries = *(const volatile uint64_t *)&writer->position & writer->clock_mask;
		*ret_ticks = carries ? ttlog_carried_(writer) : ttlog_reading_(writer);
	} else {
		*ret_ticks = ttlog_ticks_();
	}
	for (;;) {
		unsigned char *event;
		uint64_t position;
		int room;

		/* model: record_1 */
		ttlog_set_busy_(writer);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		position = *(volatile uint64_t *)&writer->position;
		event = writer->chunk + (uint32_t)position;
		/* The limit last: if a handler forks in here, then it is 0 in the child. */
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		/* model: record_2 */
		if (__builtin_expect((uint32_t)position + size <= writer->limit, 1)) {
			if (event == NULL)
				__builtin_unreachable();
			*ret_position = position;
			return event;
		}
		*(volatile uintptr_t *)&writer->busy = 0;
		room = ttlog_room_(writer, size);
		if (!room)
			return NULL;
		if (room > 1)
			*ret_ticks = ttlog_reading_(writer);
	}
}

/* The word behind becomes zero, then the timestamp. Returns the place of the first value. */
TTLOG_INLINE_ unsigned char *ttlog_open_(unsigned char *event, uint32_t size, uint64_t ticks)
{
	/* model: record_3 */
	__atomic_store_n((uint64_t *)(void *)(event + size), (uint64_t)0, __ATOMIC_RELAXED);
	__atomic_store_n((uint64_t *)(void *)(event + 8), ticks, __ATOMIC_RELAXED);
	return event + 16;
}

/*
 * Publishes the event: one aligned 64-bit store with release, pairs with the acquire of the reader's
 * walk. From here on the event is in the dump. Only then does the position move, and busy end.
 */
TTLOG_INLINE_ void ttlog_commit_(struct ttlog_writer *writer, unsigned char *event, uint64_t site_word,
				 uint32_t size, uint64_t ticks, uint64_t position)
{
	/* model: record_4 */
	__atomic_store_n((uint64_t *)(void *)event, site_word + size, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* model: record_5 */
	*(volatile uint64_t *)&writer->last_ticks = ticks;
	*(volatile uint64_t *)&writer->position = position + ((uint64_t)1 << 32 | size);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uintptr_t *)&writer->busy = 0;
}

/* Only there for the compiler's check of formats. */
static inline __attribute__((format(printf, 1, 2), unused)) void ttlog_check_format_(const char *format,
										     ...)
{
	(void)format;
}

#ifdef __cplusplus
}
#endif


/* ---- counting and walking arguments ----------------------------------------------------------- */

#define TTLOG_PICK_( \
	a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, \
	a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, \
	a35, a36, a37, a38, a39, a40, a41, n, ...) n
#define TTLOG_PAIRS_(...) TTLOG_PICK_(__VA_ARGS__, \
	20, ODD, 19, ODD, 18, ODD, 17, ODD, 16, ODD, 15, ODD, 14, ODD, 13, ODD, 12, ODD, \
	11, ODD, 10, ODD, 9, ODD, 8, ODD, 7, ODD, 6, ODD, 5, ODD, 4, ODD, 3, ODD, 2, ODD, \
	1, ODD, 0, 0)
#define TTLOG_VALUES_(...) TTLOG_PICK_(__VA_ARGS__, \
	MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, \
	MANY, MANY, MANY, MANY, MANY, MANY, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, \
	8, 7, 6, 5, 4, 3, 2, 1, 0, 0)

#define TTLOG_FOR_0_(M, ...)
#define TTLOG_FOR_1_(M, k, v) M(1, k, v)
#define TTLOG_FOR_2_(M, k, v, ...) M(2, k, v) TTLOG_FOR_1_(M, __VA_ARGS__)
#define TTLOG_FOR_3_(M, k, v, ...) M(3, k, v) TTLOG_FOR_2_(M, __VA_ARGS__)
#define TTLOG_FOR_4_(M, k, v, ...) M(4, k, v) TTLOG_FOR_3_(M, __VA_ARGS__)
#define TTLOG_FOR_5_(M, k, v, ...) M(5, k, v) TTLOG_FOR_4_(M, __VA_ARGS__)
#define TTLOG_FOR_6_(M, k, v, ...) M(6, k, v) TTLOG_FOR_5_(M, __VA_ARGS__)
#define TTLOG_FOR_7_(M, k, v, ...) M(7, k, v) TTLOG_FOR_6_(M, __VA_ARGS__)
#define TTLOG_FOR_8_(M, k, v, ...) M(8, k, v) TTLOG_FOR_7_(M, __VA_ARGS__)
#define TTLOG_FOR_9_(M, k, v, ...) M(9, k, v) TTLOG_FOR_8_(M, __VA_ARGS__)
#define TTLOG_FOR_10_(M, k, v, ...) M(10, k, v) TTLOG_FOR_9_(M, __VA_ARGS__)
#define TTLOG_FOR_11_(M, k, v, ...) M(11, k, v) TTLOG_FOR_10_(M, __VA_ARGS__)
#define TTLOG_FOR_12_(M, k, v, ...) M(12, k, v) TTLOG_FOR_11_(M, __VA_ARGS__)
#define TTLOG_FOR_13_(M, k, v, ...) M(13, k, v) TTLOG_FOR_12_(M, __VA_ARGS__)
#define TTLOG_FOR_14_(M, k, v, ...) M(14, k, v) TTLOG_FOR_13_(M, __VA_ARGS__)
#define TTLOG_FOR_15_(M, k, v, ...) M(15, k, v) TTLOG_FOR_14_(M, __VA_ARGS__)
#define TTLOG_FOR_16_(M, k, v, ...) M(16, k, v) TTLOG_FOR_15_(M, __VA_ARGS__)
#define TTLOG_FOR_17_(M, k, v, ...) M(17, k, v) TTLOG_FOR_16_(M, __VA_ARGS__)
#define TTLOG_FOR_18_(M, k, v, ...) M(18, k, v) TTLOG_FOR_17_(M, __VA_ARGS__)
#define TTLOG_FOR_19_(M, k, v, ...) M(19, k, v) TTLOG_FOR_18_(M, __VA_ARGS__)
#define TTLOG_FOR_20_(M, k, v, ...) M(20, k, v) TTLOG_FOR_19_(M, __VA_ARGS__)
#define TTLOG_EACH_0_(M, ...)
#define TTLOG_EACH_1_(M, v) M(1, "", v)
#define TTLOG_EACH_2_(M, v, ...) M(2, "", v) TTLOG_EACH_1_(M, __VA_ARGS__)
#define TTLOG_EACH_3_(M, v, ...) M(3, "", v) TTLOG_EACH_2_(M, __VA_ARGS__)
#define TTLOG_EACH_4_(M, v, ...) M(4, "", v) TTLOG_EACH_3_(M, __VA_ARGS__)
#define TTLOG_EACH_5_(M, v, ...) M(5, "", v) TTLOG_EACH_4_(M, __VA_ARGS__)
#define TTLOG_EACH_6_(M, v, ...) M(6, "", v) TTLOG_EACH_5_(M, __VA_ARGS__)
#define TTLOG_EACH_7_(M, v, ...) M(7, "", v) TTLOG_EACH_6_(M, __VA_ARGS__)
#define TTLOG_EACH_8_(M, v, ...) M(8, "", v) TTLOG_EACH_7_(M, __VA_ARGS__)
#define TTLOG_EACH_9_(M, v, ...) M(9, "", v) TTLOG_EACH_8_(M, __VA_ARGS__)
#define TTLOG_EACH_10_(M, v, ...) M(10, "", v) TTLOG_EACH_9_(M, __VA_ARGS__)
#define TTLOG_EACH_11_(M, v, ...) M(11, "", v) TTLOG_EACH_10_(M, __VA_ARGS__)
#define TTLOG_EACH_12_(M, v, ...) M(12, "", v) TTLOG_EACH_11_(M, __VA_ARGS__)
#define TTLOG_EACH_13_(M, v, ...) M(13, "", v) TTLOG_EACH_12_(M, __VA_ARGS__)
#define TTLOG_EACH_14_(M, v, ...) M(14, "", v) TTLOG_EACH_13_(M, __VA_ARGS__)
#define TTLOG_EACH_15_(M, v, ...) M(15, "", v) TTLOG_EACH_14_(M, __VA_ARGS__)
#define TTLOG_EACH_16_(M, v, ...) M(16, "", v) TTLOG_EACH_15_(M, __VA_ARGS__)
#define TTLOG_EACH_17_(M, v, ...) M(17, "", v) TTLOG_EACH_16_(M, __VA_ARGS__)
#define TTLOG_EACH_18_(M, v, ...) M(18, "", v) TTLOG_EACH_17_(M, __VA_ARGS__)
#define TTLOG_EACH_19_(M, v, ...) M(19, "", v) TTLOG_EACH_18_(M, __VA_ARGS__)
#define TTLOG_EACH_20_(M, v, ...) M(20, "", v) TTLOG_EACH_19_(M, __VA_ARGS__)

#define TTLOG_PASTE2_(a, b) a##b
#define TTLOG_PASTE_(a, b) TTLOG_PASTE2_(a, b)

#ifdef TTLOG_TARGET
#define TTLOG_TARGET_ ("" TTLOG_TARGET "")
#else
#define TTLOG_TARGET_ NULL
#endif

#ifdef __cplusplus
#define TTLOG_STATIC_ASSERT_(condition, text) static_assert(condition, text)
#else
#define TTLOG_STATIC_ASSERT_(condition, text) _Static_assert(condition, text)
#endif

#define TTLOG_LOG_(level, ...) TTLOG_PASTE_(TTLOG_LOG_, TTLOG_PAIRS_(__VA_ARGS__))(level, __VA_ARGS__)
#define TTLOG_LOGF_(level, ...) TTLOG_PASTE_(TTLOG_LOGF_, TTLOG_VALUES_(__VA_ARGS__))(level, __VA_ARGS__)
#define TTLOG_LOG_ODD(...) TTLOG_STATIC_ASSERT_(0, "ttlog: a key without a value, or too many fields")
#define TTLOG_LOGF_MANY(...) TTLOG_STATIC_ASSERT_(0, "ttlog: too many arguments")

/* What is sent to a channel: the same, by the number of arguments, without a fast path. */
#define TTLOG_PAIRS_KIND_(...) TTLOG_PICK_(__VA_ARGS__, \
	SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, \
	SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, \
	SOME, ODD, SOME, ODD, SOME, ODD, SOME, ODD, NONE, NONE)
#define TTLOG_VALUES_KIND_(...) TTLOG_PICK_(__VA_ARGS__, \
	MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, \
	MANY, MANY, MANY, MANY, MANY, MANY, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, \
	SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, NONE, NONE)
#define TTLOG_NAMED_(stem, n) TTLOG_NAMED2_(stem, n)
#define TTLOG_NAMED2_(stem, n) stem##n##_

#define TTLOG_TO_(channel, level, ...) \
	TTLOG_PASTE_(TTLOG_TO_, TTLOG_PAIRS_KIND_(__VA_ARGS__)) \
	(channel, level, TTLOG_PAIRS_(__VA_ARGS__), __VA_ARGS__)
#define TTLOG_TOF_(channel, level, ...) \
	TTLOG_PASTE_(TTLOG_TOF_, TTLOG_VALUES_KIND_(__VA_ARGS__)) \
	(channel, level, TTLOG_VALUES_(__VA_ARGS__), __VA_ARGS__)
#define TTLOG_TO_ODD(...) TTLOG_LOG_ODD()
#define TTLOG_TOF_MANY(...) TTLOG_LOGF_MANY()
#define TTLOG_TO_NONE(channel, level, n, message) \
	do { \
		TTLOG_STATIC_ASSERT_(sizeof(#message) > 1, "ttlog: the message is missing"); \
		TTLOG_BODY_TO_(channel, level, 0, 0, message, TTLOG_FOR_0_, 0); \
	} while (0)
#define TTLOG_TO_SOME(channel, level, n, message, ...) \
	TTLOG_BODY_TO_(channel, level, 0, n, message, TTLOG_NAMED_(TTLOG_FOR_, n), __VA_ARGS__)
#define TTLOG_TOF_NONE(channel, level, n, message) \
	do { \
		TTLOG_BODY_TO_(channel, level, 1, 0, message, TTLOG_EACH_0_, 0); \
		if (0) \
			ttlog_check_format_(message); \
	} while (0)
#define TTLOG_TOF_SOME(channel, level, n, message, ...) \
	do { \
		TTLOG_BODY_TO_(channel, level, 1, n, message, TTLOG_NAMED_(TTLOG_EACH_, n), __VA_ARGS__); \
		if (0) \
			ttlog_check_format_(message, __VA_ARGS__); \
	} while (0)

#define TTLOG_ARG_TYPE_(i, key, value) TTLOG_TYPE_OF_(value),
#define TTLOG_ARG_NAME_(i, key, value) "" key "",

#define TTLOG_SITE_(level, site_flags, count, message, WALK, ...) \
	static const uint8_t ttlog_types_[] = {WALK(TTLOG_ARG_TYPE_, __VA_ARGS__) 0}; \
	static const char *const ttlog_names_[] = {WALK(TTLOG_ARG_NAME_, __VA_ARGS__) NULL}; \
	static struct ttlog_site ttlog_site_ = { \
		0, level, count, site_flags, 0, __LINE__, TTLOG_TARGET_, "" message "", \
		__FILE__, __func__, ttlog_names_, ttlog_types_, \
	}

#ifdef __cplusplus

namespace ttlog_detail
{
template <class T> constexpr uint8_t type_of()
{
	if constexpr (std::is_same_v<T, bool>)
		return TTLOG_TYPE_BOOL;
	else if constexpr (std::is_same_v<T, char>)
		return TTLOG_TYPE_CHAR;
	else if constexpr (std::is_enum_v<T>)
		return type_of<std::underlying_type_t<T>>();
	else if constexpr (std::is_integral_v<T> && sizeof(T) <= 8)
		return sizeof(T) == 1   ? (std::is_signed_v<T> ? TTLOG_TYPE_I8 : TTLOG_TYPE_U8)
		       : sizeof(T) == 2 ? (std::is_signed_v<T> ? TTLOG_TYPE_I16 : TTLOG_TYPE_U16)
		       : sizeof(T) == 4 ? (std::is_signed_v<T> ? TTLOG_TYPE_I32 : TTLOG_TYPE_U32)
					: (std::is_signed_v<T> ? TTLOG_TYPE_I64 : TTLOG_TYPE_U64);
	else if constexpr (std::is_same_v<T, float>)
		return TTLOG_TYPE_F32;
	else if constexpr (std::is_same_v<T, double>)
		return TTLOG_TYPE_F64;
	else if constexpr (std::is_same_v<T, struct ttlog_bytes>)
		return TTLOG_TYPE_BYTES;
	else if constexpr (std::is_same_v<T, struct ttlog_interned>)
		return TTLOG_TYPE_INTERNED;
	else if constexpr (std::is_convertible_v<T, std::string_view> && !std::is_null_pointer_v<T>)
		return TTLOG_TYPE_STRING;
	else if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>)
		return TTLOG_TYPE_POINTER;
	else
		return 0;
}

template <class T> TTLOG_INLINE_ struct ttlog_value value_of(const T &argument)
{
	using D = std::decay_t<T>;
	constexpr uint8_t type = type_of<D>();

	static_assert(type != 0, "ttlog: a value of this type can't be recorded");
	if constexpr (type == TTLOG_TYPE_BOOL)
		return ttlog_value_bool(static_cast<bool>(argument));
	else if constexpr (type == TTLOG_TYPE_F32)
		return ttlog_value_f32(argument);
	else if constexpr (type == TTLOG_TYPE_F64)
		return ttlog_value_f64(argument);
	else if constexpr (type == TTLOG_TYPE_BYTES)
		return ttlog_value_bytes(argument);
	else if constexpr (type == TTLOG_TYPE_INTERNED)
		return ttlog_value_interned(argument);
	else if constexpr (type == TTLOG_TYPE_POINTER)
		return ttlog_value_pointer(static_cast<const volatile void *>(argument));
	else if constexpr (type == TTLOG_TYPE_STRING && std::is_pointer_v<D>)
		return ttlog_value_string(argument);
	else if constexpr (type == TTLOG_TYPE_STRING) {
		const std::string_view view = argument;
		const char *const data = view.empty() ? "" : view.data();
		/* It ends with a NUL in the event, so it can't have one inside. */
		const size_t length = strnlen(data, view.size() < 65535 ? view.size() : 65535);

		return {0, data, static_cast<uint32_t>(length) + 1, 0};
	} else
		return {static_cast<uint64_t>(argument), nullptr, sizeof(D), 0};
}

/* By value, and no array but for the slow way: so each is in registers, and its type a constant. */
template <uint32_t level, uint8_t... types, class... V>
TTLOG_INLINE_ void record_values(struct ttlog_site *site, const V... values)
{
	if (level < TTLOG_WARN) {
		struct ttlog_writer *writer = ttlog_writer_;
		const uint64_t word = __atomic_load_n(&site->word, __ATOMIC_RELAXED);
		const uint32_t size = TTLOG_EVENT_SIZE_((0u + ... + values.size));
		unsigned char *event = nullptr;
		uint64_t ticks = 0, position = 0;

		if (__builtin_expect(word != 0, 1))
			event = ttlog_begin_(writer, size, &ticks, &position);
		if (__builtin_expect(event != nullptr, 1)) {
			unsigned char *to = ttlog_open_(event, size, ticks);

			((to = ttlog_put_(to, types, values)), ...);
			(void)to;
			ttlog_commit_(writer, event, word, size, ticks, position);
			return;
		}
	}
	const struct ttlog_value array[] = {values..., {0, nullptr, 0, 0}};

	ttlog_record_(site, array);
}

/* Arguments live until this returns, temporaries included. */
template <uint32_t level, class... T>
TTLOG_INLINE_ void record(struct ttlog_site *site, const T &...arguments)
{
	record_values<level, type_of<std::decay_t<T>>()...>(site, value_of(arguments)...);
}

template <class... T>
TTLOG_INLINE_ void record_to(struct ttlog_channel channel, struct ttlog_site *site,
			     const T &...arguments)
{
	const struct ttlog_value values[] = {value_of(arguments)..., {0, nullptr, 0, 0}};

	ttlog_record_to_(channel, site, values);
}
} /* namespace ttlog_detail */

#define TTLOG_TYPE_OF_(value) ::ttlog_detail::type_of<std::decay_t<decltype(value)>>()
#define TTLOG_ARG_PASS_(i, key, value) , value

#define TTLOG_BODY_(level, site_flags, count, message, WALK, ...) \
	do { \
		if (ttlog_enabled(level)) { \
			TTLOG_SITE_(level, site_flags, count, message, WALK, __VA_ARGS__); \
			::ttlog_detail::record<level>(&ttlog_site_ WALK(TTLOG_ARG_PASS_, __VA_ARGS__)); \
		} \
	} while (0)

#define TTLOG_BODY_TO_(channel, level, site_flags, count, message, WALK, ...) \
	do { \
		if (ttlog_enabled(level)) { \
			TTLOG_SITE_(level, site_flags, count, message, WALK, __VA_ARGS__); \
			::ttlog_detail::record_to(channel, &ttlog_site_ WALK(TTLOG_ARG_PASS_, \
									     __VA_ARGS__)); \
		} \
	} while (0)

#else /* C */

#define TTLOG_TYPE_OF_(value) \
	((uint8_t)_Generic((value), \
		_Bool: TTLOG_TYPE_BOOL, char: TTLOG_TYPE_CHAR, \
		signed char: TTLOG_TYPE_I8, unsigned char: TTLOG_TYPE_U8, \
		short: TTLOG_TYPE_I16, unsigned short: TTLOG_TYPE_U16, \
		int: TTLOG_TYPE_I32, unsigned int: TTLOG_TYPE_U32, \
		long: sizeof(long) == 8 ? TTLOG_TYPE_I64 : TTLOG_TYPE_I32, \
		unsigned long: sizeof(long) == 8 ? TTLOG_TYPE_U64 : TTLOG_TYPE_U32, \
		long long: TTLOG_TYPE_I64, unsigned long long: TTLOG_TYPE_U64, \
		float: TTLOG_TYPE_F32, double: TTLOG_TYPE_F64, \
		char *: TTLOG_TYPE_STRING, const char *: TTLOG_TYPE_STRING, \
		struct ttlog_bytes: TTLOG_TYPE_BYTES, struct ttlog_interned: TTLOG_TYPE_INTERNED, \
		default: TTLOG_TYPE_POINTER))

#define TTLOG_VALUE_OF_(value) \
	_Generic((value), \
		_Bool: ttlog_value_bool, char: ttlog_value_char, \
		signed char: ttlog_value_i8, unsigned char: ttlog_value_u8, \
		short: ttlog_value_i16, unsigned short: ttlog_value_u16, \
		int: ttlog_value_i32, unsigned int: ttlog_value_u32, \
		long: ttlog_value_long, unsigned long: ttlog_value_ulong, \
		long long: ttlog_value_llong, unsigned long long: ttlog_value_ullong, \
		float: ttlog_value_f32, double: ttlog_value_f64, \
		char *: ttlog_value_string, const char *: ttlog_value_string, \
		struct ttlog_bytes: ttlog_value_bytes, struct ttlog_interned: ttlog_value_interned, \
		default: ttlog_value_pointer)(value)

/* 5 is a pointer: what is neither that nor in the list above (a bit-field, __int128) has no type here. */
#define TTLOG_ARG_TAKE_(i, key, value) \
	_Static_assert(TTLOG_TYPE_OF_(value) != TTLOG_TYPE_POINTER || __builtin_classify_type(value) == 5, \
		       "ttlog: a value of this type can't be recorded"); \
	const struct ttlog_value ttlog_value_##i##_ = TTLOG_VALUE_OF_(value);
#define TTLOG_ARG_SIZE_(i, key, value) + ttlog_value_##i##_.size
#define TTLOG_ARG_PUT_(i, key, value) \
	ttlog_to_ = ttlog_put_(ttlog_to_, TTLOG_TYPE_OF_(value), ttlog_value_##i##_);
#define TTLOG_ARG_LIST_(i, key, value) ttlog_value_##i##_,

#define TTLOG_BODY_(level, site_flags, count, message, WALK, ...) \
	do { \
		if (ttlog_enabled(level)) { \
			TTLOG_SITE_(level, site_flags, count, message, WALK, __VA_ARGS__); \
			const uint64_t ttlog_word_ = \
				__atomic_load_n(&ttlog_site_.word, __ATOMIC_RELAXED); \
			unsigned char *ttlog_event_ = NULL; \
			uint64_t ttlog_now_at_ = 0, ttlog_position_ = 0; \
			WALK(TTLOG_ARG_TAKE_, __VA_ARGS__) \
			/* Behind the arguments: they may record, and leave the thread another one. */ \
			struct ttlog_writer *ttlog_self_ = ttlog_writer_; \
			const uint32_t ttlog_size_ = \
				TTLOG_EVENT_SIZE_(0 WALK(TTLOG_ARG_SIZE_, __VA_ARGS__)); \
\
			if ((level) < TTLOG_WARN && __builtin_expect(ttlog_word_ != 0, 1)) \
				ttlog_event_ = ttlog_begin_(ttlog_self_, ttlog_size_, \
							    &ttlog_now_at_, &ttlog_position_); \
			if (__builtin_expect(ttlog_event_ != NULL, 1)) { \
				unsigned char *ttlog_to_ = \
					ttlog_open_(ttlog_event_, ttlog_size_, ttlog_now_at_); \
\
				WALK(TTLOG_ARG_PUT_, __VA_ARGS__) \
				(void)ttlog_to_; \
				ttlog_commit_(ttlog_self_, ttlog_event_, ttlog_word_, ttlog_size_, \
					      ttlog_now_at_, ttlog_position_); \
			} else { \
				const struct ttlog_value ttlog_values_[] = { \
					WALK(TTLOG_ARG_LIST_, __VA_ARGS__){0, NULL, 0, 0}}; \
\
				ttlog_record_(&ttlog_site_, ttlog_values_); \
			} \
		} \
	} while (0)

#define TTLOG_BODY_TO_(channel, level, site_flags, count, message, WALK, ...) \
	do { \
		if (ttlog_enabled(level)) { \
			TTLOG_SITE_(level, site_flags, count, message, WALK, __VA_ARGS__); \
			WALK(TTLOG_ARG_TAKE_, __VA_ARGS__) \
			const struct ttlog_value ttlog_values_[] = { \
				WALK(TTLOG_ARG_LIST_, __VA_ARGS__){0, NULL, 0, 0}}; \
\
			ttlog_record_to_(channel, &ttlog_site_, ttlog_values_); \
		} \
	} while (0)

#endif

#define TTLOG_BODYF_(level, count, message, WALK, ...) \
	do { \
		TTLOG_BODY_(level, 1, count, message, WALK, __VA_ARGS__); \
		if (0) \
			ttlog_check_format_(message, __VA_ARGS__); \
	} while (0)

#define TTLOG_LOG_0(level, message) \
	do { \
		TTLOG_STATIC_ASSERT_(sizeof(#message) > 1, "ttlog: the message is missing"); \
		TTLOG_BODY_(level, 0, 0, message, TTLOG_FOR_0_, 0); \
	} while (0)
#define TTLOG_LOG_1(level, message, ...) \
	TTLOG_BODY_(level, 0, 1, message, TTLOG_FOR_1_, __VA_ARGS__)
#define TTLOG_LOG_2(level, message, ...) \
	TTLOG_BODY_(level, 0, 2, message, TTLOG_FOR_2_, __VA_ARGS__)
#define TTLOG_LOG_3(level, message, ...) \
	TTLOG_BODY_(level, 0, 3, message, TTLOG_FOR_3_, __VA_ARGS__)
#define TTLOG_LOG_4(level, message, ...) \
	TTLOG_BODY_(level, 0, 4, message, TTLOG_FOR_4_, __VA_ARGS__)
#define TTLOG_LOG_5(level, message, ...) \
	TTLOG_BODY_(level, 0, 5, message, TTLOG_FOR_5_, __VA_ARGS__)
#define TTLOG_LOG_6(level, message, ...) \
	TTLOG_BODY_(level, 0, 6, message, TTLOG_FOR_6_, __VA_ARGS__)
#define TTLOG_LOG_7(level, message, ...) \
	TTLOG_BODY_(level, 0, 7, message, TTLOG_FOR_7_, __VA_ARGS__)
#define TTLOG_LOG_8(level, message, ...) \
	TTLOG_BODY_(level, 0, 8, message, TTLOG_FOR_8_, __VA_ARGS__)
#define TTLOG_LOG_9(level, message, ...) \
	TTLOG_BODY_(level, 0, 9, message, TTLOG_FOR_9_, __VA_ARGS__)
#define TTLOG_LOG_10(level, message, ...) \
	TTLOG_BODY_(level, 0, 10, message, TTLOG_FOR_10_, __VA_ARGS__)
#define TTLOG_LOG_11(level, message, ...) \
	TTLOG_BODY_(level, 0, 11, message, TTLOG_FOR_11_, __VA_ARGS__)
#define TTLOG_LOG_12(level, message, ...) \
	TTLOG_BODY_(level, 0, 12, message, TTLOG_FOR_12_, __VA_ARGS__)
#define TTLOG_LOG_13(level, message, ...) \
	TTLOG_BODY_(level, 0, 13, message, TTLOG_FOR_13_, __VA_ARGS__)
#define TTLOG_LOG_14(level, message, ...) \
	TTLOG_BODY_(level, 0, 14, message, TTLOG_FOR_14_, __VA_ARGS__)
#define TTLOG_LOG_15(level, message, ...) \
	TTLOG_BODY_(level, 0, 15, message, TTLOG_FOR_15_, __VA_ARGS__)
#define TTLOG_LOG_16(level, message, ...) \
	TTLOG_BODY_(level, 0, 16, message, TTLOG_FOR_16_, __VA_ARGS__)
#define TTLOG_LOG_17(level, message, ...) \
	TTLOG_BODY_(level, 0, 17, message, TTLOG_FOR_17_, __VA_ARGS__)
#define TTLOG_LOG_18(level, message, ...) \
	TTLOG_BODY_(level, 0, 18, message, TTLOG_FOR_18_, __VA_ARGS__)
#define TTLOG_LOG_19(level, message, ...) \
	TTLOG_BODY_(level, 0, 19, message, TTLOG_FOR_19_, __VA_ARGS__)
#define TTLOG_LOG_20(level, message, ...) \
	TTLOG_BODY_(level, 0, 20, message, TTLOG_FOR_20_, __VA_ARGS__)
#define TTLOG_LOGF_0(level, message) \
	do { \
		TTLOG_BODY_(level, 1, 0, message, TTLOG_EACH_0_, 0); \
		if (0) \
			ttlog_check_format_(message); \
	} while (0)
#define TTLOG_LOGF_1(level, message, ...) \
	TTLOG_BODYF_(level, 1, message, TTLOG_EACH_1_, __VA_ARGS__)
#define TTLOG_LOGF_2(level, message, ...) \
	TTLOG_BODYF_(level, 2, message, TTLOG_EACH_2_, __VA_ARGS__)
#define TTLOG_LOGF_3(level, message, ...) \
	TTLOG_BODYF_(level, 3, message, TTLOG_EACH_3_, __VA_ARGS__)
#define TTLOG_LOGF_4(level, message, ...) \
	TTLOG_BODYF_(level, 4, message, TTLOG_EACH_4_, __VA_ARGS__)
#define TTLOG_LOGF_5(level, message, ...) \
	TTLOG_BODYF_(level, 5, message, TTLOG_EACH_5_, __VA_ARGS__)
#define TTLOG_LOGF_6(level, message, ...) \
	TTLOG_BODYF_(level, 6, message, TTLOG_EACH_6_, __VA_ARGS__)
#define TTLOG_LOGF_7(level, message, ...) \
	TTLOG_BODYF_(level, 7, message, TTLOG_EACH_7_, __VA_ARGS__)
#define TTLOG_LOGF_8(level, message, ...) \
	TTLOG_BODYF_(level, 8, message, TTLOG_EACH_8_, __VA_ARGS__)
#define TTLOG_LOGF_9(level, message, ...) \
	TTLOG_BODYF_(level, 9, message, TTLOG_EACH_9_, __VA_ARGS__)
#define TTLOG_LOGF_10(level, message, ...) \
	TTLOG_BODYF_(level, 10, message, TTLOG_EACH_10_, __VA_ARGS__)
#define TTLOG_LOGF_11(level, message, ...) \
	TTLOG_BODYF_(level, 11, message, TTLOG_EACH_11_, __VA_ARGS__)
#define TTLOG_LOGF_12(level, message, ...) \
	TTLOG_BODYF_(level, 12, message, TTLOG_EACH_12_, __VA_ARGS__)
#define TTLOG_LOGF_13(level, message, ...) \
	TTLOG_BODYF_(level, 13, message, TTLOG_EACH_13_, __VA_ARGS__)
#define TTLOG_LOGF_14(level, message, ...) \
	TTLOG_BODYF_(level, 14, message, TTLOG_EACH_14_, __VA_ARGS__)
#define TTLOG_LOGF_15(level, message, ...) \
	TTLOG_BODYF_(level, 15, message, TTLOG_EACH_15_, __VA_ARGS__)
#define TTLOG_LOGF_16(level, message, ...) \
	TTLOG_BODYF_(level, 16, message, TTLOG_EACH_16_, __VA_ARGS__)
#define TTLOG_LOGF_17(level, message, ...) \
	TTLOG_BODYF_(level, 17, message, TTLOG_EACH_17_, __VA_ARGS__)
#define TTLOG_LOGF_18(level, message, ...) \
	TTLOG_BODYF_(level, 18, message, TTLOG_EACH_18_, __VA_ARGS__)
#define TTLOG_LOGF_19(level, message, ...) \
	TTLOG_BODYF_(level, 19, message, TTLOG_EACH_19_, __VA_ARGS__)
#define TTLOG_LOGF_20(level, message, ...) \
	TTLOG_BODYF_(level, 20, message, TTLOG_EACH_20_, __VA_ARGS__)

#endif
