/* SPDX-License-Identifier: MIT */
/* verdict_rows.h - evidence and the verdict that it must give, as a row of a table. */
#ifndef TESTS_VERDICT_ROWS_H
#define TESTS_VERDICT_ROWS_H

#include "recorder/verdict.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define OWN 100u

static const struct ttlog_bpf_actor self = {.pid = OWN, .tid = 107, .uid = 5, .comm = "worker"};
static const struct ttlog_bpf_actor main_thread = {.pid = OWN, .tid = OWN, .comm = "orders"};
static const struct ttlog_bpf_actor bash = {.pid = 12, .tid = 12, .uid = 7, .comm = "bash"};

#define SENT(says, ...) \
	{.kind = TTLOG_BPF_SIGNAL, .time_ns = 50, .flags = (says), __VA_ARGS__}
#define TAKEN(says, ...) \
	{.kind = TTLOG_BPF_DELIVER, .time_ns = 60, .flags = (says), __VA_ARGS__}
#define DIED(...) \
	{.kind = TTLOG_BPF_DEATH, .time_ns = 90, .target = main_thread, __VA_ARGS__}
#define FATAL TTLOG_BPF_FATAL
#define HANDLED TTLOG_BPF_HANDLED
#define RECALLS (TTLOG_BPF_HAS_SIGNAL | TTLOG_BPF_FATAL)
#define NO_STATUS (-1)

/* Of the verdict. */
#define HOW(kind, sure) .how = VERDICT_##kind, .confidence = VERDICT_##sure
#define CODE(number) .have_exit_code = true, .exit_code = (number)
#define BY(number) .have_signal = true, .signal = (number)
#define FROM(who) .have_sender = true, .sender = who
#define AT(address) .have_fault_address = true, .fault_address = (address)

struct row {
	const char *what;
	struct ttlog_bpf_event event[4];
	int wait_status; /* NO_STATUS: nobody waited */
	bool hang_up;
	struct verdict verdict; /* of `thread` only the tid counts, of `sender` the pid */
	const char *reason;
};

static void check_row(const struct row *row)
{
	struct evidence evidence = {.hang_up = row->hang_up};
	const struct verdict *wanted = &row->verdict;
	struct verdict got;
	char reason[64];

	for (int i = 0; i < 4 && row->event[i].kind; i++)
		verdict_note(&evidence, &row->event[i]);
	if (row->wait_status != NO_STATUS) {
		evidence.have_wait_status = true;
		evidence.wait_status = row->wait_status;
	}
	memset(&got, 0xa5, sizeof(got));
	verdict_reach(&evidence, OWN, &got);
	cr_expect_eq(got.how, wanted->how, "%s: %s", row->what, verdict_how_name(got.how));
	cr_expect_eq(got.confidence, wanted->confidence, "%s: %s", row->what,
		     verdict_confidence_name(got.confidence));
	cr_expect_eq(got.have_exit_code, wanted->have_exit_code, "%s", row->what);
	cr_expect_eq(got.exit_code, wanted->exit_code, "%s: exit %d", row->what, got.exit_code);
	cr_expect_eq(got.have_signal, wanted->have_signal, "%s", row->what);
	cr_expect_eq(got.signal, wanted->signal, "%s: signal %d", row->what, got.signal);
	cr_expect_eq(got.code, wanted->code, "%s: code %d", row->what, got.code);
	cr_expect_eq(got.code_unknown, wanted->code_unknown, "%s", row->what);
	cr_expect_eq(got.told_pid, wanted->told_pid, "%s: told %u", row->what, got.told_pid);
	cr_expect_eq(got.have_fault_address, wanted->have_fault_address, "%s", row->what);
	cr_expect_eq(got.fault_address, wanted->fault_address, "%s", row->what);
	cr_expect_eq(got.have_sender, wanted->have_sender, "%s", row->what);
	cr_expect_eq(got.sender.pid, wanted->sender.pid, "%s: sender %u", row->what, got.sender.pid);
	cr_expect_eq(got.thread.tid, wanted->thread.tid, "%s: thread %u", row->what, got.thread.tid);
	cr_expect_eq(got.core_dumped, wanted->core_dumped, "%s", row->what);
	cr_expect_eq(got.ip, wanted->ip, "%s", row->what);
	cr_expect_eq(got.sp, wanted->sp, "%s", row->what);
	cr_expect_eq(got.signal_ns, wanted->signal_ns, "%s: at %lu", row->what, got.signal_ns);
	cr_expect_eq(got.death_ns, wanted->death_ns, "%s: death at %lu", row->what, got.death_ns);
	verdict_reason(&got, reason, sizeof(reason));
	cr_expect_str_eq(reason, row->reason, "%s: %s", row->what, reason);
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_row(&rows[i]);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#endif
