/* SPDX-License-Identifier: MIT */
/*
 * threads.pml - T threads that record K events each (K1, but the first, if that is set), a freezer, a live reader, threads that vanish.
 *
 *   FREEZES=n   the recorder freezes, scans and thaws n times
 *   NO_SCAN     ... without a scan, which is to find again what it saw
 *   READER      a recorder copies the living region
 *   VANISH=n    the first n threads may be gone at any step, without a word
 *   SLOW        no clock that the fast path can read: all events go the slow way
 */
#define OWNER_OF(id) (((id)-1)/K)
#ifndef T
#define T 2
#endif
#ifndef TRIES
#define TRIES N
#endif
#ifndef K1
#define K1 K
#endif
#define EVENTS_OF(t) ((t)==0 -> K : K1)
#define MINE ((BIT(EVENTS_OF(me))-1)<<(me*K+1))
#ifdef READER
#if T > 1
byte g_clock, g_ticks[T*K+1];
#define TICKS(id) g_ticks[id]
#else
#define TICKS(id) (id) /* a thread's events are in the order of their ids */
#endif
#endif
#include "chunk.pml"
#include "stops.pml"

proctype Thread(byte me) {
	byte k, id, size, hot=NONE, hot_gen, offset, count, limit, stop, full_=NONE, full_gen, full_count,
		spare=NONE, spare_gen, ticket;
	bool has_ticket, ok, won, again, is_new;
	byte x, lane, rule, fw, tk, at, result, gen, c1=NONE, c2=NONE, c3=NONE, n1, offset3;
	short s;

	do
	:: k<EVENTS_OF(me) ->
	   atomic {
		k++; id=me*K+k;
#if MAXSZ > 1
		if :: size=1 :: size=2 fi
#else
		size=1
#endif
	   };
	   advance(size);
	   if
	   :: ok ->
	      write_event(hot, offset, size);
	      /*@ record_5 ttlog.h ttlog_commit_ */
	      d_step { offset=offset+size; count++ }
	   :: else -> record_in_chunk(size)
	   fi;
	   d_step { id=0; ok=0; won=0; again=0; x=0; lane=0; rule=0; fw=0; tk=0; at=0; result=0; gen=0; s=0 }
	:: k==EVENTS_OF(me) -> break
	od;
	leave();
	d_step {
		ALIVE;
		dead[me]=1;
		/* Each call ended in one of three ways. */
		assert(((g_live^g_lost^g_dropped) & MINE)==MINE)
	}
}

#ifdef VANISH
/* The kernel knows of no such thread any more. */
active proctype Vanish() {
	byte t;
	do
	:: t<VANISH -> if :: dead[t]=1 :: skip fi; t++
	:: else -> break
	od
}
#endif

#ifdef FREEZES
active proctype Freezer() {
	byte r, c;
	do
	:: r<FREEZES ->
	   r++;
	   d_step { freeze++; g_evicted=0; g_frozen=0 };
#ifndef NO_SCAN
	   /* At once: what holds for a scan at any moment holds for one that takes its time. */
	   d_step {
		c=0;
		do
		:: c<NC ->
		   g_kept=g_kept|((LANE(c)!=AFTER && (ST(st[c])==OWNED || ST(st[c])==RETIRED)) -> BIT(c) : 0);
		   c++
		:: else -> break
		od;
		c=0
	   };
#endif
	   d_step { freeze++; g_kept=0; g_evicted=0; g_frozen=0 }
	:: else -> break
	od
}
#endif

#ifdef READER
/*
 * Copies the living region. What it keeps are events of the tenure that it read, whole, and no thread's
 * have a gap: what is missing in front of the newest was overwritten, and is counted.
 */
#define SAME_TENURE(before, after) (GEN(before)==GEN(after) && ST(after)!=INIT)

/* The count of a chunk of which nothing is kept. */
inline read_account() {
	/*@ read_account reader_copy.c account_take */
	s1=st[c];
	tries=0;
	do
	:: tries<3 ->
	   tries++;
	   one=account[2*c+(GEN(s1)&1)];
	   s2=st[c];
	   if
	   :: GEN(s1)==GEN(s2) -> break
	   :: else -> s1=s2
	   fi
	:: else -> break
	od;
	ONE { lost=lost+one; tries=0; one=0 }
}

active proctype Reader() {
	byte c, i, length, newest, one, lost, before, tid, tries, b[M];
	bool backwards, keeps;
	short s1, s2, scanned[NC];
	int got;

	before=g_gone;
	do
	:: c<NC ->
	   /*@ read_newest reader_copy.c newest_first */
	   s1=st[c];
	   if
	   :: HAS_EVENTS(s1) ->
	      d_step { one=W(c,0); newest=((one!=0 && TICKS(ID(one))>newest) -> TICKS(ID(one)) : newest); one=0 }
	   :: else
	   fi;
	   c++
	:: else -> break
	od;
	c=0;
	do
	:: c<NC ->
	   /*@ read_scan reader_copy.c scan */
	   d_step { scanned[c]=st[c]; c++ }
	:: else -> break
	od;
	c=0;
	do
	:: c<NC ->
	   keeps=0;
	   /*@ read_state reader_copy.c chunk_copy */
	   s1=st[c];
	   if
	   :: !HAS_EVENTS(scanned[c]) || !HAS_EVENTS(s1) || !SAME_TENURE(scanned[c], s1)
	   :: else ->
	      one=account[2*c+(GEN(s1)&1)];
	      /*@ read_walk reader_copy.c walk */
#ifdef BREAK_READ_RAW
	      length=END;
#else
	      length=0;
	      do
	      :: length<END -> d_step { i=W(c,length); length=(WHOLE(i, length) -> length+SIZE(i) : length+100) }
	      :: else -> break
	      od;
	      if :: length>=100 -> length=length-100 :: else fi;
	      i=0;
#endif
	      /*@ read_copy reader_copy.c chunk_copy */
	      tid=ctid[c];
	      if :: backwards=0 :: length>1 -> backwards=1 fi;
	      i=0;
	      do
	      :: i<length -> d_step { b[(backwards -> length-1-i : i)]=W(c,(backwards -> length-1-i : i)); i++ }
	      :: else -> break
	      od;
	      /*@ read_again reader_copy.c chunk_copy */
#ifdef BREAK_READ_ONCE
	      s2=s1;
#else
	      s2=st[c];
#endif
	      if
	      :: SAME_TENURE(s1, s2) ->
		 d_step {
			lost=lost+one; keeps=1; i=0;
			do
			:: i<length && b[i]!=0 ->
			   assert(WHOLE(b[i], i));
			   assert(g_tenure[ID(b[i])]==GEN(s1)*8+c);
			   assert(SIZE(b[i])==1 || ID(b[i+1])==ID(b[i]));
			   assert(OWNER_OF(ID(b[i]))==tid);
#ifndef BREAK_READ_NO_NEWEST
			   if
			   :: i>0 || TICKS(ID(b[i]))<=newest -> got=got|BIT(ID(b[i]))
			   :: else -> i=END
			   fi;
#else
			   got=got|BIT(ID(b[i]));
#endif
			   i=(i<END -> i+SIZE(b[i]) : i)
			:: else -> break
			od;
			i=0; length=0; tid=0; one=0; b[0]=0; b[1]=0
		 }
	      :: else
	      fi
	   fi;
	   if
	   :: !keeps -> ONE { i=0; length=0; tid=0; one=0; b[0]=0; b[1]=0 }; read_account()
	   :: else
	   fi;
	   ONE { s1=0; s2=0; backwards=0; c++ }
	:: else -> break
	od;
	skip;
	d_step {
		c=0;
		do
		:: c<T ->
		   i=K; keeps=0;
		   do
		   :: i>0 ->
		      if
		      :: got & BIT(c*K+i) -> keeps=1
		      :: else -> assert(!keeps || ((g_lost|g_dropped) & BIT(c*K+i)))
		      fi;
		      i--
		   :: else -> break
		   od;
		   c++
		:: else -> break
		od;
		assert(before<=lost && lost<=g_gone);
		c=0; i=0; got=0; newest=0; lost=0; before=0; keeps=0
	}
}
#endif

init {
	atomic {
		byte t=0;
		do :: t<T -> run Thread(t); t++ :: else -> break od
	}
}
