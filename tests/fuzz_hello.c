/* SPDX-License-Identifier: MIT */
/* Any bytes as a message: refused, or within the bounds that the recorder relies on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void require_clean(const char *text, size_t bytes)
{
	require(memchr(text, '\0', bytes) != NULL);
	for (; *text; text++)
		require((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void require_harmless(const char *text, size_t bytes)
{
	require(text[0]);
	require_clean(text, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello_message message;

	if (hello_check(data, size, &message))
		return 0;
	switch (message.kind) {
	case TTLOG_MESSAGE_HELLO:
		require(message.level <= TTLOG_OFF);
		require(message.clock_source <= TTLOG_CLOCK_CNTVCT);
		require(message.clock_mode <= TTLOG_CLOCK_COARSE);
		require_harmless(message.service, sizeof(message.service));
		require_clean(message.group, sizeof(message.group));
		break;
	case TTLOG_MESSAGE_LAST_DEATH:
		require_harmless(message.service, sizeof(message.service));
		break;
	case TTLOG_MESSAGE_SNAPSHOT:
		require_harmless(message.reason, sizeof(message.reason));
		break;
	case TTLOG_MESSAGE_GOODBYE:
	case TTLOG_MESSAGE_REGION:
	case TTLOG_MESSAGE_NOTICE:
		break;
	default:
		abort();
	}
	return 0;
}
