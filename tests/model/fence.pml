/* SPDX-License-Identifier: MIT */
/*
 * fence.pml - one against the other: a take that condemns a chunk and then looks at the freeze word
 * (chunk.c condemn(), steps 3 and 4), and a freezer that sets the word and then looks at the chunk. A
 * store may wait in its processor's buffer while a later load goes ahead; a full fence waits for it.
 * Either the freezer sees that the chunk is going, or the taker sees the freeze.
 */
bool buffered_freeze, buffered_cond;	/* stored, maybe not seen by others yet */
bool freeze, cond;			/* seen by all */
bool keeps, destroys;

active proctype Taker()
{
	/*@ take_3 chunk.c condemn */
	buffered_cond=1;
#ifndef BREAK_NO_TAKER_FENCE
	/*@ take_4 chunk.h ttlog_fence_behind_swap */
	cond;
#endif
	if :: !freeze -> destroys=1 :: else fi;
	assert(!(keeps && destroys))
}

active proctype Taker_buffer()
{
	buffered_cond; cond=1
}

active proctype Freezer()
{
	buffered_freeze=1;
#ifndef BREAK_NO_FREEZER_FENCE
	freeze;
#endif
	if :: !cond -> keeps=1 :: else fi;
	assert(!(keeps && destroys))
}

active proctype Freezer_buffer()
{
	buffered_freeze; freeze=1
}
