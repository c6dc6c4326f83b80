/* SPDX-License-Identifier: MIT */
/* stops.pml - the steps of an event, and of a thread from chunk to chunk. See chunk.pml. */

/* ---- an event --------------------------------------------------------------------------------- */

inline commit(c, pos, sz) {
	/*@ record_4 ttlog.h ttlog_commit_ */
	/*@ record_4 ring.c ttlog_ring_write */
	d_step {
		ALIVE;
		W(c,pos)=HEADER(sz,id); g_live=g_live|BIT(id);
		if :: freeze&1 -> g_frozen=g_frozen|BIT(id) :: else fi;
#ifdef CHECK_AGE
		g_ticket[c]=hand[LANE(c)];
#endif
#ifdef READER
		g_tenure[id]=GEN(st[c])*8+c;
#endif
		if :: LANE(c)!=SLOT -> g_newest[me]=id; g_starved[me]=0; g_committed :: else fi
	}
}

/* Steps 3 and 4 of an event of size sz at word `pos` of chunk c. */
inline write_event(c, pos, sz) {
#if defined(READER) && T > 1
	d_step { g_clock++; g_ticks[id]=g_clock };
#endif
#ifdef BREAK_HEADER_FIRST
	commit(c, pos, sz);
#endif
	/*@ record_3 ttlog.h ttlog_open_ */
#ifndef BREAK_NO_ZERO_BEHIND
	d_step { ALIVE; W(c,(pos)+sz)=0 };
#endif
	if
	:: sz==2 ->
	   /* A value may look like a header. */
	   if :: d_step { ALIVE; W(c,(pos)+1)=BODY(id) } :: d_step { ALIVE; W(c,(pos)+1)=HEADER(1,id) } fi
	:: else
	fi;
#ifndef BREAK_HEADER_FIRST
	commit(c, pos, sz)
#endif
}

inline drop() {
	/*@ drop ring.c ttlog_ring_count_drop */
	d_step { ALIVE; dropped++; g_dropped=g_dropped|BIT(id) }
}

/* ---- the stops ---------------------------------------------------------------------------------- */

/*
 * A thread's writer: hot (chunk, NONE = none), position as `offset` and `count`, `hot_gen`, limit,
 * stop; full_, full_gen, full_count; spare, spare_gen; has_ticket, ticket. The steps below look at it
 * by these names: variables of a thread here, of the one thread in handlers.pml.
 */

/* What is of no use any more in variables: fewer states. */
#ifdef HANDLERS
#define FORGET_TAKE skip
#define FORGET_SPARE c2=NONE
#define FORGET_FULL c1=NONE
#else
#define FORGET_TAKE d_step { won=0; again=0; x=0; s=0; lane=0; rule=0; fw=0; tk=0; at=0; result=0; gen=0 }
#define FORGET_SPARE d_step { c2=NONE; spare_gen=0 }
#define FORGET_FULL d_step { c1=NONE; full_gen=0; full_count=0 }
#endif

/* What is given back is nobody's first: a jump out of here forgets it at worst. */
inline retire_full() {
	if
	:: full_!=NONE ->
#ifdef BREAK_FULL_CLEARED_LATE
	   retire(full_, full_gen, full_count); full_=NONE
#else
	   c1=full_; full_=NONE;
	   retire(c1, full_gen, full_count);
	   FORGET_FULL
#endif
	:: else
	fi
}

/*@ detach stops.c detach */
inline detach() {
	c1=hot; n1=count;
	stop=S_NONE; limit=0;
#ifdef BREAK_DETACH_LATE
	full_=c1; full_gen=hot_gen; full_count=n1;
	hot=NONE; offset=0; count=0;
#else
	hot=NONE;
	offset=0; count=0;
#ifdef BREAK_FULL_COPIED
	full_=c1;
#endif
	full_gen=hot_gen;
	full_count=n1;
	full_=c1;
#endif
	c1=NONE; n1=0
}

/*@ attach stops.c attach */
inline attach(c, generation) {
	hot_gen=generation;
	ONE { offset=0; count=0 };
	hot=c;
#ifdef SLOW
	stop=S_NONE
#else
	stop=S_RETIRE
#endif
}

/*@ draw stops.c draw */
inline draw() {
	if
	:: spare!=NONE || (B>0 && !boot_full) -> skip
	:: else -> ONE { d_step { ALIVE; ticket=hand[MAIN]; hand[MAIN]++ }; has_ticket=1 }
	fi
}

/*@ prepare stops.c prepare */
inline prepare() {
	if
	:: has_ticket ->
	   has_ticket=0;
	   fw=freeze;
	   if
	   :: fw&1
	   :: else ->
	      ONE { tk=ticket; ticket=0; lane=MAIN; rule=NOT_YOUNG };
	      search(TRIES);
	      if
	      :: result==TAKE_DONE -> ONE { spare_gen=gen; spare=x }
	      :: else
	      fi;
	      FORGET_TAKE
	   fi
	:: else
	fi
}

/*@ swap stops.c swap */
inline swap() {
	c2=spare;
#ifndef BREAK_SPARE_KEPT
	spare=NONE;
#endif
	detach();
	attach(c2, spare_gen);
#ifdef BREAK_SPARE_KEPT
	spare=NONE;
#endif
	FORGET_SPARE;
#ifdef BREAK_RETIRE_AT_SWAP
	retire_full()
#endif
}

/* A handler that jumps out of here leaves chunks behind: the next event looks for them. */
#ifdef HANDLERS
#define CHANGE_BEGIN is_changing=1
#define CHANGE_END is_changing=0
#else
#define CHANGE_BEGIN skip
#define CHANGE_END skip
#endif

/* Does what is due until an event of that size fits below the limit; ok: it does. */
inline advance(sz) {
	ok=0;
	CHANGE_BEGIN;
	do
	:: offset+sz<=limit -> ok=1; break
	:: else ->
	   if
	   :: stop==S_NONE -> break
	   /*@ retire stops.c is_settled */
	   :: stop==S_RETIRE && full_!=NONE && count==0 -> limit=offset+sz
	   :: stop==S_RETIRE && (full_==NONE || count!=0) -> retire_full(); ONE { stop=S_DRAW; limit=HALF }
	   :: stop==S_DRAW -> draw(); ONE { stop=S_PREPARE; limit=THREE_QUARTERS }
	   :: stop==S_PREPARE -> prepare(); ONE { stop=S_SWAP; limit=END }
	   :: stop==S_SWAP && spare==NONE -> break
	   :: stop==S_SWAP && spare!=NONE -> swap()
	   fi
	od;
	CHANGE_END
}

/* The slow way to the next chunk: x of generation gen if the result is TAKE_DONE. */
inline take_next() {
	do
	::
	   /*@ take_1 stops.c take_once */
	   fw=freeze;
	   if
	   :: fw&1 -> lane=AFTER; rule=ANY_RETIRED; take_from_lane()
	   :: else ->
	      result=TAKE_NONE;
#if B > 0
	      /*@ take_boot stops.c take_once */
	      if
	      :: !boot_full ->
		 lane=BOOT; rule=ONLY_FREE; take_from_lane();
		 if :: result==TAKE_NONE -> boot_full=1 :: else fi
	      :: else
	      fi;
#endif
	      if
	      :: result==TAKE_NONE -> lane=MAIN; rule=NOT_YOUNG; take_from_lane()
	      :: else
	      fi
	   fi;
	   if :: result!=TAKE_FROZEN -> break :: else fi
	od
}

/*@ next stops.c ttlog_stops_next */
inline next() {
	CHANGE_BEGIN;
#ifdef HANDLERS
	/* Behind a jump out of a change it may hold the newest event. */
	if :: hot==NONE && full_!=NONE -> g_starved[me]=1 :: else fi;
#endif
	retire_full();
	detach();
	c2=spare; spare=NONE;
	if
	:: c2!=NONE -> ONE { x=c2; gen=spare_gen; result=TAKE_DONE }
	:: else ->
	   take_next();
	   if
	   :: result==TAKE_NONE -> d_step { ALIVE; g_starved[me]=1 }; retire_full(); take_next()
	   :: else
	   fi
	fi;
	c2=NONE;
	if
	:: result==TAKE_DONE -> attach(x, gen); c3=x
	:: else
	fi;
	FORGET_TAKE;
	CHANGE_END
}

/* A thread's event into its own chunk, the slow way. */
inline record_in_chunk(sz) {
	is_new=0; c3=hot; offset3=offset;
	/*@ record_slow ring.c record_in_chunk */
	if
	:: c3==NONE || offset3+sz>END -> c3=NONE; next(); is_new=1; offset3=0
	:: else
	fi;
	if
	:: c3==NONE -> drop()
	:: else ->
	   write_event(c3, offset3, sz);
	   /*@ record_5 ring.c record_in_chunk */
	   d_step { offset=offset+sz; count++; g_settled };
	   if
	   /*@ settled stops.c ttlog_stops_settled */
	   :: is_new ->
#ifndef BREAK_SETTLED_UNMARKED
	      CHANGE_BEGIN;
#endif
	      retire_full();
#ifndef BREAK_SETTLED_UNMARKED
	      CHANGE_END;
#endif
#ifdef SLOW
	      skip
#else
	      ONE { stop=S_DRAW; limit=HALF }
#endif
	   :: else
	   fi
	fi;
	c3=NONE; offset3=0; is_new=0
}

#ifdef HANDLERS
/* What the thread owns and does not know of was left behind. (A free chunk is nobody's.) */
inline reclaim_lanes(from, to) {
	at=from;
	do
	:: at==to -> break
	:: else ->
	   /*@ reclaim chunk.c ttlog_chunk_reclaim */
	   d_step { x=at; s=st[x]; at++ };
	   if
#ifdef BREAK_RECLAIM_SPARE
	   :: ST(s)!=FREE && OWNER(s)==me && x!=hot && x!=full_ ->
#else
	   :: ST(s)!=FREE && OWNER(s)==me && x!=hot && x!=full_ && x!=spare ->
#endif
	      retire_left(x)
	   :: else
	   fi
	od
}

/* The call that is marked busy is gone. */
inline recover() {
	/*@ recover stops.c ttlog_stops_recover */
#ifndef BREAK_NO_RECLAIM
	/* What was left behind may hold the newest event. */
	if :: is_changing -> g_starved[me]=1; reclaim_lanes(0, N+B+AF); CHANGE_END :: else fi;
#endif
#ifndef BREAK_NO_RECOVER
	if
	:: hot!=NONE && W(hot,offset)!=0 -> d_step { offset=offset+SIZE(W(hot,offset)); count++ }
	:: else
	fi
#endif
}
#endif

/* The thread exits. */
inline leave() {
	/*@ leave stops.c ttlog_stops_leave */
	d_step { ALIVE; g_starved[me]=1 };
	CHANGE_BEGIN;
	retire_full();
	detach();
	retire_full();
	c2=spare; spare=NONE;
	if :: c2!=NONE -> retire(c2, spare_gen, 0) :: else fi;
	c2=NONE;
	CHANGE_END
}

