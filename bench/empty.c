// SPDX-License-Identifier: MIT
/* empty.c - two instructions for each tracepoint. */
#include "bench/empty.h"

#include <unistd.h>

#define EMPTY_MAX 8

static struct empty {
	int fds[2 * EMPTY_MAX]; /* of programs and of their attachment */
	unsigned int count;
} empty;

void empty_remove(void)
{
	while (empty.count)
		close(empty.fds[--empty.count]);
}

#ifdef TTLOG_HAVE_BPF

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

static bool attach(const char *tracepoint)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id(tracepoint, BPF_TRACE_RAW_TP);
	int program, link;

	if (id <= 0 || empty.count == 2 * EMPTY_MAX)
		return false;
	options.attach_btf_id = (__u32)id;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "Dual MIT/GPL", code,
				sizeof(code) / sizeof(code[0]), &options);
	if (program < 0)
		return false;
	empty.fds[empty.count++] = program;
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0)
		return false;
	empty.fds[empty.count++] = link;
	return true;
}

#else

static bool attach(const char *tracepoint)
{
	(void)tracepoint;
	return false;
}

#endif

bool empty_add(const char *const *tracepoints)
{
	for (; *tracepoints; tracepoints++)
		if (!attach(*tracepoints)) {
			empty_remove();
			return false;
		}
	return true;
}
