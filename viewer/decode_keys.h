/* SPDX-License-Identifier: MIT */
/*
 * decode_keys.h - rows of a table for decode_map(): a key has the name of the member that it goes to.
 *
 * Short names, so only files that are such tables include it.
 */
#ifndef VIEWER_DECODE_KEYS_H
#define VIEWER_DECODE_KEYS_H

#include "viewer/decode.h"

/* clang-format off */
#define SPAN(type, field) {#field, DECODE_SPAN, offsetof(struct type, field), NULL, NULL}
#define NUMBER(type, field) {#field, DECODE_NUMBER, offsetof(struct type, field), NULL, NULL}
#define TRUTH(type, field) {#field, DECODE_BOOL, offsetof(struct type, field), NULL, NULL}
#define TRUTH_NAMED(key, type, field) {key, DECODE_BOOL, offsetof(struct type, field), NULL, NULL}
#define MAP(type, field, table) {#field, DECODE_MAP, offsetof(struct type, field), table, NULL}
#define CALL(key, function) {key, DECODE_CALL, 0, NULL, function}
#define END {NULL, DECODE_SPAN, 0, NULL, NULL}
/* clang-format on */

#endif
