/* SPDX-License-Identifier: MIT */
/* step_pieces.h - what scenarios are made of; in the traced process. */
#ifndef STEP_PIECES_H
#define STEP_PIECES_H

#include <stdint.h>

#include "tests/step_witness.h"

#define SMALL WITNESS_SMALL
#define LARGE 400u /* bytes of text that fill a chunk with eight events */

/* Of sites that are known after warm_up(). */
void record_info(uint32_t stream, uint32_t bytes);
void record_warn(uint32_t stream, uint32_t bytes);
/*
 * With 4 KiB of stack in between: like a handler's event, as the caller sees it; and whoever
 * records later than this has a frame above it, which is the proof that it is gone.
 */
void record_info_deep(uint32_t stream, uint32_t bytes);
/* The event that this stream was about to record will never return. */
void abandon(uint32_t stream);

void handle_with(void (*handler)(int number)); /* SIGUSR1 */
void on_signal(int number);		       /* records an event and an alert */

/* What a handler's events find that came in the middle of another; stream 3. */
void record_nested(uint32_t count, uint32_t bytes);

void warm_up(void);
void piece_is_over(void);
/* Through the next chunks, so that what the piece left behind is put to use. */
void record_after(void);
/* A large event, then record_after(). */
void step_large_event(void);

/* Until the next large event does not fit, or so many would. */
void fill_chunk(void);
void fill_chunk_but(uint32_t count);
void fill_chunks(uint32_t count);
uint32_t chunk_count(uint32_t lane);
uint64_t lane_hand(uint32_t lane);

/* The handler with which a thread is gone, as after clone() and exit() without libc. */
void on_signal_vanish(int number);
/* Waits until the stepped thread is no more: a tracer's zombie is somebody still. */
void await_vanished(void);
void run_thread(void *(*function)(void *argument), void *argument);
/* A thread that records when the test says so, while the one that is stepped stands still. */
void rival_start(void);
extern void (*rival_also)(void); /* NULL: nothing more */
/* As the recorder would. */
void freeze_myself(void);

#endif
