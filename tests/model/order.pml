/* SPDX-License-Identifier: MIT */
/*
 * order.pml - what a processor may do to the steps. A writer's stores reach memory in any order that
 * arm64 allows: not past an older store to the same word, a release store not past any older one, none past
 * a fence. The other side's loads are done in any order that their acquires and fences allow. With TSO
 * (x86) stores reach memory one after the other and loads are done in order.
 *
 *   default    a live reader of a chunk that is taken over and gets one event: it keeps a tenure's own
 *              header, body and account, or nothing
 *   RETIRE     a thread that writes its chunk's second event and retires it, and the next taker: it
 *              counts both events, by the data of the retire or by walking
 */
#define STATE 0
#define HEADER 1	/* of the first event; RETIRE: of the second */
#define BEHIND 2
#define BODY 3
#define TID 4
#define ACCOUNT 5	/* that of generation 2 */
#define COUNT 6		/* retired_count */
#define RGEN 7		/* retired_generation */
#define WORDS 8
#define NOT_YET -1

/* State words: generation * 10 + state. */
#define OWNED1 11
#define RETIRED1 12
#define INIT2 24
#define OWNED2 21

short memory[WORDS];

/* The store buffer: every store of this history, and which of them memory has. */
#define STORES 10
byte word[STORES];
short value[STORES];
bool released[STORES], there[STORES];
byte fences[STORES];	/* in front of it */
byte stores, fence, arrived;
bool ended;

inline store(where, what, release)
{
	d_step { word[stores]=where; value[stores]=what; released[stores]=release; fences[stores]=fence; stores++ }
}

#ifdef BREAK_OWNED_RELAXED
#define OWNED_RELEASE 0
#else
#define OWNED_RELEASE 1
#endif
#ifdef BREAK_COMMIT_RELAXED
#define COMMIT_RELEASE 0
#else
#define COMMIT_RELEASE 1
#endif
#ifdef BREAK_INIT_RELAXED
#define INIT_RELEASE 0
#else
#define INIT_RELEASE 1
#endif
#ifdef BREAK_RETIRED_RELAXED
#define RETIRED_RELEASE 0
#else
#define RETIRED_RELEASE 1
#endif

proctype Writer()
{
#ifdef RETIRE
	store(BODY, 2, 0);
	store(HEADER, 2, COMMIT_RELEASE);
	/*@ retire_1 chunk.c ttlog_chunk_retire */
	store(COUNT, 2, 0);
	/*@ retire_2 chunk.c ttlog_chunk_retire */
	store(RGEN, 1, 1);
	/*@ retire_3 chunk.c ttlog_chunk_retire */
	store(STATE, RETIRED1, RETIRED_RELEASE);
#else
	/*@ take_5 chunk.c vacate */
	store(ACCOUNT, 1, 0);
	/*@ take_6 chunk.c vacate */
	store(STATE, INIT2, INIT_RELEASE);
#ifndef BREAK_NO_FENCE_BEHIND_INIT
	/*@ take_7 chunk.c vacate */
	fence++;
#endif
	/*@ take_8 chunk.c vacate */
	store(TID, 2, 0);
	store(HEADER, 0, 0);
	/*@ take_9 chunk.c occupy */
	store(STATE, OWNED2, OWNED_RELEASE);
	/*@ record_3 ttlog.h ttlog_open_ */
	store(BEHIND, 0, 0);
	store(BODY, 2, 0);
	/*@ record_4 ttlog.h ttlog_commit_ */
	store(HEADER, 2, COMMIT_RELEASE);
#endif
	ended=1
}

proctype Buffer()
{
	byte i, j;
	bool may;

	do
	:: arrived<stores ->
	   if :: i=0 :: i=1 :: i=2 :: i=3 :: i=4 :: i=5 :: i=6 :: i=7 fi;
	   d_step {
		may=(i<stores && !there[i]);
		j=0;
		do
		:: may && j<i ->
#ifdef TSO
		   if :: !there[j] -> may=0 :: else fi;
#else
		   if :: !there[j] && (word[j]==word[i] || released[i] || fences[j]<fences[i]) -> may=0 :: else fi;
#endif
		   j++
		:: else -> break
		od;
		if :: may -> memory[word[i]]=value[i]; there[i]=1; arrived++ :: else fi;
		i=0; j=0; may=0
	   }
	:: ended && arrived==stores -> break
	od
}

/* May what comes behind the first state word be loaded, what comes behind the header, and so on? */
#if defined(BREAK_STATE_LOAD_RELAXED) && !defined(TSO)
#define STATE_ACQUIRED 1
#else
#define STATE_ACQUIRED (state!=NOT_YET)
#endif
#if defined(BREAK_WALK_RELAXED) && !defined(TSO)
#define HEADER_ACQUIRED 1
#else
#define HEADER_ACQUIRED (header!=NOT_YET)
#endif

#ifdef RETIRE
/* retired_generation decides which way to count; in either way nothing is loaded before the state. */
proctype Taker()
{
	short state=NOT_YET, header=NOT_YET, count=NOT_YET, rgen=NOT_YET;

	do
	/*@ take_2 chunk.c search */
	:: state==NOT_YET -> state=memory[STATE]
	/*@ content lane.c ttlog_lane_content */
	:: rgen==NOT_YET && STATE_ACQUIRED -> rgen=memory[RGEN]
	:: count==NOT_YET && STATE_ACQUIRED -> count=memory[COUNT]
	:: header==NOT_YET && STATE_ACQUIRED -> header=memory[HEADER]
	:: state!=NOT_YET && header!=NOT_YET && count!=NOT_YET && rgen!=NOT_YET -> break
	od;
	if
	:: state==RETIRED1 -> assert(rgen==1 -> count==2 : header==2)
	:: else
	fi
}
#else
proctype Reader()
{
	short state=NOT_YET, again=NOT_YET, header=NOT_YET, body=NOT_YET, tid=NOT_YET, account=NOT_YET;

#if defined(BREAK_NO_READER_FENCE) && !defined(TSO)
#define COPIED (state!=NOT_YET)
#else
#define COPIED (header!=NOT_YET && body!=NOT_YET && tid!=NOT_YET && account!=NOT_YET)
#endif
	do
	/*@ read_state reader_copy.c chunk_copy */
	:: state==NOT_YET -> state=memory[STATE]
	/*@ read_walk reader_copy.c walk */
	:: header==NOT_YET && STATE_ACQUIRED -> header=memory[HEADER]
	/*@ read_copy reader_copy.c chunk_copy */
	:: body==NOT_YET && STATE_ACQUIRED && HEADER_ACQUIRED -> body=memory[BODY]
	:: tid==NOT_YET && STATE_ACQUIRED && HEADER_ACQUIRED -> tid=memory[TID]
	:: account==NOT_YET && STATE_ACQUIRED -> account=memory[ACCOUNT]
	/*@ read_again reader_copy.c chunk_copy */
	:: again==NOT_YET && STATE_ACQUIRED && COPIED -> again=memory[STATE]
	:: state!=NOT_YET && header!=NOT_YET && body!=NOT_YET && tid!=NOT_YET && account!=NOT_YET && again!=NOT_YET -> break
	od;
	if
	:: state==INIT2 && again==INIT2 -> assert(account==1)
	:: state!=INIT2 && again!=INIT2 && state/10==again/10 ->
	   assert(tid==state/10);
	   assert(header==0 || (header==state/10 && body==state/10));
	   assert(state/10==1 || account==1)
	:: else
	fi
}
#endif

init {
	atomic {
#ifdef RETIRE
		memory[STATE]=OWNED1; memory[COUNT]=9;
		run Taker();
#else
		memory[STATE]=RETIRED1; memory[HEADER]=1; memory[BODY]=1; memory[TID]=1;
		run Reader();
#endif
		run Writer();
		run Buffer()
	}
}
