/* SPDX-License-Identifier: MIT */
/*
 * chunk.pml - the ring's protocol as coded, step by step: chunks, and what is found after a death.
 * stops.pml has an event's steps, and a thread's from chunk to chunk. Who takes the steps is in
 * threads.pml and handlers.pml; what a processor makes of them in order.pml and fence.pml.
 *
 * A step is what nobody can be seen in the middle of: at most one access to shared memory (or several to
 * what nobody else looks at in that state). "@ name file function" names the code that it models; the
 * code names the step ("model: name"), and tests/model.sh holds one against the other.
 *
 * The lanes are ranges of one array of chunks: main, boot, afterlife, slots. A chunk has END words for
 * events and one that is always zero. An event is a header word (size, id) and, at size 2, a body.
 * Ticket to index is plain here: a permutation changes nothing.
 *
 * What is not in the code but only watches it is called g_*.
 */
#ifndef N
#define N 2 /* chunks of main */
#endif
#ifndef B
#define B 0 /* of boot */
#endif
#ifndef AF
#define AF 0 /* of afterlife */
#endif
#ifndef SL
#define SL 0 /* slots */
#endif
#ifndef END
#define END 2
#endif
#ifndef MAXSZ
#define MAXSZ 1 /* the greatest event */
#endif
#ifndef T
#define T 2 /* threads */
#endif
#ifndef IDS
#define IDS (T*K+1) /* events have ids from 1 on; at most 30 */
#endif
#define M (END+1)

/* A thread that vanished stores nothing any more. */
#ifdef VANISH
#define ALIVE !dead[me]
#else
#define ALIVE true
#endif
#define NC (N+B+AF+SL)

#define NONE 99
#define NOBODY 7

#define MAIN 0
#define BOOT 1
#define AFTER 2
#define SLOT 3
#define LANES 4
#define LANE(c) ((c)<N -> MAIN : ((c)<N+B -> BOOT : ((c)<N+B+AF -> AFTER : SLOT)))
#define BASE(l) ((l)==MAIN -> 0 : ((l)==BOOT -> N : ((l)==AFTER -> N+B : N+B+AF)))
#define COUNT(l) ((l)==MAIN -> N : ((l)==BOOT -> B : ((l)==AFTER -> AF : SL)))

/* The state word. */
#define FREE 0
#define OWNED 1
#define RETIRED 2
#define COND 3
#define INIT 4
#define SW(g,o,s) ((g)*64+(o)*8+(s))
#define ST(x) ((x)&7)
#define OWNER(x) (((x)>>3)&7)
#define GEN(x) ((x)>>6)
#define EMPTY(x) (ST(x)==FREE || ST(x)==INIT)
#define HAS_EVENTS(x) (GEN(x)!=0 && (ST(x)==OWNED || ST(x)==RETIRED || ST(x)==COND))

/* Words of a chunk. */
#define W(c,i) w[(c)*M+(i)]
#define HEADER(sz,id) (((sz)<<5)+(id))
#define BODY(id) (96+(id))
#define SIZE(h) ((h)>>5)
#define ID(h) ((h)&31)
#define BIT(i) (1<<(i))
#define WHOLE(h,i) ((h)!=0 && (SIZE(h)==1 || SIZE(h)==2) && (i)+SIZE(h)<=END)

short st[NC];		/* state words */
byte w[NC*M];
byte ctid[NC];		/* chunk.tid */
byte cepoch[NC];	/* chunk.epoch */
byte rcount[NC];	/* chunk.retired_count */
short rticket[NC];	/* chunk.retired_ticket */
byte rgen[NC];		/* chunk.retired_generation */
byte account[2*NC];	/* .count */
byte hand[LANES];
byte dropped;
byte freeze;		/* odd: frozen */
bool boot_full;

bool dead[T];		/* no such thread (any more) */

byte g_holder[NC];	/* 1 + who believes that the chunk is his; a vanished one may be wrong */
int g_live;		/* committed and not overwritten: bits of ids */
byte g_gone;		/* overwritten */
int g_lost;		/* which */
int g_dropped;		/* no chunk could be had for them */
byte g_newest[T];	/* the thread's newest event in a chunk of its own */
bool g_starved[T];	/* it had to give its newest chunk back, or vanished */
int g_frozen;		/* committed since the freeze */
byte g_kept;		/* bits of chunks that a scan behind the freeze saw whole */
byte g_evicted;		/* chunks with events overwritten since the freeze */
#ifdef CHECK_AGE
short g_ticket[NC];	/* the hand at its newest commit */
#endif
#ifdef READER
byte g_tenure[IDS];	/* generation * 8 + chunk that it was written in */
#endif
hidden byte i_, j_, h_, n_, f_;
hidden int seen_;

/* rules of a take */
#define ONLY_FREE 0
#define NOT_YOUNG 1
#define ANY_RETIRED 2
#define VANISHED_TOO 3

/* results */
#define TAKE_NONE 0
#define TAKE_DONE 1
#define TAKE_FROZEN 2

/* stops */
#define S_NONE 0
#define S_RETIRE 1
#define S_DRAW 2
#define S_PREPARE 3
#define S_SWAP 4
#define HALF (END/2)
#define THREE_QUARTERS (END*3/4)

/*
 * Stores that only their thread looks at are one step with the access to shared memory beside them,
 * unless handlers come in between.
 */
#ifdef HANDLERS
#define ONE
#define g_committed g_open=(mine==1)
#define g_settled g_open=0
#else
#define ONE atomic
#define g_committed skip
#define g_settled skip
#endif

/* ---- a chunk ------------------------------------------------------------------------------------ */

/* The committed events, by their headers. */
inline walk(c, result) {
	result=0; i_=0;
	do
	:: i_<END && WHOLE(W(c,i_), i_) -> i_=i_+SIZE(W(c,i_)); result++
	:: else -> break
	od;
	i_=0
}

/* The last moment of all events of the chunk. */
inline g_destroy(c, first_search) {
	i_=0; n_=0; seen_=0;
	do
	:: HAS_EVENTS(s) && i_<END && WHOLE(W(c,i_), i_) ->
	   assert(g_live & BIT(ID(W(c,i_))));
	   seen_=seen_|BIT(ID(W(c,i_)));
	   i_=i_+SIZE(W(c,i_)); n_++
	:: else -> break
	od;
	g_live=g_live&~seen_; g_lost=g_lost|seen_; g_gone=g_gone+n_;
	/* Frozen, nothing is overwritten that was whole then, nor what was recorded since. */
	assert(!(g_kept & BIT(c)));
	assert(!(g_frozen & seen_));
	if :: (freeze&1) && n_>0 -> g_evicted++; assert(g_evicted<=T) :: else fi;
	/* A thread that lives, and was not alone with its last chunk, has its newest event. */
	j_=0;
	do
	:: j_<T -> assert(g_newest[j_]==0 || dead[j_] || g_starved[j_] || !(seen_ & BIT(g_newest[j_]))); j_++
	:: else -> break
	od;
#ifdef CHECK_AGE
	/* Others had half a lap of takes before its turn came. */
	assert(n_==0 || !(first_search) || tk-g_ticket[c]>=COUNT(LANE(c))/2);
#endif
	i_=0; j_=0; n_=0; seen_=0
}

/* Whose is it, if it is not retired? */
#ifdef BREAK_OWNER
#define WHOSE ctid[x]
#else
#define WHOSE OWNER(s)
#endif

#ifdef BREAK_YOUNG
#define NOT_TOO_YOUNG 1
#else
#define NOT_TOO_YOUNG (tk-rticket[x]>=COUNT(lane)/2)
#endif

/* May the candidate x be taken, in state s? */
#define GIVES_WAY \
	(ST(s)==FREE || \
	 (ST(s)==RETIRED && rule!=ONLY_FREE && \
	  (lane==AFTER -> cepoch[x]!=fw : \
	   (lane!=BOOT && (rule!=NOT_YOUNG || NOT_TOO_YOUNG)))) || \
	 ((ST(s)==OWNED || ST(s)==COND || ST(s)==INIT) && rule==VANISHED_TOO && lane!=BOOT && \
	  dead[WHOSE]))

/* Is the take to be called off, the candidate being ours? */
#ifdef BREAK_NO_RECHECK
#define CALLED_OFF 0
#elif defined(BREAK_AFTER_RECHECK)
#define CALLED_OFF (!EMPTY(s) && lane!=AFTER && (freeze&1))
#else
#define CALLED_OFF (lane==AFTER -> freeze!=fw : (!EMPTY(s) && (freeze&1)))
#endif

/*
 * The candidate x in state s, from the ticket tk: steps 3 to 9. Sets result, and gen if it is done.
 */
inline condemn() {
	/*@ take_3 chunk.c condemn */
#ifdef BREAK_NO_COND
	/* straight to INIT */
	d_step {
		ALIVE;
		if
		:: st[x]==s ->
		   won=1; assert(g_holder[x]==0 || dead[g_holder[x]-1]); g_holder[x]=me+1;
		   g_destroy(x, rule==NOT_YOUNG);
		   st[x]=SW(GEN(s)+1, me, INIT)
		:: else -> won=0
		fi
	};
#elif defined(BREAK_NO_INIT)
	/* straight to OWNED */
	d_step {
		ALIVE;
		if
		:: st[x]==s ->
		   won=1; assert(g_holder[x]==0 || dead[g_holder[x]-1]); g_holder[x]=me+1;
		   g_destroy(x, rule==NOT_YOUNG);
		   st[x]=SW(GEN(s)+1, me, OWNED)
		:: else -> won=0
		fi
	};
#else
	d_step {
		ALIVE;
		if
#ifdef BREAK_NO_SWAP
		:: true ->
#else
		:: st[x]==s ->
#endif
		   won=1; assert(g_holder[x]==0 || dead[g_holder[x]-1]); g_holder[x]=me+1;
		   st[x]=SW(GEN(s), me, (ST(s)==INIT -> INIT : COND))
		:: else -> won=0
		fi
	};
#endif
	if
	:: !won
	:: won ->
	   if
	   /*@ take_4 chunk.c condemn */
	   :: CALLED_OFF ->
	      d_step { ALIVE; st[x]=(EMPTY(s) -> s : SW(GEN(s), NOBODY, RETIRED)); g_holder[x]=0; result=TAKE_FROZEN }
	   :: else ->
	      /*@ take_5 chunk.c vacate */
	      d_step {
		ALIVE;
		if
		:: EMPTY(s) -> f_=0
#ifdef BREAK_RETIRE_DATA
		:: !EMPTY(s) && rcount[x]!=0 -> f_=rcount[x]
		:: else -> walk(x, f_)
#else
		:: !EMPTY(s) && rgen[x]==GEN(s) -> f_=rcount[x]
		:: else -> walk(x, f_)
#endif
		fi;
#ifdef BREAK_ACCOUNT
		account[2*x]=account[2*x]+f_;
#else
		account[2*x+((GEN(s)+1)&1)]=account[2*x+(GEN(s)&1)]+f_;
#endif
		f_=0
	      };
	      /*@ take_6 chunk.c vacate */
#if !defined(BREAK_NO_COND) && !defined(BREAK_NO_INIT)
	      d_step { ALIVE; g_destroy(x, rule==NOT_YOUNG); st[x]=SW(GEN(s)+1, me, INIT) };
#endif
	      /*@ take_8 chunk.c vacate */
#ifndef BREAK_NO_EMPTYING
	      d_step { ALIVE; W(x,0)=0 };
#endif
	      d_step { ALIVE; ctid[x]=me; cepoch[x]=fw };
	      /*@ take_9 chunk.c occupy */
	      d_step { ALIVE; st[x]=SW(GEN(s)+1, me, OWNED); gen=GEN(s)+1; result=TAKE_DONE }
	   fi
	fi
}

/* That many places from the ticket on. */
inline search(places) {
	at=0; result=TAKE_NONE;
	do
	:: at>=places || result!=TAKE_NONE -> break
	:: else ->
	   /*@ take_2 chunk.c search */
	   d_step { x=BASE(lane)+(tk+at)%COUNT(lane); s=st[x]; at++; won=(GIVES_WAY -> 1 : 0) };
	   if
	   :: !won
	   :: won ->
	      condemn();
	      /*@ move_hand chunk.c move_hand */
	      if
	      :: result==TAKE_DONE && at>1 && (lane==MAIN || lane==SLOT) -> d_step { ALIVE; if :: hand[lane]<tk+at -> hand[lane]=tk+at :: else fi }
	      :: else
	      fi
	   fi
	od
}

/* Chunk c, which was left in state s, is condemned and given back. */
inline retire_left(c) {
	/*@ left_1 chunk.c retire_left */
	d_step {
		ALIVE;
		if
		:: st[c]==s -> won=1; st[c]=SW(GEN(s), me, (ST(s)==INIT -> INIT : COND));
		   assert(g_holder[c]==me+1 || dead[g_holder[c]-1]); g_holder[c]=me+1
		:: else -> won=0
		fi
	};
	if
	:: won ->
	   if
	   /*@ left_init chunk.c give_back */
	   :: ST(s)==INIT -> d_step { ALIVE; W(c,0)=0 }
	   :: else
	   fi;
	   /*@ left_2 chunk.c give_back */
	   d_step { ALIVE; if :: LANE(c)==AFTER -> cepoch[c]=freeze :: else fi };
	   d_step { ALIVE; st[c]=SW(GEN(s), NOBODY, RETIRED); g_holder[c]=0 }
	:: else
	fi
}

/* Condemned and given back: what vanished threads held. */
inline retire_vanished() {
	at=0;
	do
	:: at==COUNT(lane) -> break
	:: else ->
	   /*@ vanished chunk.c retire_vanished */
	   d_step { x=BASE(lane)+at; s=st[x]; at++ };
	   if
	   :: (ST(s)==OWNED || ST(s)==COND || ST(s)==INIT) && dead[WHOSE] -> retire_left(x)
	   :: else
	   fi
	od
}

/* A chunk of `lane` by `rule` for freeze word fw: chunk x of generation gen if the result is TAKE_DONE. */
inline take_from_lane() {
	if
	:: COUNT(lane)==0 -> result=TAKE_NONE
	:: else ->
	   /*@ take_ticket chunk.c ttlog_chunk_take */
	   d_step {
		ALIVE;
		/* Nobody's age is told by the hands of other lanes: only where to begin. */
		tk=(lane==MAIN || lane==SLOT -> hand[lane] : hand[lane]%COUNT(lane));
		hand[lane]=tk+1;
		again=(rule==NOT_YOUNG -> 1 : 0)
	   };
	   do
	   :: search(COUNT(lane));
	      if
	      :: result==TAKE_NONE && again && rule==NOT_YOUNG -> rule=ANY_RETIRED
#ifdef VANISH
	      /* Whether it is time to search is anybody's guess. */
	      :: result==TAKE_NONE && again && rule==ANY_RETIRED -> retire_vanished(); rule=VANISHED_TOO
#endif
	      :: result!=TAKE_NONE || !again || rule!=NOT_YOUNG -> break
	      fi
	   od
	fi
}

/* The chunk c of that generation is given back with so many events. It is nobody's from the call on. */
inline retire(c, generation, count) {
#ifdef BREAK_RETIRE_ORDER
	/*@ retire_2 chunk.c ttlog_chunk_retire */
	d_step { ALIVE; rgen[c]=generation };
#endif
	/*@ retire_1 chunk.c ttlog_chunk_retire */
	d_step {
		ALIVE;
		rcount[c]=count;
		rticket[c]=(LANE(c)==SLOT -> tk+at-1 : (LANE(c)==MAIN -> hand[MAIN]-(count==0 -> N : 0) : 0));
#ifndef BREAK_AFTER_EPOCH
		if :: LANE(c)==AFTER -> cepoch[c]=freeze :: else fi
#endif
	};
#ifndef BREAK_RETIRE_ORDER
	/*@ retire_2 chunk.c ttlog_chunk_retire */
	d_step { ALIVE; rgen[c]=generation };
#endif
	/*@ retire_3 chunk.c ttlog_chunk_retire */
	d_step { ALIVE; assert(g_holder[c]==me+1); st[c]=SW(generation, NOBODY, RETIRED); g_holder[c]=0 }
}

/* ---- death -------------------------------------------------------------------------------------- */

/*
 * What is read if all threads die here: every event that was committed and not overwritten, each once,
 * whole, as its thread's, and a count of the others. Looks at every state that there is.
 */
active proctype Death() {
	do
	:: d_step {
		f_=0; seen_=0; j_=0;
		do
		:: j_<NC ->
		   i_=0;
		   do
		   :: HAS_EVENTS(st[j_]) && i_<END && W(j_,i_)!=0 ->
		      h_=W(j_,i_);
		      assert(WHOLE(h_, i_));
		      assert(g_live & BIT(ID(h_)));
		      assert(!(seen_ & BIT(ID(h_))));
		      assert(SIZE(h_)==1 || ID(W(j_,i_+1))==ID(h_));
		      assert(OWNER_OF(ID(h_))==ctid[j_]);
		      seen_=seen_|BIT(ID(h_));
		      i_=i_+SIZE(h_)
		   :: else -> break
		   od;
		   f_=f_+account[2*j_+(GEN(st[j_])&1)];
		   j_++
		:: else -> break
		od;
		assert(seen_==g_live);
		assert(f_==g_gone);
		i_=0; j_=0; f_=0; h_=0; seen_=0
	   }
	od
}
