/* SPDX-License-Identifier: MIT */
/*
 * handlers.pml - one thread that records K events, and H signal handlers that record one each, between
 * any two of its stores. A handler runs to its end before the thread goes on, or jumps out
 * (siglongjmp): then the call that it interrupted is gone. With LEVELS=2 a handler may itself be
 * interrupted by one, which may jump into it or past it.
 *
 *   JUMPS=n     at most n handlers jump
 *   ALERTS      warnings too
 *
 * Whether a call that is marked busy is gone is known from the stack (ring.c is_gone()): one that a
 * handler interrupted counts as there; one of the same or a deeper place is gone, if that can be proved.
 */
#define HANDLERS
#define T 1
#ifndef H
#define H 1
#endif
#ifndef LEVELS
#define LEVELS 1
#endif
#ifndef JUMPS
#define JUMPS 0
#endif
#define IDS (K+H+1)
#define OWNER_OF(id) 0
#ifndef TRIES
#define TRIES N
#endif
#define me 0
#include "chunk.pml"
#include "stops.pml"

/* The writer. */
byte hot=NONE, hot_gen, offset, count, limit, stop, full_=NONE, full_gen, full_count, spare=NONE, spare_gen,
	ticket, busy;
bool has_ticket, is_changing;
byte slot_busy, slot_depth;

byte level;		/* who runs: 0 the thread, 1 a handler, 2 a handler of a handler */
bool jumped[3];		/* the call of this level was jumped out of */
byte handlers;		/* started so far */
byte jumps;
bool left;		/* the thread exits: handlers find another writer */

/*
 * Level 1 has committed an event, and not moved the position. If it is jumped into just here, and had
 * itself interrupted the thread between its look at busy and its store to it, then the thread's event takes
 * this one's place: its call never returned, so nothing is promised. Left out of what follows.
 */
bool g_open;

byte g_clock;
byte g_ticks, g_level;	/* of the newest event in the thread's own chunks */

#ifdef BREAK_NO_FLAG
#define IS_BUSY 0
#else
#define IS_BUSY busy
#endif

/* Order is by position; time steps back only behind an event of a handler that came in between. */
inline g_order(ticks, first) {
	assert(ticks>=g_ticks || g_level>mine || JUMPS);
	assert(ticks>=g_ticks || !(first) || LEVELS>1);
	g_ticks=ticks; g_level=mine
}

#define FORGET \
	ok=0; c1=NONE; c2=NONE; c3=NONE; n1=0; offset3=0; x=0; s=0; lane=0; rule=0; fw=0; tk=0; at=0; \
	result=0; gen=0; gen3=0; won=0; again=0; is_new=0; was=0; ticks=0; was_slot=0; outermost=0

/*
 * Calls that write to slots are inside one another: when the outermost is gone or over, so are all. Of two
 * calls on one level the older is gone.
 */
inline record_in_slot() {
	/*@ slots_enter ring.c slots_enter */
	was_slot=slot_busy;
	if
	:: was_slot==0 || was_slot==mine+1 -> outermost=1
	:: was_slot>mine+1 -> if :: outermost=1 :: outermost=0 fi
	:: else -> outermost=0
	fi;
	if
	:: outermost ->
	   slot_busy=mine+1;
#ifndef BREAK_NO_SLOT_RECLAIM
	   if :: was_slot -> reclaim_lanes(N+B+AF, NC) :: else fi;
#endif
	   slot_depth=0
	:: else
	fi;
	slot_depth++;
	fw=freeze; lane=SLOT; rule=(fw&1 -> ONLY_FREE : NOT_YOUNG);
	take_from_lane();
	if
	:: result==TAKE_DONE -> c3=x; gen3=gen; write_event(c3, 0, size); retire(c3, gen3, 1)
	:: else
	fi;
	/*@ slots_leave ring.c slots_leave */
	slot_depth--;
#ifdef BREAK_SLOT_RECLAIM_INNER
	if :: slot_depth || !outermost -> reclaim_lanes(N+B+AF, NC) :: else fi;
	if :: outermost -> slot_busy=0 :: else fi
#else
	if
	:: outermost ->
	   if :: slot_depth -> reclaim_lanes(N+B+AF, NC) :: else fi;
	   slot_busy=0
	:: else
	fi
#endif
}

/* Records event `id`, of size `size`, on level `mine`. */
inline record() {
	ok=0;
	do
	::
	   /*@ record_0 ttlog.h ttlog_begin_ */
	   d_step { g_clock++; ticks=g_clock };
	   if
	   :: IS_BUSY -> break
	   :: else
	   fi;
#ifdef BREAK_BUSY_LATE
	   c3=hot; offset3=offset; busy=mine+1;
#else
	   /*@ record_1 ttlog.h ttlog_begin_ */
	   busy=mine+1;
	   c3=hot; offset3=offset;
#endif
	   if
	   /*@ record_2 ttlog.h ttlog_begin_ */
	   :: offset3+size<=limit -> ok=1; break
	   :: else -> busy=0
	   fi;
	   /*@ room stops.c ttlog_room_ */
	   if
	   :: IS_BUSY || stop==S_NONE -> break
	   :: else -> busy=mine+1
	   fi;
	   advance(size);
	   busy=0;
	   if
	   :: ok -> ok=0
	   :: else -> break
	   fi
	od;
	if
	:: ok ->
	   write_event(c3, offset3, size);
	   /*@ record_5 ttlog.h ttlog_commit_ */
#ifdef BREAK_BUSY_EARLY
	   busy=0;
	   d_step { offset=offset3+size; count++; g_open=0; g_order(ticks, offset3==0) };
#else
	   d_step { offset=offset3+size; count++; g_open=0; g_order(ticks, offset3==0) };
#endif
	   busy=0
	:: else ->
	   was=IS_BUSY;
	   if
	   :: was>mine -> if :: skip :: was=NONE fi /* gone, if that can be proved */
	   :: was!=0 && was<=mine -> was=NONE
	   :: was==0
	   fi;
	   if
	   :: was==NONE ->
	      /*@ nested ring.c record_nested */
	      record_in_slot();
	      if :: result!=TAKE_DONE -> drop() :: else fi
	   :: else ->
	      busy=mine+1;
	      if :: was -> recover() :: else fi;
	      record_in_chunk(size);
	      busy=0
	   fi
	fi;
	d_step { FORGET }
}

/* One call. With ALERTS any may be a warning, for a slot. (Without one it would be an event like others.) */
inline call() {
#ifdef ALERTS
	if
	:: true -> record_in_slot(); if :: result!=TAKE_DONE -> drop() :: else fi; d_step { FORGET }
	:: true -> record()
	fi
#else
	record()
#endif
}

#define LOCALS \
	byte x, lane, rule, fw, tk, at, result, gen, gen3, was_slot, c1=NONE, c2=NONE, c3=NONE, n1, offset3, was, ticks, id, size=1; \
	bool ok, won, again, is_new, outermost; \
	short s

active proctype Thread() provided (level==0) {
	LOCALS;
	byte k, mine;
	do
	:: k<K ->
	   d_step { k++; id=k };
	   { call() } unless { jumped[0] };
	   d_step {
		jumped[0]=0;
		FORGET
	   }
	:: else -> break
	od;
	left=1;
	recover();
	leave();
	/*
	 * What a call that was jumped out of forgot was found again, but for a slot if no other was needed
	 * since; of handlers that came between a look at busy and the store to it, less.
	 */
	d_step {
		i_=0; n_=0;
		do
		:: i_<NC -> if :: g_holder[i_] && (i_<N+B+AF || !slot_busy) -> n_++ :: else fi; i_++
		:: else -> break
		od;
		assert(n_<=(LEVELS-1)*3*jumps);
		/* Each call ended in one of three ways; one that was jumped out of, perhaps. */
		seen_=(g_live^g_lost^g_dropped);
		assert(jumps || (seen_ & (BIT(K+1)-2))==BIT(K+1)-2);
		i_=0; n_=0; seen_=0
	}
}

/* Comes when the level below runs; then all of it is this one's. */
inline handler() {
	do
	:: level==mine-1 && handlers<H ->
	   d_step { level=mine; handlers++; id=K+handlers };
	   { call() } unless { jumped[mine] };
	   d_step { jumped[mine]=0; FORGET };
	   if
	   :: level=mine-1
	   :: jumps<JUMPS && !(mine==2 && g_open) -> d_step { jumps++; jumped[mine-1]=1; level=mine-1 }
	   :: jumps<JUMPS && mine==2 -> d_step { jumps++; jumped[1]=1; jumped[0]=1; level=0 }
	   fi
	od
}

active proctype Handler() provided (level==1 || (level==0 && !left && handlers<H)) {
	LOCALS;
	byte mine=1;
	handler()
}

#if LEVELS > 1
active proctype Handler_of_handler() provided (level==2 || (level==1 && handlers<H)) {
	LOCALS;
	byte mine=2;
	handler()
}
#endif
