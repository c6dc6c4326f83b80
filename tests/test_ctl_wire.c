/* SPDX-License-Identifier: MIT */
/* Questions of the control socket as bytes: what is said is heard, and nothing else is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "recorder/ctl_wire.h"

static struct pack pack;

static void begin(void)
{
	cr_assert_eq(pack_init(&pack, 64, CTL_REQUEST_BYTES_MAX), 0);
}

static void end(void)
{
	pack_fini(&pack);
}

TestSuite(ctl_wire, .init = begin, .fini = end);

static const struct ctl_request questions[] = {
	{.verb = CTL_LIST},
	{.verb = CTL_STATUS, .match = "orders"},
	{.verb = CTL_LEVEL, .match = "4711", .level = TTLOG_OFF},
	{.verb = CTL_LEVEL, .match = "orders", .level = TTLOG_TRACE},
	{.verb = CTL_FREEZE,
	 .match = "orders with a name of sixty-three bytes, which is the most it c"},
	{.verb = CTL_THAW, .match = "\xc3\xbc"},
	{.verb = CTL_SNAPSHOT, .match = "orders", .reason = "why not", .wait = true},
};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void ask(const struct ctl_request *question)
{
	pack.bytes = 0;
	ctl_request_pack(&pack, question);
	cr_assert_eq(pack.error, 0);
}

Test(ctl_wire, what_is_asked_is_what_is_heard)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct ctl_request heard;

		ask(&questions[i]);
		cr_assert_eq(ctl_request_check(pack.data, pack.bytes, &heard), 0, "%zu", i);
		cr_assert_eq(heard.verb, questions[i].verb);
		cr_assert_str_eq(heard.match, questions[i].match);
		cr_assert_str_eq(heard.reason, questions[i].reason);
		cr_assert_eq(heard.wait, questions[i].wait);
		if (heard.verb == CTL_LEVEL)
			cr_assert_eq(heard.level, questions[i].level);
	}
}

Test(ctl_wire, a_question_that_is_cut_or_goes_on_is_none)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct ctl_request heard;

		ask(&questions[i]);
		for (size_t bytes = 0; bytes < pack.bytes; bytes++)
			cr_assert_eq(ctl_request_check(pack.data, bytes, &heard), -EBADMSG,
				     "%zu: %zu", i, bytes);
		pack_uint(&pack, 0);
		cr_assert_eq(ctl_request_check(pack.data, pack.bytes, &heard), -EBADMSG);
	}
}

/* A map of the keys that every question has, and one more. */
static void ask_by_hand(const char *verb, uint64_t version, const char *key)
{
	pack.bytes = 0;
	pack_map(&pack, key ? 3 : 2);
	pack_string(&pack, "version", 7);
	pack_uint(&pack, version);
	pack_string(&pack, "do", 2);
	pack_string(&pack, verb, strlen(verb));
	if (key)
		pack_string(&pack, key, strlen(key));
}

static int check(struct ctl_request *ret_request)
{
	return ctl_request_check(pack.data, pack.bytes, ret_request);
}

Test(ctl_wire, another_version_is_said_to_be_one)
{
	struct ctl_request heard;

	ask_by_hand("list", CTL_VERSION + 1, NULL);
	cr_assert_eq(check(&heard), -EPROTONOSUPPORT);
	ask_by_hand("a verb of tomorrow", CTL_VERSION + 1, NULL);
	cr_assert_eq(check(&heard), -EPROTONOSUPPORT);
	ask_by_hand("list", CTL_VERSION, NULL);
	cr_assert_eq(check(&heard), 0);
}

Test(ctl_wire, what_it_does_not_know_is_skipped_unless_it_is_a_verb)
{
	struct ctl_request heard;

	ask_by_hand("tail", CTL_VERSION, NULL);
	cr_assert_eq(check(&heard), -EBADMSG);
	ask_by_hand("list", CTL_VERSION, "colour");
	pack_array(&pack, 2);
	pack_string(&pack, "red", 3);
	pack_f64(&pack, 0);
	cr_assert_eq(check(&heard), 0);
}

Test(ctl_wire, an_action_has_to_say_on_whom)
{
	struct ctl_request heard;

	for (enum ctl_verb verb = CTL_LEVEL; verb < CTL_VERBS; verb++) {
		ask_by_hand(ctl_verb_name(verb), CTL_VERSION, "level");
		pack_uint(&pack, 2);
		cr_assert_eq(check(&heard), -EBADMSG, "%s", ctl_verb_name(verb));
	}
}

Test(ctl_wire, values_out_of_bounds_are_refused)
{
	char name[TTLOG_SERVICE_BYTES + 1];
	struct ctl_request heard;

	memset(name, 'x', sizeof(name));
	for (size_t bytes = TTLOG_SERVICE_BYTES - 1; bytes <= TTLOG_SERVICE_BYTES; bytes++) {
		ask_by_hand("list", CTL_VERSION, "match");
		pack_string(&pack, name, bytes);
		cr_assert_eq(check(&heard), bytes < TTLOG_SERVICE_BYTES ? 0 : -EBADMSG);
	}
	ask_by_hand("list", CTL_VERSION, "match");
	pack_string(&pack, "a\0b", 3);
	cr_assert_eq(check(&heard), -EBADMSG);
	ask_by_hand("level", CTL_VERSION, "level");
	pack_uint(&pack, TTLOG_OFF + 1);
	cr_assert_eq(check(&heard), -EBADMSG);
	ask_by_hand("list", CTL_VERSION, "wait");
	pack_uint(&pack, 1);
	cr_assert_eq(check(&heard), -EBADMSG);
}

Test(ctl_wire, what_a_terminal_would_obey_is_taken_out)
{
	struct ctl_request heard;

	ask_by_hand("list", CTL_VERSION, "match");
	pack_string(&pack, "a\033[31mb\xc2\x9b", 9);
	cr_assert_eq(check(&heard), 0);
	cr_assert_str_eq(heard.match, "a?[31mb??");
}

Test(ctl_wire, counts_that_lie_are_not_counted_up_to)
{
	/* A map of 2^64 - 1 entries; one with an array of 2^32 - 1 behind its key. */
	static const unsigned char lies[][16] = {
		{0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0xa1, 0x61, 'x', 0x9a, 0xff, 0xff, 0xff, 0xff, 0x80, 0x80},
	};
	struct ctl_item item;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct ctl_request heard;

		cr_assert_eq(ctl_request_check(lies[i], sizeof(lies[i]), &heard), -EBADMSG);
		cr_assert_not(ctl_map_find(lies[i], sizeof(lies[i]), "end", &item, NULL));
	}
}

Test(ctl_wire, nesting_has_an_end)
{
	struct ctl_request heard;

	for (unsigned int depth = 1; depth < 12; depth++) {
		ask_by_hand("list", CTL_VERSION, "deep");
		for (unsigned int i = 0; i < depth; i++)
			pack_array(&pack, 1);
		pack_uint(&pack, 1);
		cr_assert_eq(check(&heard), depth < CTL_DEPTH_MAX ? 0 : -EBADMSG, "%u", depth);
	}
}

Test(ctl_wire, the_control_socket_is_beside_the_other)
{
	char path[32];

	cr_assert_eq(ctl_socket_beside("/run/ttlog/recorder.sock", path, sizeof(path)), 0);
	cr_assert_str_eq(path, "/run/ttlog/control.sock");
	cr_assert_eq(ctl_socket_beside("recorder.sock", path, sizeof(path)), 0);
	cr_assert_str_eq(path, "control.sock");
	cr_assert_eq(ctl_socket_beside("/a/folder/with/a/long/name/x.sock", path, sizeof(path)),
		     -ENAMETOOLONG);
}
