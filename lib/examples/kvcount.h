/* SPDX-License-Identifier: MIT */
/*
 * kvcount.h - how many events each thread of kvserver recorded, in a file that outlives it.
 *
 * Not needed to use ttlog: it is the second witness of the demo. A thread counts an event when the
 * call that recorded it has returned; whoever maps the file afterwards can hold the dump against it.
 */
#ifndef KVCOUNT_H
#define KVCOUNT_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KV_COUNTS_MAGIC UINT64_C(0x3173746e756f636b) /* "kcounts1" */
#define KV_THREADS_MAX 64

/* A cache line for each thread. Only its thread writes it. */
struct kv_count {
	_Alignas(64) _Atomic uint64_t recorded;
	_Atomic uint32_t tid; /* 0: not in use */
};

struct kv_counts {
	_Atomic uint64_t magic;
	struct kv_count thread[KV_THREADS_MAX];
};

static inline uint64_t kv_count_load(const struct kv_count *count)
{
	return atomic_load_explicit(&count->recorded, memory_order_relaxed);
}

/* Release: the event that it counts was recorded before. */
static inline void kv_count_store(struct kv_count *count, uint64_t recorded)
{
	atomic_store_explicit(&count->recorded, recorded, memory_order_release);
}

static inline void kv_count_begin(struct kv_count *count)
{
	atomic_store_explicit(&count->tid, (uint32_t)gettid(), memory_order_relaxed);
}

/*
 * Records an event and then counts it, where another process can see it. n numbers the events of
 * the thread, so that a missing one shows as a gap.
 */
#define RECORD(level, count, message, ...)                                                             \
	do {                                                                                           \
		const uint64_t n = kv_count_load(count) + 1;                                           \
		ttlog_##level(message, "n", n, __VA_ARGS__);                                           \
		kv_count_store(count, n);                                                              \
	} while (0)

/* Maps the file, made anew for the one who writes it. NULL with errno set. */
static inline struct kv_counts *kv_counts_map(const char *path, bool make)
{
	int fd = open(path, make ? O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
	struct stat status = {0};
	void *mapped = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if ((!make || ftruncate(fd, sizeof(struct kv_counts)) == 0) && fstat(fd, &status) == 0) {
		if (status.st_size == sizeof(struct kv_counts))
			mapped = mmap(NULL, sizeof(struct kv_counts), make ? PROT_READ | PROT_WRITE : PROT_READ,
				      MAP_SHARED, fd, 0);
		else
			errno = EBADMSG;
	}
	close(fd);
	if (mapped == MAP_FAILED)
		return NULL;
	if (make)
		atomic_store(&((struct kv_counts *)mapped)->magic, KV_COUNTS_MAGIC);
	return mapped;
}

#endif
