/* SPDX-License-Identifier: MIT */
/* hello.c - the recorder's side of the hello in lib/ttlog_abi_hello.h, without a socket. */
#include "recorder/hello.h"

#include <errno.h>
#include <string.h>

#include "recorder/log.h"

static void take_text(char *to, const char *from, size_t bytes, const char *if_empty)
{
	memcpy(to, from, bytes);
	to[bytes - 1] = '\0';
	memset(to + strlen(to), 0, bytes - strlen(to));
	log_clean(to, LOG_CLEAN_LINE);
	if (!to[0])
		strcpy(to, if_empty);
}

void hello_service(char *to, const char *from)
{
	take_text(to, from, TTLOG_SERVICE_BYTES, "unnamed");
}

void hello_group(char *to, const char *from)
{
	take_text(to, from, TTLOG_GROUP_BYTES, "");
}

static int take_hello(const void *bytes, size_t count, struct hello_message *message)
{
	struct ttlog_hello hello = {0};

	if (count < TTLOG_HELLO_BYTES_MIN)
		return -EBADMSG;
	memcpy(&hello, bytes, count < sizeof(hello) ? count : sizeof(hello));
	if (hello.level > TTLOG_OFF || hello.clock_source > TTLOG_CLOCK_CNTVCT ||
	    hello.clock_mode > TTLOG_CLOCK_COARSE)
		return -EBADMSG;
	message->region_bytes = hello.region_bytes;
	message->channel_bytes = hello.channel_bytes;
	message->level = hello.level;
	message->flush_interval_s = hello.flush_interval_s;
	message->clock_source = (enum ttlog_clock_source)hello.clock_source;
	message->clock_mode = (enum ttlog_clock_mode)hello.clock_mode;
	hello_service(message->service, hello.service);
	hello_group(message->group, hello.group);
	return 0;
}

static int take_snapshot(const void *bytes, size_t count, struct hello_message *message)
{
	struct ttlog_snapshot_request request;

	if (count < sizeof(request))
		return -EBADMSG;
	memcpy(&request, bytes, sizeof(request));
	take_text(message->reason, request.reason, sizeof(message->reason), "unnamed");
	return 0;
}

static int take_question(const void *bytes, size_t count, struct hello_message *message)
{
	struct ttlog_last_death_request request;

	if (count < sizeof(request))
		return -EBADMSG;
	memcpy(&request, bytes, sizeof(request));
	hello_service(message->service, request.service);
	return 0;
}

int hello_check(const void *bytes, size_t count, struct hello_message *ret_message)
{
	struct ttlog_message_head head;
	struct hello_message message = {0};
	int err = 0;

	if (count < sizeof(head) || count > HELLO_BYTES_MAX)
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	if (head.magic != TTLOG_MESSAGE_MAGIC)
		return -EBADMSG;
	/* Before the rest: another version may mean something else by it. */
	if (head.version < TTLOG_MESSAGE_COMPATIBLE || head.version > TTLOG_ABI_VERSION)
		return -EPROTONOSUPPORT;
	if (head.bytes != count)
		return -EBADMSG;
	message.kind = (enum ttlog_message_kind)head.kind;
	if (head.kind == TTLOG_MESSAGE_HELLO)
		err = take_hello(bytes, count, &message);
	else if (head.kind == TTLOG_MESSAGE_SNAPSHOT)
		err = take_snapshot(bytes, count, &message);
	else if (head.kind == TTLOG_MESSAGE_LAST_DEATH)
		err = take_question(bytes, count, &message);
	else if (head.kind != TTLOG_MESSAGE_GOODBYE && head.kind != TTLOG_MESSAGE_REGION &&
		 head.kind != TTLOG_MESSAGE_NOTICE)
		err = -EBADMSG;
	if (!err)
		*ret_message = message;
	return err;
}

bool hello_is_first(const struct hello_message *message)
{
	return message->kind == TTLOG_MESSAGE_HELLO || message->kind == TTLOG_MESSAGE_LAST_DEATH;
}

bool hello_is_alone(const struct hello_message *message)
{
	return message->kind == TTLOG_MESSAGE_SNAPSHOT || message->kind == TTLOG_MESSAGE_NOTICE;
}

struct ttlog_welcome hello_welcome(int status, uint32_t flags)
{
	return (struct ttlog_welcome){
		.head =
			{
				.magic = TTLOG_MESSAGE_MAGIC,
				.version = TTLOG_ABI_VERSION,
				.kind = TTLOG_MESSAGE_WELCOME,
				.bytes = sizeof(struct ttlog_welcome),
			},
		.status = status,
		.flags = flags,
	};
}
