/* SPDX-License-Identifier: MIT */
/* Any bytes as a question to the control socket, and as an answer to ttlog-ctl. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void require_harmless(const char *text, size_t bytes)
{
	require(memchr(text, '\0', bytes) != NULL);
	for (; *text; text++)
		require((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void ask(const uint8_t *data, size_t size)
{
	struct ctl_request request;

	if (ctl_request_check(data, size, &request))
		return;
	require(ctl_verb_name(request.verb) != NULL);
	require_harmless(request.match, sizeof(request.match));
	require_harmless(request.reason, sizeof(request.reason));
	require(request.verb != CTL_LEVEL || request.level <= TTLOG_OFF);
	require(request.verb < CTL_LEVEL || request.match[0]);
}

static void show(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	struct ctl_item item;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	require(nowhere != NULL);
	ctl_json_row(nowhere, data, size);
	ctl_map_find(data, size, "end", &item, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ask(data, size);
	show(data, size);
	return 0;
}
