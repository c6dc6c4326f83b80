/* SPDX-License-Identifier: MIT */
/* Which deaths are of one kind, before anything is read of their dumps. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/dumper.h"
#include "recorder/keep.h"

#define PROGRAM "/usr/bin/orders"
#define LIBRARY "/usr/lib/libc.so.6"

static struct scene_module mapped[2];
static struct modules modules;
static struct subject subject;
static struct verdict verdict;

static void put_abort(void)
{
	mapped[0] = (struct scene_module){.start = 0x1000, .end = 0x2000, .path = strdup(PROGRAM),
					  .build_id_bytes = 4, .build_id = {1, 2, 3, 4}};
	mapped[1] = (struct scene_module){.start = 0x8000, .end = 0x9000, .path = strdup(LIBRARY),
					  .build_id_bytes = 4, .build_id = {5, 6, 7, 8}};
	modules = (struct modules){.list = mapped, .count = 2};
	subject = (struct subject){.modules = &modules, .service = "orders"};
	subject.identity.exe = strdup(PROGRAM);
	verdict = (struct verdict){.how = VERDICT_ABORT, .have_signal = true, .signal = SIGABRT};
}

static void forget(void)
{
	free(mapped[0].path);
	free(mapped[1].path);
	free(subject.identity.exe);
}

TestSuite(keep_death, .init = put_abort, .fini = forget, .timeout = 120);

static uint64_t key(void)
{
	struct keep_death death;

	keep_death_of(&subject, &verdict, &death);
	return death.key;
}

Test(keep_death, of_the_next_build_under_the_same_name_is_another_kind)
{
	const uint64_t before = key();

	mapped[0].build_id[3]++;
	cr_assert_neq(key(), before);
}

Test(keep_death, is_of_the_same_kind_when_its_program_was_replaced_while_it_ran)
{
	uint64_t before;

	mapped[0].build_id_bytes = 0;
	before = key();
	free(subject.identity.exe);
	subject.identity.exe = strdup(PROGRAM " (deleted)");
	cr_assert_eq(key(), before);
}

Test(keep_death, of_a_fault_is_of_one_kind_wherever_the_same_place_was_mapped)
{
	uint64_t before;

	verdict = (struct verdict){.how = VERDICT_FAULT, .have_signal = true, .signal = SIGSEGV,
				   .ip = 0x1234};
	before = key();
	mapped[0].start += 0x5000;
	mapped[0].end += 0x5000;
	verdict.ip += 0x5000;
	cr_assert_eq(key(), before);
	verdict.ip += 4;
	cr_assert_neq(key(), before, "another place");
}

Test(keep_death, in_another_way_or_of_somebody_else_is_another_kind)
{
	const uint64_t before = key();

	verdict.how = VERDICT_SIGNAL;
	cr_assert_neq(key(), before);
	verdict.how = VERDICT_ABORT;
	subject.identity.uid++;
	cr_assert_neq(key(), before);
	subject.identity.uid--;
	strcpy(subject.service, "invoices");
	cr_assert_neq(key(), before);
}
