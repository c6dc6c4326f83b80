/* SPDX-License-Identifier: MIT */
/*
 * process.h - this process's region: whether there is one, where it is, and what a fork does to it.
 *
 * Two kinds of memory. The life page is wiped by the kernel in every forked child, raw clone()
 * included, so that a child knows that it has no region yet. Everything else here survives the fork
 * and tells the child what to carry over.
 */
#ifndef TTLOG_PROCESS_H
#define TTLOG_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/region.h"
#include "lib/settings.h"

enum ttlog_process_state {
	TTLOG_PROCESS_NONE = 0, /* also what a forked child finds */
	TTLOG_PROCESS_STARTING = 1,
	TTLOG_PROCESS_READY = 2,
	TTLOG_PROCESS_FAILED = 3,
	TTLOG_PROCESS_CLOSED = 4,
};

struct ttlog_writer_segment;

/* On a page of its own with MADV_WIPEONFORK. */
struct ttlog_life {
	_Atomic uint32_t state;	    /* enum ttlog_process_state; a futex */
	_Atomic uint32_t starter;   /* tid that is starting, or was the last to */
	_Atomic uint32_t overdue;   /* that takes so long that nobody waits for it any more */
	_Atomic uint32_t boot_full; /* the boot lane has no chunk left */
	_Atomic uint64_t dropped;   /* events for which there was no region */
	_Atomic uint32_t writers;   /* threads that have one; more, after threads vanished */
	_Atomic uint64_t next_search_ticks[TTLOG_LANE_COUNT]; /* when to look for vanished owners */
	_Atomic(struct ttlog_writer_segment *) segments;
};

/* Where the region is. Constant while the state is READY or CLOSED. */
struct ttlog_place {
	unsigned char *base; /* NULL: there never was one */
	struct ttlog_geometry geometry;
	struct ttlog_control
		*control; /* writable; ttlog_control_ is the read-only view of the same */
	bool connected;	  /* a recorder made the region or was given it */
};

extern struct ttlog_place ttlog_place_;

/* The life page; made on first use. Never NULL: without memory it is a static page, wiped by hand.
 */
extern _Atomic(struct ttlog_life *) ttlog_life_page_;
struct ttlog_life *ttlog_life_make_(void) __attribute__((cold));

static inline struct ttlog_life *ttlog_life(void)
{
	struct ttlog_life *life = atomic_load_explicit(&ttlog_life_page_, memory_order_acquire);

	return __builtin_expect(life != NULL, 1) ? life : ttlog_life_make_();
}

/*
 * Makes sure that there is a region. 0, or a negative errno. Several threads: one starts, the
 * others wait for it (it is bounded). Signals are blocked meanwhile, so a handler never meets its
 * own thread in here.
 */
int ttlog_process_enter(void);
/* The same with these settings; -EALREADY if it is READY. Opens a CLOSED one again. */
int ttlog_process_start(const struct ttlog_settings *settings);
void ttlog_process_close(void);
/* What is in force; before the start, what would be. */
void ttlog_process_settings(struct ttlog_settings *ret_settings);

/* 0 or a negative errno, as ttlog_attach_snapshot(). READY. */
int ttlog_process_snapshot(const char *reason);
/* The same, waiting: as ttlog_attach_snapshot_wait(). */
int ttlog_process_snapshot_wait(const char *reason, uint32_t timeout_ms, char *path,
				size_t path_bytes);

/* beat.c: the heartbeat, see ttlog_heartbeat_promise(); the state is READY. */
void ttlog_process_promise(uint32_t period_ms);
void ttlog_process_beat(void);
void ttlog_process_take_back(void);
/* Something of the ledger is for the recorder to look at. */
void ttlog_process_notice(void);

/* How the threshold is set: through the writable view. */
void ttlog_process_set_level(uint32_t level);

static inline struct ttlog_ledger *ttlog_process_ledger(void)
{
	return (struct ttlog_ledger *)(void *)(ttlog_place_.base +
					       ttlog_place_.geometry.ledger_offset);
}

static inline uint32_t ttlog_freeze_word(void)
{
	/* Pairs with the freezer's exchange; see the fence in take(), lib/ring.c. */
	return __atomic_load_n(&ttlog_control_.freeze, __ATOMIC_SEQ_CST);
}

#endif
