/* SPDX-License-Identifier: MIT */
/* The same bug has the same signature, another one has another. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "recorder/signature.h"

static struct scene_module modules[] = {
	{.start = 0x1000, .end = 0x2000, .path = "/usr/bin/orders", .build_id_bytes = 4,
	 .build_id = {1, 2, 3, 4}},
	{.start = 0x8000, .end = 0x9000, .path = "/usr/lib/libc.so.6", .build_id_bytes = 4,
	 .build_id = {5, 6, 7, 8}},
};

static struct scene_frame frames[64];
static struct scene_thread thread;
static struct scene scene;
static struct verdict verdict;

static void put_frame(unsigned int at, const char *function, const char *symbol, int module,
		      uint64_t offset)
{
	frames[at] = (struct scene_frame){
		.pc = modules[module].start + offset,
		.module = module,
		.offset = offset,
		.function = (char *)(uintptr_t)function,
		.symbol = (char *)(uintptr_t)symbol,
	};
	thread.frame_count = at + 1;
}

static void put_fault(void)
{
	thread = (struct scene_thread){.frames = frames, .is_fatal = true};
	scene = (struct scene){.threads = &thread, .thread_count = 1, .modules = modules,
			       .module_count = 2, .root_fd = -1};
	verdict = (struct verdict){.how = VERDICT_FAULT, .have_signal = true, .signal = SIGSEGV};
	put_frame(0, "parse", NULL, 0, 0x10);
	put_frame(1, "serve", NULL, 0, 0x20);
	put_frame(2, NULL, NULL, 0, 0x30);
	put_frame(3, NULL, "__libc_start_main", 1, 0x40);
}

TestSuite(signature, .init = put_fault, .timeout = 120);

static const char *make(void)
{
	static char signatures[8][SIGNATURE_BYTES];
	static unsigned int next;
	char *signature = signatures[next++ % 8];
	const struct signature_facts facts = {
		.verdict = &verdict, .exe = "/usr/bin/orders", .scene = &scene};

	signature_make(&facts, signature);
	return signature;
}

Test(signature, is_sixteen_digits)
{
	const char *signature = make();

	cr_expect_eq(strlen(signature), SIGNATURE_DIGITS);
	cr_expect_eq(strspn(signature, "0123456789abcdef"), SIGNATURE_DIGITS, "%s", signature);
	cr_expect_str_neq(signature, "0000000000000000");
}

Test(signature, is_the_same_wherever_the_program_was_loaded)
{
	const char *before = make();

	for (unsigned int i = 0; i < thread.frame_count; i++)
		frames[i].pc += 0x7f0000000000;
	for (unsigned int i = 0; i < 2; i++)
		modules[i].start += 0x7f0000000000;
	verdict.ip = 0x7f1234;
	verdict.fault_address = 0x99;
	frames[1].line = 77;
	cr_expect_str_eq(make(), before);
}

Test(signature, differs_by_cause_build_and_place)
{
	const char *one = make(), *other;

	verdict.signal = SIGBUS;
	other = make();
	cr_expect_str_neq(other, one);
	verdict.signal = SIGSEGV;
	modules[0].build_id[0]++;
	cr_expect_str_neq(make(), one);
	modules[0].build_id[0]--;
	cr_expect_str_eq(make(), one);
	frames[1].function = "write_answer";
	cr_expect_str_neq(make(), one);
	frames[1].function = "serve";
	frames[2].offset++; /* nothing else is known of that place */
	cr_expect_str_neq(make(), one);
}

Test(signature, of_an_abort_tells_who_gave_up_not_how)
{
	const char *one, *with_debug_files;

	verdict.how = VERDICT_ABORT;
	verdict.signal = SIGABRT;
	put_frame(0, NULL, "pthread_kill", 1, 0x100);
	put_frame(1, NULL, "raise", 1, 0x200);
	put_frame(2, NULL, "abort", 1, 0x300);
	put_frame(3, "check_order", NULL, 0, 0x10);
	one = make();
	put_frame(0, "__pthread_kill_implementation", NULL, 1, 0x100);
	put_frame(1, "__pthread_kill_internal", NULL, 1, 0x101);
	put_frame(2, "__GI___pthread_kill", NULL, 1, 0x102);
	put_frame(3, "__GI_raise", NULL, 1, 0x200);
	put_frame(4, "__GI_abort", NULL, 1, 0x300);
	put_frame(5, "check_order", NULL, 0, 0x10);
	with_debug_files = make();
	cr_expect_str_eq(with_debug_files, one);
	put_frame(5, "check_stock", NULL, 0, 0x10);
	cr_expect_str_neq(make(), one);
}

Test(signature, skips_no_function_whose_name_only_begins_like_abort)
{
	const char *one;

	put_frame(0, "kill_session", NULL, 0, 0x10);
	put_frame(1, "serve", NULL, 0, 0x20);
	one = make();
	put_frame(0, "raise_alarm", NULL, 0, 0x10);
	cr_expect_str_neq(make(), one);
}

Test(signature, of_a_used_up_stack_is_its_circle_wherever_it_ended)
{
	const char *one;

	verdict.stack_overflow = true;
	for (unsigned int i = 0; i < 40; i++)
		put_frame(i, i % 2 ? "visit" : "descend", NULL, 0, 0x10 + i);
	one = make();
	put_frame(0, "memcpy", NULL, 1, 0x10); /* it was here that the last page went */
	put_frame(40, "visit", NULL, 0, 0x10);
	cr_expect_str_eq(make(), one);
	for (unsigned int i = 0; i < 41; i++)
		put_frame(i, "visit", NULL, 0, 0x10 + i);
	cr_expect_str_neq(make(), one);
}

Test(signature, of_who_was_killed_from_outside_does_not_say_where_it_was)
{
	const char *one;

	verdict = (struct verdict){.how = VERDICT_SIGNAL, .have_signal = true, .signal = SIGKILL};
	one = make();
	frames[0].function = "somewhere_else";
	cr_expect_str_eq(make(), one);
	verdict.signal = SIGTERM;
	cr_expect_str_neq(make(), one);
}

Test(signature, takes_the_path_where_no_build_is_known)
{
	struct signature_facts facts = {.verdict = &verdict, .exe = "/opt/a"};
	char one[SIGNATURE_BYTES], other[SIGNATURE_BYTES];

	verdict = (struct verdict){.how = VERDICT_EXIT, .have_exit_code = true, .exit_code = 3};
	signature_make(&facts, one);
	facts.exe = "/opt/a (deleted)";
	signature_make(&facts, other);
	cr_expect_str_eq(other, one);
	facts.exe = "/opt/b";
	signature_make(&facts, other);
	cr_expect_str_neq(other, one);
	facts.exe = NULL;
	signature_make(&facts, other);
	cr_expect_str_neq(other, one);
	verdict.exit_code = 4;
	facts.exe = "/opt/a";
	signature_make(&facts, other);
	cr_expect_str_neq(other, one);
}

Test(signature, cuts_what_the_compiler_adds_to_names)
{
	const char *one = make();

	frames[0].function = "parse.part.0";
	cr_expect_str_eq(make(), one);
	frames[0].function = "parse.constprop.2.cold";
	cr_expect_str_eq(make(), one);
}
