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

void handle_with(void (*handler)(int number)); /* SIGUSR1 */
void on_signal(int number);		       /* records an event and an alert */

void warm_up(void);
void piece_is_over(void);
/* Through the next chunks, so that what the piece left behind is put to use. */
void record_after(void);
/* A large event, then record_after(). */
void step_large_event(void);

/* Until the next large event does not fit. */
void fill_chunk(void);
void fill_chunks(uint32_t count);
uint32_t chunk_count(uint32_t lane);
uint64_t lane_hand(uint32_t lane);

void run_thread(void *(*function)(void *argument), void *argument);
/* As the recorder would. */
void freeze_myself(void);

#endif
