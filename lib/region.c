/* SPDX-License-Identifier: MIT */
/*
 * region.c - makes a region, and checks one that somebody else made.
 *
 * Legal in a signal handler and in a forked child: no allocation, no locks, and raw system calls
 * where the wrapper is a cancellation point. What stands in a region is never believed: the header
 * is copied once, and only the copy is checked and used.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/region.h"
#include "lib/region_parts.h"

/* Names that Debian 12's headers do not have yet (linux/memfd.h, linux/fcntl.h, linux/magic.h). */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define TMPFS_FILE_SYSTEM 0x01021994

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
/* A signal makes fallocate() start again: pieces that are done before the next one comes. */
#define ALLOCATE_PIECE_BYTES (UINT64_C(4) << 20)

#define CHUNK_BYTES_MIN 128u
#define CHUNK_BYTES_MAX (32u << 10)
/* Header, control, ledger, index, heap, channels, and two arrays a lane. */
#define PARTS_MAX (6 + 2 * TTLOG_LANE_MAX)
/* The kernel's pages may be smaller than those of the drawing: arm64 has 4, 16 and 64 KiB. */
#define PAGE_BYTES_LEAST 4096u

/* ---- making ---------------------------------------------------------------------------------- */

static int close_raw(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static int memfd_open(void)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	long fd = syscall(SYS_memfd_create, TTLOG_MEMFD_NAME, flags | MFD_NOEXEC_SEAL);

	/* Kernels before 6.3 do not know the flag. */
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_memfd_create, TTLOG_MEMFD_NAME, flags);
	return fd < 0 ? -errno : (int)fd;
}

/* Reserves every page, so that a memory that is full is an error here and not a SIGBUS later. */
static int memfd_allocate(int fd, uint64_t bytes)
{
	uint64_t offset = 0;

	while (offset < bytes) {
		uint64_t piece = bytes - offset;

		if (piece > ALLOCATE_PIECE_BYTES)
			piece = ALLOCATE_PIECE_BYTES;
		if (syscall(SYS_fallocate, fd, 0, (off_t)offset, (off_t)piece) == 0)
			offset += piece;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Only who touches a page asks for a huge one. What comes of it is small pages, or none, elsewhere. */
static void populate_huge(void *base, uint64_t bytes)
{
	if (madvise(base, bytes, MADV_HUGEPAGE) == 0)
		(void)madvise(base, bytes, MADV_POPULATE_WRITE);
}

int ttlog_region_populate(void *base, const struct ttlog_geometry *geometry)
{
	if (madvise(base, geometry->region_bytes, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Before 5.14: writes that change nothing, whoever else is writing. */
	for (uint64_t offset = 0; offset < geometry->region_bytes; offset += PAGE_BYTES_LEAST)
		__atomic_fetch_or((unsigned char *)base + offset, 0, __ATOMIC_RELAXED);
	return 0;
}

static void header_write(unsigned char *base, const struct ttlog_geometry *geometry,
			 const char *service, enum ttlog_clock_source source)
{
	struct ttlog_region_header *header = (struct ttlog_region_header *)(void *)base;

	header->version = TTLOG_ABI_VERSION;
	header->compatible = TTLOG_ABI_COMPATIBLE;
	header->header_bytes = sizeof(*header);
	header->region_bytes = geometry->region_bytes;
	header->control_offset = geometry->control_offset;
	header->ledger_offset = geometry->ledger_offset;
	header->dict_index_offset = geometry->dict_index_offset;
	header->dict_heap_offset = geometry->dict_heap_offset;
	header->dict_index_count = geometry->dict_index_count;
	header->dict_heap_bytes = geometry->dict_heap_bytes;
	header->channels_offset = geometry->channels_offset;
	header->channel_count = geometry->channel_count;
	header->lane_count = geometry->lane_count;
	header->clock_source = source;
	header->clock_mode = geometry->clock_mode;
	header->recorder_hash = geometry->recorder_hash;
	header->flush_interval_s = geometry->flush_interval_s;
	ttlog_clock_read(source, &header->clock);
	if (service)
		memcpy(header->service, service, strnlen(service, TTLOG_SERVICE_BYTES - 1));
	memcpy(header->group, geometry->group, strnlen(geometry->group, TTLOG_GROUP_BYTES - 1));
	memcpy(header->lane, geometry->lane, sizeof(header->lane));
	/* Publishes the header and the ledger; pairs with the acquire in ttlog_region_check(). */
	atomic_store_explicit(&header->magic, TTLOG_REGION_MAGIC, memory_order_release);
}

static void ledger_write(unsigned char *base, const struct ttlog_geometry *geometry)
{
	struct ttlog_ledger *ledger =
		(struct ttlog_ledger *)(void *)(base + geometry->ledger_offset);

	atomic_store_explicit(&ledger->dict_next_id, 1, memory_order_relaxed);
	atomic_store_explicit(&ledger->dict_next_offset, 8, memory_order_relaxed);
}

int ttlog_region_make(const struct ttlog_geometry *geometry, const char *service,
		      enum ttlog_clock_source source, int *ret_fd, void **ret_base)
{
	uint64_t bytes = geometry->region_bytes;
	void *base;
	int fd, error;

	fd = memfd_open();
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)bytes) != 0) {
		error = -errno;
		goto out_close;
	}
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		error = -errno;
		goto out_close;
	}
	if (geometry->huge_pages)
		populate_huge(base, bytes);
	error = memfd_allocate(fd, bytes);
	if (error)
		goto out_unmap;
	if (syscall(SYS_fcntl, fd, F_ADD_SEALS, SEALS) != 0) {
		error = -errno;
		goto out_unmap;
	}
	ledger_write(base, geometry);
	header_write(base, geometry, service, source);
	*ret_fd = fd;
	*ret_base = base;
	return 0;

out_unmap:
	munmap(base, bytes);
out_close:
	close_raw(fd);
	return error;
}

/* ---- checking -------------------------------------------------------------------------------- */

/* The parts that a header claims, so far. */
struct parts {
	uint64_t region_bytes;
	uint32_t count;
	bool bad;
	struct {
		uint64_t start, end;
	} part[PARTS_MAX];
};

static void parts_add(struct parts *parts, uint64_t start, uint64_t bytes)
{
	if (parts->bad || start % TTLOG_PAGE_BYTES != 0 || start > parts->region_bytes ||
	    bytes > parts->region_bytes - start) {
		parts->bad = true;
		return;
	}
	for (uint32_t i = 0; i < parts->count; i++)
		if (start < parts->part[i].end && parts->part[i].start < start + bytes)
			parts->bad = true;
	parts->part[parts->count].start = start;
	parts->part[parts->count].end = start + bytes;
	parts->count++;
}

static bool lane_sizes_are_right(const struct ttlog_lane_geometry *lane)
{
	return lane->chunk_bytes % 64 == 0 && lane->chunk_bytes >= CHUNK_BYTES_MIN &&
	       lane->chunk_bytes <= CHUNK_BYTES_MAX && lane->chunk_count > 0;
}

static bool sizes_are_right(const struct ttlog_region_header *header, uint64_t bytes)
{
	return header->region_bytes == bytes && bytes >= TTLOG_REGION_BYTES_MIN &&
	       bytes <= TTLOG_REGION_BYTES_MAX && bytes % TTLOG_PAGE_BYTES == 0 &&
	       header->header_bytes >= offsetof(struct ttlog_region_header, group) &&
	       header->header_bytes <= TTLOG_PAGE_BYTES && header->dict_index_count > 0 &&
	       header->dict_index_count <= TTLOG_DICT_INDEX_MAX && header->dict_heap_bytes > 0 &&
	       header->dict_heap_bytes <= TTLOG_DICT_HEAP_BYTES_MAX &&
	       header->dict_heap_bytes % 8 == 0 && header->lane_count >= TTLOG_LANE_COUNT &&
	       header->lane_count <= TTLOG_LANE_MAX &&
	       header->channel_count ==
		       header->lane[TTLOG_LANE_CHANNEL].chunk_count / TTLOG_CHANNEL_CHUNKS_MIN &&
	       header->clock_source <= TTLOG_CLOCK_CNTVCT &&
	       header->clock_mode <= TTLOG_CLOCK_COARSE;
}

static bool layout_is_right(const struct ttlog_region_header *header)
{
	struct parts parts = {.region_bytes = header->region_bytes};

	parts_add(&parts, 0, TTLOG_PAGE_BYTES);
	parts_add(&parts, header->control_offset, TTLOG_PAGE_BYTES);
	parts_add(&parts, header->ledger_offset, TTLOG_PAGE_BYTES);
	parts_add(&parts, header->dict_index_offset, header->dict_index_count * sizeof(uint64_t));
	parts_add(&parts, header->dict_heap_offset, header->dict_heap_bytes);
	parts_add(&parts, header->channels_offset, channel_table_bytes(header->channel_count));
	for (uint32_t i = 0; i < header->lane_count; i++) {
		const struct ttlog_lane_geometry *lane = &header->lane[i];

		if (!lane_sizes_are_right(lane))
			return false;
		parts_add(&parts, lane->records_offset, lane_records_bytes(lane));
		parts_add(&parts, lane->chunks_offset, lane_chunks_bytes(lane));
	}
	return !parts.bad;
}

static void geometry_take(struct ttlog_geometry *geometry, const struct ttlog_region_header *header)
{
	memset(geometry, 0, sizeof(*geometry));
	geometry->region_bytes = header->region_bytes;
	geometry->control_offset = header->control_offset;
	geometry->ledger_offset = header->ledger_offset;
	geometry->dict_index_offset = header->dict_index_offset;
	geometry->dict_heap_offset = header->dict_heap_offset;
	geometry->dict_index_count = header->dict_index_count;
	geometry->dict_heap_bytes = header->dict_heap_bytes;
	geometry->channels_offset = header->channels_offset;
	geometry->channel_count = header->channel_count;
	geometry->lane_count = header->lane_count;
	geometry->clock_source = header->clock_source;
	geometry->clock_mode = header->clock_mode;
	geometry->recorder_hash = header->recorder_hash;
	geometry->flush_interval_s = header->flush_interval_s;
	geometry->clock = header->clock;
	memcpy(geometry->service, header->service, TTLOG_SERVICE_BYTES - 1);
	memcpy(geometry->group, header->group, TTLOG_GROUP_BYTES - 1);
	memcpy(geometry->lane, header->lane, header->lane_count * sizeof(header->lane[0]));
}

int ttlog_region_check(const struct ttlog_region_header *header, uint64_t bytes,
		       struct ttlog_geometry *ret_geometry)
{
	struct ttlog_region_header copy;

	if (bytes < sizeof(copy))
		return -EBADMSG;
	/* Pairs with the release in header_write(). */
	if (atomic_load_explicit(&header->magic, memory_order_acquire) != TTLOG_REGION_MAGIC)
		return -EBADMSG;
	memcpy((void *)&copy, (const void *)header, sizeof(copy));
	/* The client may write meanwhile: the compiler must not go back to the original. */
	atomic_signal_fence(memory_order_seq_cst);
	if (copy.compatible > TTLOG_ABI_VERSION)
		return -EPROTONOSUPPORT;
	if (copy.compatible == 0 || copy.version < copy.compatible)
		return -EBADMSG;
	if (!sizes_are_right(&copy, bytes) || !layout_is_right(&copy))
		return -EBADMSG;
	geometry_take(ret_geometry, &copy);
	return 0;
}

/*
 * Only a memfd of small pages will do: pages of a file on a disk or in a pool of huge pages can be
 * missing when they are touched, which is a SIGBUS. The seals first: after them the size is final.
 */
static int fd_check(int fd, uint64_t *ret_bytes)
{
	long seals = syscall(SYS_fcntl, fd, F_GET_SEALS, 0);
	struct statfs file_system;
	struct stat stat;

	if (seals < 0)
		return errno == EINVAL ? -EBADMSG : -errno;
	if ((seals & SEALS) != SEALS)
		return -EPERM;
	if (fstat(fd, &stat) != 0 || fstatfs(fd, &file_system) != 0)
		return -errno;
	if (file_system.f_type != TMPFS_FILE_SYSTEM ||
	    stat.st_size < (off_t)TTLOG_REGION_BYTES_MIN ||
	    stat.st_size > (off_t)TTLOG_REGION_BYTES_MAX)
		return -EBADMSG;
	*ret_bytes = (uint64_t)stat.st_size;
	return 0;
}

static int map(int fd, int protection, struct ttlog_geometry *ret_geometry, void **ret_base)
{
	uint64_t bytes = 0;
	void *base;
	int error;

	error = fd_check(fd, &bytes);
	if (error)
		return error;
	base = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	error = ttlog_region_check(base, bytes, ret_geometry);
	if (error) {
		munmap(base, bytes);
		return error;
	}
	*ret_base = base;
	return 0;
}

int ttlog_region_map(int fd, struct ttlog_geometry *ret_geometry, void **ret_base)
{
	return map(fd, PROT_READ | PROT_WRITE, ret_geometry, ret_base);
}

int ttlog_region_map_to_read(int fd, struct ttlog_geometry *ret_geometry, void **ret_base)
{
	return map(fd, PROT_READ, ret_geometry, ret_base);
}

void ttlog_region_unmap(void *base, const struct ttlog_geometry *geometry)
{
	munmap(base, geometry->region_bytes);
}
