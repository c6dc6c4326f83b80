/* SPDX-License-Identifier: MIT */
/* test_fault.c - an address that somebody should not have used, in words. */
#include <criterion/criterion.h>
#include <string.h>

#include "viewer/fault.h"

#define SPAN(text) ((struct span){text, sizeof(text) - 1})
#define KNOWN(value) ((struct number){value, true})

static struct meta_slice slice = {.address = 0x7000, .bytes = {"", 0x1000}};
static struct meta_scene_thread threads[] = {
	{.tid = KNOWN(12), .name = SPAN("worker"), .is_fatal = true, .trap = KNOWN(14)},
	{.tid = KNOWN(13), .name = SPAN("ot\x1bher"), .slices = &slice, .slice_count = 1},
};
static struct meta_module module = {.start = KNOWN(0x400000),
				    .end = KNOWN(0x500000),
				    .offset = KNOWN(0x1000),
				    .path = SPAN("/bin/app")};
static struct meta_scene scene = {
	.threads = threads, .thread_count = 2, .modules = &module, .module_count = 1};

static void expect(const struct meta_cause *cause, uint64_t error_code, const char *words)
{
	struct out out;

	threads[0].error_code = KNOWN(error_code);
	out_init(&out, -1);
	cr_expect(fault_explain(&out, cause, &scene));
	cr_expect(out.bytes == strlen(words) && !memcmp(out.data, words, out.bytes), "%.*s",
		  (int)out.bytes, out.data);
	out_fini(&out);
}

static struct meta_cause segv(const char *code, uint64_t address)
{
	return (struct meta_cause){.how = SPAN("fault"),
				   .signal_name = SPAN("SIGSEGV"),
				   .code_name = {code, strlen(code)},
				   .fault_address = KNOWN(address)};
}

Test(fault, near_null_is_null)
{
	struct meta_cause cause = segv("SEGV_MAPERR", 0);

	expect(&cause, 4, "read of 0x0: a null pointer");
	cause.fault_address = KNOWN(24);
	expect(&cause, 6, "write to 0x18: a null pointer plus 24");
	cause.fault_address = KNOWN(UINT64_MAX - 7);
	expect(&cause, 6, "write to 0xfffffffffffffff8: a null pointer minus 8");
	cause.fault_address = KNOWN(0);
	cause.ip = KNOWN(0);
	expect(&cause, 20, "execution of 0x0: a null pointer");
}

Test(fault, a_stack_that_is_used_up_is_told_by_its_distance)
{
	struct meta_cause cause = segv("SEGV_ACCERR", 0x7ff0);

	cause.stack_overflow = true;
	cause.sp = KNOWN(0x8000);
	expect(&cause, 6,
	       "write to 0x7ff0: the stack has no room left, 16 bytes below the stack pointer");
	cause.sp = KNOWN(0x7f00);
	expect(&cause, 6, "write to 0x7ff0: the stack has no room left");
}

Test(fault, code_and_other_stacks_are_named)
{
	struct meta_cause cause = segv("SEGV_ACCERR", 0x400010);

	expect(&cause, 7,
	       "write to 0x400010: mapped, but not for that, in the code of /bin/app+0x1010");
	cause = segv("SEGV_MAPERR", 0x7fff);
	cause.how = SPAN("signal");
	cr_expect_not(fault_explain(NULL, &cause, &scene));
	cause = segv("SEGV_ACCERR", 0x17000);
	slice.address = 0x17000;
	expect(&cause, 21,
	       "execution of 0x17000: mapped, but not for that, in the stack of thread ot\\x1bher "
	       "(tid 13)");
	cause = segv("SEGV_MAPERR", 0xdeadbeef0);
	expect(&cause, 4,
	       "read of 0xdeadbeef0: nothing is mapped there");
}

/* The kernel was asked for it. */
Test(fault, what_was_mapped_there_is_named_with_its_access)
{
	struct meta_cause cause = segv("SEGV_ACCERR", 0x600098);

	scene.fault_mapping = (struct meta_mapping){.start = KNOWN(0x600000),
						    .end = KNOWN(0x601000),
						    .offset = KNOWN(0x3000),
						    .path = SPAN("/bin/a\tpp"),
						    .access = SPAN("r--p")};
	expect(&cause, 7,
	       "write to 0x600098: mapped, but not for that, in /bin/a\\tpp+0x3098 (r--p)");
	cause.fault_address = KNOWN(0x601000);
	expect(&cause, 7,
	       "write to 0x601000: mapped, but not for that, in no code and no stack that is known");
	cause = segv("SEGV_ACCERR", 0x600098);
	scene.fault_mapping.path = SPAN("[heap]");
	scene.fault_mapping.offset = (struct number){0};
	scene.fault_mapping.access = SPAN("rw-p");
	expect(&cause, 21,
	       "execution of 0x600098: mapped, but not for that, in [heap]+0x98 (rw-p)");
	scene.fault_mapping.path = (struct span){0};
	expect(&cause, 21,
	       "execution of 0x600098: mapped, but not for that, in memory without a file, at +0x98 (rw-p)");
	scene.fault_mapping.access = SPAN("---p");
	expect(&cause, 7,
	       "write to 0x600098: mapped, but not for that, in a guard of 4096 bytes, 3944 below its "
	       "end");
	cause.stack_overflow = true;
	cause.sp = KNOWN(0x6000a0);
	expect(&cause, 7,
	       "write to 0x600098: the stack has no room left, 8 bytes below the stack pointer, in a "
	       "guard of 4096 bytes, 3944 below its end");
}

Test(fault, what_is_not_known_is_not_said)
{
	struct meta_cause cause = {.how = SPAN("fault"), .code_name = SPAN("SI_KERNEL")};
	struct out out;

	expect(&cause, 0,
	       "the processor does not say where: an address that no program can have, or an "
	       "instruction that it may not execute");
	cause.code_name = SPAN("SEGV_MAPERR");
	out_init(&out, -1);
	cr_expect_not(fault_explain(&out, &cause, &scene));
	cr_expect_eq(out.bytes, 0);
	out_fini(&out);
	cause = segv("SEGV_NEW\n", 0x90000);
	threads[0].trap = (struct number){0};
	expect(&cause, 0,
	       "access to 0x90000: the kernel says no more than SEGV_NEW\\n, in no code and no "
	       "stack that "
	       "is known");
	cause.code_name = SPAN("FPE_INTDIV");
	cause.signal_name = SPAN("SIGFPE");
	cause.fault_address = KNOWN(0x400020);
	expect(&cause, 0,
	       "instruction at 0x400020: where an integer is divided by zero, in the code of "
	       "/bin/app+0x1020");
}
