/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * maps.bpf.h - what the programs share: the maps, the counters, and who is a client.
 */
#ifndef TTLOG_MAPS_BPF_H
#define TTLOG_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel_types.h"
#include "bpf/ttlog_bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ttlog_bpf_client);
} clients SEC(".maps");

/* watch.c gives it its inner map. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(__u32));
} controls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} execs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TTLOG_BPF_SCENES_BYTES);
} scenes SEC(".maps");

struct ttlog_bpf_counters counters;

/* Nearly no task of the machine has any storage: one load says so, and saves 17 ns of each signal. */
static __always_inline struct ttlog_bpf_client *client_of(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	if (bpf_core_field_exists(leader->bpf_storage) && !leader->bpf_storage)
		return 0;
	return bpf_task_storage_get(&clients, leader, 0, 0);
}

#endif
