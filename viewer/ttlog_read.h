/* SPDX-License-Identifier: MIT */
/*
 * ttlog_read.h - read the dumps that ttlog-recorder writes.
 *
 *     #include <ttlog_read.h>
 *
 *     struct ttlog_read_options options = {.size = sizeof(options), .query = "level>=error"};
 *     const struct ttlog_read_event *event;
 *     struct ttlog_read *dump;
 *
 *     if (ttlog_read_open(&dump, "ttlog-4242-20261123100000-sigsegv.bin", &options))
 *         return;
 *     while (ttlog_read_next(dump, &event) > 0)
 *         printf("%.*s\n", (int)event->message.bytes, event->message.data);
 *     ttlog_read_close(dump);
 *
 * A dump is hostile input: no bytes make these functions crash, loop for ever or take memory without a
 * bound. Damaged and cut files give all that is whole in them. The library never prints, exits, installs
 * handlers or starts threads, and has no state but that of its handles: an open dump belongs to one thread
 * at a time, different ones to different threads. Nothing here is legal in a signal handler. But for
 * getting rid of what was opened before the fork, a forked child opens its own.
 *
 * Functions return 0 or a count, or a negative errno. The structures that they point to belong to the
 * dump; a later version adds members at their ends. Texts are what the process recorded: not terminated,
 * maybe with NULs, control characters and bytes that are not UTF-8 in them. Whoever shows them escapes them.
 *
 * Links with -lttlogread (and, linked statically, -llz4 -lcbor). C11 and later, C++17 and later.
 */
#ifndef TTLOG_READ_H
#define TTLOG_READ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ttlog_read; /* a dump that is open */

/* `data` is never NULL; no text is 0 bytes. */
struct ttlog_read_text {
	const char *data;
	size_t bytes;
};

/* ---- open and close --------------------------------------------------------------------------- */

struct ttlog_read_options {
	size_t size; /* sizeof(struct ttlog_read_options) */
	/*
	 * Which events: an expression as ttlog-view --query has it (ttlog-view(1)), and tests as --filter
	 * has them, an array that ends with NULL. All must be true. NULL: every event.
	 */
	const char *query;
	const char *const *filters;
	/* Of these only so many: the last of the dump, or the first. 0: all. Not both. */
	uint64_t newest, oldest;
	int reverse; /* 1: the last event first */
	/* Gets why an open failed, in words and terminated, if it does. NULL, 0: nobody wants to know. */
	char *why;
	size_t why_bytes;
};

/*
 * Opens a dump and reads up to its first event; "-" is the standard input. With `newest`, and with
 * `reverse` where the file has no index (a pipe, a file that was cut), it reads all of it. options NULL: every
 * event, in the order in which they were recorded. The texts of the options may be freed afterwards.
 *
 * 0, or a negative errno and *ret_dump is untouched: -EBADMSG (no dump), -EPROTONOSUPPORT (of a newer
 * version), -EINVAL (a query that makes no sense, options that do not), -E2BIG (more to turn around than
 * 48 MiB: say how many), -ENOMEM, or what open(2) and read(2) say. A FIFO is waited for.
 */
int ttlog_read_open(struct ttlog_read **ret_dump, const char *path,
		    const struct ttlog_read_options *options);
/* The same of a descriptor, from where it stands. It stays the caller's, and its position moves. */
int ttlog_read_open_fd(struct ttlog_read **ret_dump, int fd, const struct ttlog_read_options *options);
/* NULL is fine. Ends the life of all that the dump has given. */
void ttlog_read_close(struct ttlog_read *dump);

/* ---- what the dump says of the process -------------------------------------------------------- */

/* -1 where the dump does not say: of a pid, a count, a time. Times are nanoseconds since 1970. */
struct ttlog_read_info {
	struct ttlog_read_text service, hostname;
	struct ttlog_read_text created_at; /* RFC 3339, UTC */
	struct ttlog_read_text reason;	   /* as in the file's name: "sigsegv", "exit-1" */
	struct ttlog_read_text signature;  /* which bug it was: the same for the same cause */
	int64_t pid;			   /* as the recorder saw it */
	int64_t created_ns;
	int64_t death_ns; /* -1: it lived, or nobody saw when */
	int64_t events;	  /* in the dump as it was written */
	int64_t overwritten, dropped, truncated, torn; /* events that were lost; that have cut strings */
	struct ttlog_read_text comm, exe, cmdline, cgroup;
	int64_t uid, start_ns;
};

/* A process or a thread that had to do with a death. -1: not known. */
struct ttlog_read_actor {
	int64_t pid, tid, uid;
	struct ttlog_read_text comm, exe, cgroup;
};

struct ttlog_read_cause {
	/*
	 * "exit", "fault", "abort", "signal", "oom", "cgroup_kill", "parent_death", "pidns_death",
	 * "rlimit_cpu", "seccomp", "exec", "unknown", "alive" (a snapshot), and more in later versions
	 */
	struct ttlog_read_text how;
	struct ttlog_read_text confidence; /* "high", "medium", "low" */
	struct ttlog_read_text sentence;   /* for people: "killed by SIGKILL from bash (pid 12, uid 0)" */
	int64_t signal;			   /* -1: none */
	struct ttlog_read_text signal_name;
	int64_t exit_code; /* -1: none */
	int64_t code;	   /* si_code, if has_code */
	struct ttlog_read_text code_name;
	uint64_t fault_address; /* if has_fault_address: 0 is one */
	int has_code, has_fault_address;
	int core_dumped, stack_overflow;
	const struct ttlog_read_actor *sender; /* of the signal; NULL: none, or not known */
	const struct ttlog_read_actor *thread; /* that faulted, or called abort(); NULL: as above */
};

/* Never NULL, and known from the start; they live as long as the dump is open. */
const struct ttlog_read_info *ttlog_read_get_info(const struct ttlog_read *dump);
const struct ttlog_read_cause *ttlog_read_get_cause(const struct ttlog_read *dump);

/* ---- events ----------------------------------------------------------------------------------- */

enum ttlog_read_level {
	TTLOG_READ_TRACE = 0,
	TTLOG_READ_DEBUG = 1,
	TTLOG_READ_INFO = 2,
	TTLOG_READ_WARN = 3,
	TTLOG_READ_ERROR = 4,
	TTLOG_READ_FATAL = 5,
	TTLOG_READ_NO_LEVEL = 6, /* what describes the event is damaged */
};

#define TTLOG_READ_TRUNCATED 1u /* flag: a string of it was cut when it was recorded */
#define TTLOG_READ_CARRIED 2u   /* flag: time_ns is that of an earlier event of its thread */
#define TTLOG_READ_CHANNEL 4u   /* flag: it was sent to a channel */

struct ttlog_read_event {
	int64_t time_ns; /* since 1970; goes back where somebody set the wall clock back */
	uint64_t seq;	 /* its number in the dump; the first is 0 */
	enum ttlog_read_level level;
	uint32_t flags; /* TTLOG_READ_... */
	struct ttlog_read_text target;
	struct ttlog_read_text message; /* of printf's kind: with its arguments in it */
	struct ttlog_read_text thread, lane, channel;
	struct ttlog_read_text file, function;
	int64_t tid, line;    /* -1: not known */
	uint32_t field_count; /* 64 at the most */
};

/*
 * 1 and the next event that was asked for, which lives until the next call; 0 at the end; or a negative
 * errno that ends it: -ENOMEM, or what read(2) says. At the end *ret_event is untouched.
 */
int ttlog_read_next(struct ttlog_read *dump, const struct ttlog_read_event **ret_event);

enum ttlog_read_type {
	TTLOG_READ_NULL = 0, /* no value, or one that makes no sense */
	TTLOG_READ_BOOL = 1,
	TTLOG_READ_CHAR = 2,
	TTLOG_READ_UINT = 3,
	TTLOG_READ_INT = 4,
	TTLOG_READ_FLOAT = 5,
	TTLOG_READ_DOUBLE = 6,
	TTLOG_READ_POINTER = 7,
	TTLOG_READ_TEXT = 8,
	TTLOG_READ_BYTES = 9,
};

/* A field of the current event; lives until the next call of ttlog_read_next(). */
struct ttlog_read_value {
	struct ttlog_read_text name;
	enum ttlog_read_type type;
	/*
	 * The first three are the same number, for whom one of them is handy. An integer has it exactly in
	 * the one that its type names (UINT, BOOL, CHAR, POINTER: number; INT: integer); what does not fit in
	 * the others is the nearest that does. A float is only in real; text and bytes are in none.
	 */
	uint64_t number;
	int64_t integer;
	double real;
	struct ttlog_read_text text; /* TEXT and BYTES */
};

/* The first field of that name of the current event; NULL: it has none, or there is no current event. */
const struct ttlog_read_value *ttlog_read_field(const struct ttlog_read *dump, const char *name);
/* By its place, from 0; NULL: there is none. Of printf's kind they are called "arg1", "arg2" ... */
const struct ttlog_read_value *ttlog_read_field_at(const struct ttlog_read *dump, uint32_t index);

/* "TRACE" ... "FATAL"; "UNKNOWN" for anything else. Not the dump's: it always lives. */
const char *ttlog_read_level_name(enum ttlog_read_level level);

/*
 * Is anything wrong with what was read of the file? 0, or 1 and a sentence in the buffer (terminated, cut if
 * it is too long; NULL, 0: not wanted). That the end is missing shows when ttlog_read_next() has returned 0
 * and the file was read from its start to its end, as it is without a query for times and without `reverse`.
 */
int ttlog_read_damage(const struct ttlog_read *dump, char *buffer, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
