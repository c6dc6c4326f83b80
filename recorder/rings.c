/* SPDX-License-Identifier: MIT */
/* rings.c - see rings.h. The handler does with atomics and mmap(2) what it does. */
#include "recorder/rings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RINGS_MAX 131072 /* clients, and as many that are on their way in or out */
#define JUNK_BYTES (UINT64_C(1) << 20)
/* Each is a mapping of its own, and of those a process has 65,530: then all of the region goes. */
#define PAGES_A_RING 64

static struct ring {
	_Atomic uintptr_t start; /* 0: free */
	_Atomic uintptr_t end;	 /* 0 while it is being filled in */
	_Atomic unsigned int missing;
} rings[RINGS_MAX];
static _Atomic unsigned int used; /* so many were in use at a time, at the most */
static _Atomic uint64_t missing_pages;
static int junk_fd = -1;
static uintptr_t page_bytes;
static bool may_be_huge;
/* In here any page is one of a region, of which nothing is known yet. */
static _Thread_local volatile bool is_mapping;

static bool put_junk(uintptr_t start, uintptr_t bytes)
{
	return mmap((void *)start, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, junk_fd,
		    0) != MAP_FAILED;
}

static bool put_junk_all_over(const struct ring *ring)
{
	const uintptr_t end = ring->end;
	bool fine = true;

	for (uintptr_t at = ring->start; at < end && fine; at += JUNK_BYTES)
		fine = put_junk(at, end - at < JUNK_BYTES ? end - at : JUNK_BYTES);
	return fine;
}

static struct ring *find(uintptr_t address)
{
	const unsigned int count = used;

	for (unsigned int i = 0; i < count; i++)
		if (rings[i].start && address >= rings[i].start && address < rings[i].end)
			return &rings[i];
	return NULL;
}

static bool mend(uintptr_t address)
{
	struct ring *ring = find(address);

	if (!ring && !is_mapping)
		return false;
	missing_pages++;
	if (ring && ++ring->missing > PAGES_A_RING)
		return put_junk_all_over(ring);
	return put_junk(address & ~(page_bytes - 1), page_bytes);
}

/* Nobody else's fault is ours: it comes again, and is deadly then. */
static void page_is_missing(int signal, siginfo_t *info, void *context)
{
	const int saved = errno;
	const struct sigaction deadly = {.sa_handler = SIG_DFL};

	(void)context;
	if (info->si_code <= 0 || !mend((uintptr_t)info->si_addr))
		sigaction(signal, &deadly, NULL);
	errno = saved;
}

/* Its pages are there from now on. */
static int open_junk(void)
{
	static const unsigned char zeros[4096];
	const int fd = memfd_create("ttlog-junk", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (uint64_t at = 0; at < JUNK_BYTES; at += sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), (off_t)at) != sizeof(zeros)) {
			const int err = errno ? -errno : -EIO;

			close(fd);
			return err;
		}
	return fd;
}

/* "always" and "within_size" need nobody who asks. */
static bool read_may_be_huge(void)
{
	const int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			    O_RDONLY | O_CLOEXEC);
	char words[128];
	ssize_t bytes;

	if (fd < 0)
		return false;
	bytes = read(fd, words, sizeof(words) - 1);
	close(fd);
	words[bytes > 0 ? bytes : 0] = '\0';
	return strstr(words, "[advise]");
}

bool rings_may_be_huge(void)
{
	return may_be_huge;
}

int rings_open(void)
{
	const struct sigaction action = {.sa_sigaction = page_is_missing, .sa_flags = SA_SIGINFO};

	page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	may_be_huge = read_may_be_huge();
	if (junk_fd < 0)
		junk_fd = open_junk();
	if (junk_fd < 0)
		return junk_fd;
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

int rings_guard(void *base, uint64_t bytes)
{
	for (unsigned int i = 0; i < RINGS_MAX; i++) {
		uintptr_t none = 0;
		unsigned int seen = used;

		if (rings[i].start || !atomic_compare_exchange_strong(&rings[i].start, &none,
								      (uintptr_t)base))
			continue;
		rings[i].missing = 0;
		rings[i].end = (uintptr_t)base + bytes;
		while (seen <= i && !atomic_compare_exchange_weak(&used, &seen, i + 1))
			;
		return 0;
	}
	return -EMFILE;
}

static int map(int (*region_map)(int, struct ttlog_geometry *, void **), int fd,
	       struct ttlog_geometry *ret_geometry, void **ret_base)
{
	int err;

	is_mapping = true;
	err = region_map(fd, ret_geometry, ret_base);
	is_mapping = false;
	if (err)
		return err;
	err = rings_guard(*ret_base, ret_geometry->region_bytes);
	if (err)
		ttlog_region_unmap(*ret_base, ret_geometry);
	return err;
}

int rings_map(int fd, struct ttlog_geometry *ret_geometry, void **ret_base)
{
	return map(ttlog_region_map, fd, ret_geometry, ret_base);
}

int rings_map_to_read(int fd, struct ttlog_geometry *ret_geometry, void **ret_base)
{
	return map(ttlog_region_map_to_read, fd, ret_geometry, ret_base);
}

void rings_unmap(void *base, const struct ttlog_geometry *geometry)
{
	struct ring *ring = find((uintptr_t)base);

	if (ring) {
		ring->end = 0;
		ring->start = 0;
	}
	ttlog_region_unmap(base, geometry);
}

uint64_t rings_missing_pages(void)
{
	return missing_pages;
}
