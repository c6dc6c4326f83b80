/* SPDX-License-Identifier: MIT */
/* What a client may say, and that nothing else gets through. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/hello.h"

static struct ttlog_message_head head(uint16_t kind, size_t bytes)
{
	return (struct ttlog_message_head){
		.magic = TTLOG_MESSAGE_MAGIC,
		.version = TTLOG_ABI_VERSION,
		.kind = kind,
		.bytes = (uint32_t)bytes,
	};
}

static struct ttlog_hello good_hello(void)
{
	struct ttlog_hello hello = {
		.head = head(TTLOG_MESSAGE_HELLO, sizeof(hello)),
		.region_bytes = 1 << 20,
		.level = TTLOG_INFO,
		.flush_interval_s = 60,
		.channel_bytes = 4 << 20,
		.clock_source = TTLOG_CLOCK_TSC,
		.clock_mode = TTLOG_CLOCK_SPARSE,
		.service = "orders",
	};

	return hello;
}

/* On the heap and without a byte to spare, so that ASan sees a read behind the end. */
static int check(const void *bytes, size_t count, struct hello_message *message)
{
	void *copy = malloc(count ? count : 1);
	int err;

	memcpy(copy, bytes, count);
	err = hello_check(count ? copy : NULL, count, message);
	free(copy);
	return err;
}

Test(hello, takes_a_good_one)
{
	struct ttlog_hello hello = good_hello();
	struct hello_message message;

	cr_assert_eq(check(&hello, sizeof(hello), &message), 0);
	cr_assert_eq(message.kind, TTLOG_MESSAGE_HELLO);
	cr_assert_eq(message.region_bytes, 1 << 20);
	cr_assert_eq(message.level, TTLOG_INFO);
	cr_assert_eq(message.flush_interval_s, 60);
	cr_assert_eq(message.channel_bytes, 4 << 20);
	cr_assert_eq(message.clock_source, TTLOG_CLOCK_TSC);
	cr_assert_eq(message.clock_mode, TTLOG_CLOCK_SPARSE);
	cr_assert_str_eq(message.service, "orders");
}

/* A program is older than the recorder as long as it runs. */
Test(hello, takes_one_of_an_older_client)
{
	struct ttlog_hello hello = good_hello();
	struct hello_message message;

	hello.head.version = TTLOG_MESSAGE_COMPATIBLE;
	cr_assert_eq(check(&hello, sizeof(hello), &message), 0);
	cr_assert_str_eq(message.service, "orders");
}

Test(hello, reads_a_longer_one_up_to_what_it_knows)
{
	struct {
		struct ttlog_hello hello;
		char more[100];
	} longer = {.hello = good_hello()};
	struct hello_message message;

	longer.hello.head.bytes = sizeof(longer);
	cr_assert_eq(check(&longer, sizeof(longer), &message), 0);
	cr_assert_str_eq(message.service, "orders");
}

Test(hello, takes_the_short_messages)
{
	struct ttlog_message_head goodbye = head(TTLOG_MESSAGE_GOODBYE, sizeof(goodbye));
	struct ttlog_message_head region = head(TTLOG_MESSAGE_REGION, sizeof(region));
	struct ttlog_snapshot_request snapshot = {
		.head = head(TTLOG_MESSAGE_SNAPSHOT, sizeof(snapshot)),
		.reason = "checkpoint",
	};
	struct hello_message message;

	cr_assert_eq(check(&goodbye, sizeof(goodbye), &message), 0);
	cr_assert_eq(message.kind, TTLOG_MESSAGE_GOODBYE);
	cr_assert_eq(check(&region, sizeof(region), &message), 0);
	cr_assert_eq(message.kind, TTLOG_MESSAGE_REGION);
	cr_assert_eq(check(&snapshot, sizeof(snapshot), &message), 0);
	cr_assert_eq(message.kind, TTLOG_MESSAGE_SNAPSHOT);
	cr_assert_str_eq(message.reason, "checkpoint");
}

Test(hello, refuses_every_cut_of_a_good_one)
{
	struct ttlog_hello hello = good_hello();
	struct hello_message message;

	for (size_t count = 0; count < sizeof(hello); count++) {
		cr_assert_eq(check(&hello, count, &message), -EBADMSG, "%zu bytes", count);
		hello.head.bytes = (uint32_t)count; /* an honest length does not help... */
		cr_assert_eq(check(&hello, count, &message),
			     count < TTLOG_HELLO_BYTES_MIN ? -EBADMSG : 0, "%zu bytes", count);
		hello.head.bytes = sizeof(hello);
	}
}

/* ... but for one of those who knew no groups. */
Test(hello, takes_one_of_version_2)
{
	struct ttlog_hello hello = good_hello();
	struct hello_message message;

	hello.head.version = 2;
	hello.head.bytes = TTLOG_HELLO_BYTES_MIN;
	cr_assert_eq(check(&hello, TTLOG_HELLO_BYTES_MIN, &message), 0);
	cr_assert_str_eq(message.service, "orders");
	cr_assert_str_empty(message.group);
}

Test(hello, makes_a_groups_name_harmless)
{
	struct ttlog_hello hello = good_hello();
	struct hello_message message;

	strcpy(hello.group, "shop\n\x1b[31m");
	cr_assert_eq(check(&hello, sizeof(hello), &message), 0);
	cr_assert_str_eq(message.group, "shop??[31m");
	memset(hello.group, 'g', sizeof(hello.group));
	cr_assert_eq(check(&hello, sizeof(hello), &message), 0);
	cr_assert_eq(strlen(message.group), TTLOG_GROUP_BYTES - 1);
}

Test(hello, takes_a_question)
{
	struct ttlog_last_death_request request = {
		.head = head(TTLOG_MESSAGE_LAST_DEATH, sizeof(request)), .service = "orders"};
	struct hello_message message;

	cr_assert_eq(check(&request, sizeof(request), &message), 0);
	cr_assert_eq(message.kind, TTLOG_MESSAGE_LAST_DEATH);
	cr_assert_str_eq(message.service, "orders");
	cr_assert(hello_is_first(&message));
	for (uint32_t count = 0; count < sizeof(request); count++) {
		request.head.bytes = count;
		cr_assert_eq(check(&request, count, &message), -EBADMSG);
	}
}

Test(hello, refuses_what_makes_no_sense)
{
	struct hello_message message = {.kind = TTLOG_MESSAGE_GOODBYE};
	struct ttlog_hello hello;

	hello = good_hello();
	hello.head.magic++;
	cr_expect_eq(check(&hello, sizeof(hello), &message), -EBADMSG);
	hello = good_hello();
	hello.head.version++;
	cr_expect_eq(check(&hello, sizeof(hello), &message), -EPROTONOSUPPORT);
	hello = good_hello();
	hello.head.version = TTLOG_MESSAGE_COMPATIBLE - 1;
	cr_expect_eq(check(&hello, sizeof(hello), &message), -EPROTONOSUPPORT);
	hello = good_hello();
	hello.head.bytes++;
	cr_expect_eq(check(&hello, sizeof(hello), &message), -EBADMSG);
	hello = good_hello();
	hello.level = TTLOG_OFF + 1;
	cr_expect_eq(check(&hello, sizeof(hello), &message), -EBADMSG);
	hello = good_hello();
	hello.clock_source = TTLOG_CLOCK_CNTVCT + 1;
	cr_expect_eq(check(&hello, sizeof(hello), &message), -EBADMSG);
	hello = good_hello();
	hello.clock_mode = TTLOG_CLOCK_COARSE + 1;
	cr_expect_eq(check(&hello, sizeof(hello), &message), -EBADMSG);
	for (unsigned int kind = 0; kind < 0x10000; kind++) {
		hello = good_hello();
		hello.head.kind = (uint16_t)kind;
		if (kind != TTLOG_MESSAGE_HELLO && kind != TTLOG_MESSAGE_SNAPSHOT &&
		    kind != TTLOG_MESSAGE_GOODBYE && kind != TTLOG_MESSAGE_REGION &&
		    kind != TTLOG_MESSAGE_LAST_DEATH && kind != TTLOG_MESSAGE_NOTICE)
			cr_assert_eq(check(&hello, sizeof(hello), &message), -EBADMSG, "%u", kind);
	}
	cr_assert_eq(message.kind, TTLOG_MESSAGE_GOODBYE, "a refusal leaves the result alone");
}

Test(hello, refuses_a_message_without_end)
{
	static char bytes[HELLO_BYTES_MAX + 1];
	struct ttlog_hello hello = good_hello();
	struct hello_message message;

	hello.head.bytes = sizeof(bytes);
	memcpy(bytes, &hello, sizeof(hello));
	cr_assert_eq(check(bytes, sizeof(bytes), &message), -EBADMSG);
}

Test(hello, makes_names_harmless)
{
	static const struct {
		const char *said, *taken;
	} row[] = {
		{"", "unnamed"},
		{"a\x1b[31mb", "a?[31mb"},
		{"a\nb\tc\x7f", "a?b?c?"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"cut \xc3", "cut ?"},
		{"surrogate \xed\xa0\x80", "surrogate ???"},
		{"overlong \xc0\xaf", "overlong ??"},
		{"c1 \xc2\x9b"
		 "31m",
		 "c1 ??31m"},
		{"\xf0\x9f\x92\xa5", "\xf0\x9f\x92\xa5"},
		{"\xf4\x90\x80\x80", "????"},
	};
	struct hello_message message;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct ttlog_hello hello = good_hello();

		memset(hello.service, 0, sizeof(hello.service));
		memcpy(hello.service, row[i].said, strlen(row[i].said));
		cr_assert_eq(check(&hello, sizeof(hello), &message), 0);
		cr_expect_str_eq(message.service, row[i].taken);
	}
}

Test(hello, ends_names_that_have_no_end)
{
	struct ttlog_hello hello = good_hello();
	struct ttlog_snapshot_request snapshot = {
		.head = head(TTLOG_MESSAGE_SNAPSHOT, sizeof(snapshot)),
	};
	struct hello_message message;

	memset(hello.service, 'x', sizeof(hello.service));
	cr_assert_eq(check(&hello, sizeof(hello), &message), 0);
	cr_assert_eq(strlen(message.service), TTLOG_SERVICE_BYTES - 1);
	memset(snapshot.reason, 'y', sizeof(snapshot.reason));
	cr_assert_eq(check(&snapshot, sizeof(snapshot), &message), 0);
	cr_assert_eq(strlen(message.reason), TTLOG_REASON_BYTES - 1);
}
