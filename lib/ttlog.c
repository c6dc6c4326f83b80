/* SPDX-License-Identifier: MIT */
/* ttlog.c - the calls of ttlog.h. Each leaves errno as it found it. */
#include <errno.h>
#include <string.h>

#include "lib/attach.h"
#include "lib/channel.h"
#include "lib/dict.h"
#include "lib/lane.h"
#include "lib/process.h"
#include "lib/ring.h"
#include "lib/settings.h"
#include "lib/writer.h"

#define PUBLIC __attribute__((visibility("default")))

static int start(const struct ttlog_options *options, const char *service)
{
	struct ttlog_settings settings;
	int saved = errno, error = 0;

	ttlog_settings_from_environment(&settings);
	if (options)
		error = ttlog_settings_apply(&settings, options);
	if (!error && service) {
		struct ttlog_options named = {.size = sizeof(named), .service = service};

		error = ttlog_settings_apply(&settings, &named);
	}
	if (!error)
		error = ttlog_process_start(&settings);
	errno = saved;
	return error;
}

PUBLIC int ttlog_init(const char *service)
{
	return start(NULL, service);
}

PUBLIC int ttlog_init_with(const struct ttlog_options *options)
{
	return options ? start(options, NULL) : -EINVAL;
}

PUBLIC void ttlog_close(void)
{
	int saved = errno;

	ttlog_process_close();
	errno = saved;
}

/* An event that comes before there is a region, or when there can't be one. */
static void count_homeless(void)
{
	atomic_fetch_add_explicit(&ttlog_life()->dropped, 1, memory_order_relaxed);
}

/* The thread's writer, with all that an event needs; NULL: it can't be recorded, and is counted. */
static struct ttlog_thread *prepare(struct ttlog_site *site)
{
	struct ttlog_thread *thread;

	if (ttlog_process_enter()) {
		count_homeless();
		return NULL;
	}
	thread = ttlog_thread_mine();
	if (!thread)
		thread = ttlog_thread_new();
	if (!thread ||
	    (!__atomic_load_n(&site->word, __ATOMIC_RELAXED) && ttlog_dict_add_site(site))) {
		ttlog_ring_count_drop(TTLOG_LANE_MAIN);
		return NULL;
	}
	return thread;
}

static __attribute__((noinline)) void record_slowly(struct ttlog_site *site,
						    const struct ttlog_value *values, uintptr_t sp)
{
	struct ttlog_thread *thread = prepare(site);

	if (thread)
		ttlog_ring_record(thread, site, values, sp);
}

static __attribute__((noinline)) void record_to(struct ttlog_channel channel,
						struct ttlog_site *site,
						const struct ttlog_value *values, uintptr_t sp)
{
	struct ttlog_thread *thread = prepare(site);

	if (thread && !ttlog_channel_record(channel, thread, site, values, sp))
		ttlog_ring_record(thread, site, values, sp);
}

PUBLIC void ttlog_record_(struct ttlog_site *site, const struct ttlog_value *values)
{
	/* The caller's: the same that its fast path takes, and above those of all handlers. */
	uintptr_t sp = (uintptr_t)__builtin_dwarf_cfa();
	int saved = errno;

	record_slowly(site, values, sp);
	errno = saved;
}

PUBLIC void ttlog_record_to_(struct ttlog_channel channel, struct ttlog_site *site,
			     const struct ttlog_value *values)
{
	uintptr_t sp = (uintptr_t)__builtin_dwarf_cfa();
	int saved = errno;

	record_to(channel, site, values, sp);
	errno = saved;
}

/* Do the values have the sizes of the site's types? Bindings are callers like any other. */
static int check_values(const struct ttlog_site *site, const struct ttlog_value *values,
			uint32_t count)
{
	static const uint8_t sizes[TTLOG_TYPE_COUNT] = {0, 1, 1, 1, 1, 2, 2, 4, 4,
							8, 8, 4, 8, 0, 0, 8, 4};

	if (count != site->field_count || count > TTLOG_FIELDS_MAX ||
	    (count && (!values || !site->types)))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		unsigned int type = site->types[i];

		if (type == 0 || type >= TTLOG_TYPE_COUNT)
			return -EINVAL;
		if (sizes[type] ? values[i].size != sizes[type]
				: values[i].size < (type == TTLOG_TYPE_BYTES ? 2 : 1) ||
					  values[i].size > 65537)
			return -EINVAL;
		if (!sizes[type] && values[i].size > 2 && !values[i].data)
			return -EINVAL;
		/* A NUL inside would end it there for the reader, and shift the values behind it.
		 */
		if (type == TTLOG_TYPE_STRING && values[i].size > 1 &&
		    (!values[i].data || memchr(values[i].data, 0, values[i].size - 1)))
			return -EINVAL;
	}
	return 0;
}

static bool is_recorded(const struct ttlog_site *site, const struct ttlog_value *values,
			uint32_t count)
{
	return site && site->level <= TTLOG_FATAL && ttlog_enabled(site->level) &&
	       check_values(site, values, count) == 0;
}

PUBLIC void ttlog_record(struct ttlog_site *site, const struct ttlog_value *values, uint32_t count)
{
	if (is_recorded(site, values, count))
		ttlog_record_(site, values);
}

PUBLIC void ttlog_record_to(struct ttlog_channel channel, struct ttlog_site *site,
			    const struct ttlog_value *values, uint32_t count)
{
	if (is_recorded(site, values, count))
		ttlog_record_to_(channel, site, values);
}

PUBLIC struct ttlog_channel ttlog_channel_open(const char *name, size_t budget_bytes)
{
	struct ttlog_channel channel = {0};
	int saved = errno;
	int error = name ? ttlog_process_enter() : -EINVAL;

	if (!error)
		error = ttlog_channel_take(name, budget_bytes, &channel);
	/* Without a generation it is the reason; see ttlog_channel_error(). */
	if (error)
		channel.index = (uint32_t)-error;
	errno = saved;
	return channel;
}

PUBLIC void ttlog_channel_close(struct ttlog_channel channel)
{
	int saved = errno;

	/* A forked child gets its parent's channels first. */
	if (channel.generation && ttlog_process_enter() == 0)
		ttlog_channel_give_back(channel);
	errno = saved;
}

PUBLIC int ttlog_site_register(struct ttlog_site *site)
{
	int saved = errno;
	int error = site ? ttlog_process_enter() : -EINVAL;

	if (!error && !__atomic_load_n(&site->word, __ATOMIC_RELAXED))
		error = ttlog_dict_add_site(site);
	errno = saved;
	return error;
}

PUBLIC struct ttlog_interned ttlog_intern(const char *string)
{
	struct ttlog_interned interned = {0};
	int saved = errno;

	if (string && *string && ttlog_process_enter() == 0)
		interned.id = ttlog_dict_add_string(string);
	errno = saved;
	return interned;
}

PUBLIC int ttlog_snapshot(const char *reason)
{
	int saved = errno;
	int error = reason ? ttlog_process_enter() : -EINVAL;

	if (!error)
		error = ttlog_process_snapshot(reason);
	errno = saved;
	return error;
}

PUBLIC int ttlog_snapshot_wait(const char *reason, uint32_t timeout_ms, char *ret_path,
			       size_t path_bytes)
{
	int saved = errno;
	int error = reason && (ret_path || !path_bytes) ? ttlog_process_enter() : -EINVAL;

	if (path_bytes && ret_path)
		ret_path[0] = '\0';
	if (!error)
		error = ttlog_process_snapshot_wait(reason, timeout_ms, ret_path, path_bytes);
	errno = saved;
	return error;
}

PUBLIC int ttlog_heartbeat_promise(uint32_t period_ms)
{
	int saved = errno;
	int error = period_ms > TTLOG_HEARTBEAT_MAX_MS ? -EINVAL : ttlog_process_enter();

	if (!error)
		ttlog_process_promise(period_ms);
	errno = saved;
	return error;
}

PUBLIC void ttlog_heartbeat(void)
{
	if (atomic_load_explicit(&ttlog_life()->state, memory_order_acquire) == TTLOG_PROCESS_READY)
		ttlog_process_beat();
}

PUBLIC int ttlog_set_level(enum ttlog_level level)
{
	int saved = errno;
	int error = (uint32_t)level > TTLOG_OFF ? -EINVAL : ttlog_process_enter();

	if (!error)
		ttlog_process_set_level((uint32_t)level);
	errno = saved;
	return error;
}

static void fill_death(struct ttlog_death *death, const struct ttlog_death_answer *answer)
{
	death->died_ns = answer->died_ns;
	death->started_ns = answer->started_ns;
	death->fault_address = answer->fault_address;
	death->loop_count = answer->loop_count;
	death->flags = answer->flags;
	death->pid = (int32_t)answer->pid;
	death->signal = answer->signal;
	death->exit_code = answer->exit_code;
	memcpy(death->how, answer->how, sizeof(death->how));
	memcpy(death->confidence, answer->confidence, sizeof(death->confidence));
	memcpy(death->reason, answer->reason, sizeof(death->reason));
	memcpy(death->signature, answer->signature, sizeof(death->signature));
	memcpy(death->sentence, answer->sentence, sizeof(death->sentence));
	memcpy(death->dump, answer->dump, sizeof(death->dump));
}

PUBLIC int ttlog_last_death(struct ttlog_death *ret_death)
{
	struct ttlog_death_answer answer = {0};
	struct ttlog_settings settings;
	struct ttlog_death death = {0};
	int saved = errno, error;

	if (!ret_death || ret_death->size < sizeof(ret_death->size) || ret_death->size > 65536)
		return -EINVAL;
	/* Whether it records or not: who it is, is settled then. */
	(void)ttlog_process_enter();
	ttlog_process_settings(&settings);
	error = ttlog_attach_last_death(&settings, &answer);
	if (!error) {
		fill_death(&death, &answer);
		death.size = ret_death->size < sizeof(death) ? ret_death->size : sizeof(death);
		memcpy(ret_death, &death, death.size);
	}
	errno = saved;
	return error;
}

static void fill_stats(struct ttlog_stats *stats)
{
	struct ttlog_ledger *ledger = ttlog_process_ledger();
	uint32_t next_id = atomic_load_explicit(&ledger->dict_next_id, memory_order_relaxed);

	ttlog_lanes_count(&stats->retained, &stats->overwritten);
	for (uint32_t i = 0; i < ttlog_place_.geometry.lane_count; i++) {
		stats->dropped +=
			atomic_load_explicit(&ledger->lane[i].dropped, memory_order_relaxed);
		stats->truncated +=
			atomic_load_explicit(&ledger->lane[i].truncated, memory_order_relaxed);
	}
	stats->channels = atomic_load_explicit(&ledger->channels_open, memory_order_relaxed);
	stats->channels_refused =
		atomic_load_explicit(&ledger->channels_refused, memory_order_relaxed);
	stats->region_bytes = ttlog_place_.geometry.region_bytes;
	stats->sites = next_id ? next_id - 1 : 0;
	stats->connected = ttlog_place_.connected;
	stats->frozen = ttlog_freeze_word() & 1;
}

PUBLIC int ttlog_get_stats(struct ttlog_stats *ret_stats)
{
	struct ttlog_life *life = ttlog_life();
	struct ttlog_stats stats = {0};
	uint32_t state = atomic_load_explicit(&life->state, memory_order_acquire);
	size_t size;

	if (!ret_stats || ret_stats->size < sizeof(ret_stats->size))
		return -EINVAL;
	size = ret_stats->size < sizeof(stats) ? ret_stats->size : sizeof(stats);
	if (state == TTLOG_PROCESS_READY || state == TTLOG_PROCESS_CLOSED)
		fill_stats(&stats);
	stats.dropped += atomic_load_explicit(&life->dropped, memory_order_relaxed);
	stats.level = __atomic_load_n(&ttlog_control_.level, __ATOMIC_RELAXED);
	stats.size = size;
	memcpy(ret_stats, &stats, size);
	return 0;
}
