/* SPDX-License-Identifier: MIT */
/* Any bytes as a request: refused, waited for, or taken; and more bytes never change what was
 * taken. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request request, again;
	int taken, less;

	taken = http_parse((const char *)data, size, &request);
	require(taken >= -599 && taken <= (int)HTTP_REQUEST_BYTES_MAX);
	if (taken < 0) {
		require(taken <= -400);
		return 0;
	}
	if (!taken) {
		require(size < HTTP_REQUEST_BYTES_MAX);
		return 0;
	}
	require((size_t)taken <= size);
	require(memchr(request.path, '\0', sizeof(request.path)) != NULL);
	require(!request.path[0] || request.path[0] == '/');
	for (const char *at = request.path; *at; at++)
		require(*at > ' ' && *at < 0x7f);
	less = http_parse((const char *)data, (size_t)taken, &again);
	require(less == taken && !strcmp(request.path, again.path));
	require(http_parse((const char *)data, (size_t)taken - 1, &again) == 0);
	return 0;
}
