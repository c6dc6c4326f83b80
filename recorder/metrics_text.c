/* SPDX-License-Identifier: MIT */
/*
 * metrics_text.c - every figure, in Prometheus' text format 0.0.4.
 *
 * Base units, no pids and no paths; all label sets that are known are there from the start, as
 * zeroes, so that a rate has something to begin with.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"
#include "recorder/counters.h"
#include "recorder/log.h"
#include "recorder/metrics_parts.h"
#include "recorder/rings.h"

static void head(FILE *file, const char *name, const char *type, const char *help)
{
	fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void counter(FILE *file, const char *name, const char *help, uint64_t value)
{
	head(file, name, "counter", help);
	fprintf(file, "%s %" PRIu64 "\n", name, value);
}

static void gauge(FILE *file, const char *name, const char *help, uint64_t value)
{
	head(file, name, "gauge", help);
	fprintf(file, "%s %" PRIu64 "\n", name, value);
}

/* A label's value, with what has a meaning there escaped. */
static void metrics_write_label(FILE *file, const char *value)
{
	for (; *value; value++)
		switch (*value) {
		case '\\':
			fputs("\\\\", file);
			break;
		case '"':
			fputs("\\\"", file);
			break;
		case '\n':
			fputs("\\n", file);
			break;
		default:
			fputc(*value, file);
		}
}

static void labelled(FILE *file, const char *name, const char *label, const char *value,
		     uint64_t count)
{
	fprintf(file, "%s{%s=\"", name, label);
	metrics_write_label(file, value);
	fprintf(file, "\"} %" PRIu64 "\n", count);
}

/* ---- counters --------------------------------------------------------------------------- */

static void write_clients(FILE *file, const struct metrics_facts *facts)
{
	gauge(file, "ttlog_clients", "Processes that record now.", facts->clients);
	gauge(file, "ttlog_ring_memory_bytes", "Memory of all rings that are held.",
	      facts->memory_bytes);
	gauge(file, "ttlog_ring_memory_limit_bytes", "What all rings may take.",
	      facts->memory_bytes_max);
	counter(file, "ttlog_registrations_total", "Processes that were given a ring.",
		counters.registrations);
	counter(file, "ttlog_restored_total", "Rings that the service manager had kept.",
		counters.restored);
	counter(file, "ttlog_adoptions_total", "Rings that were found and not handed over.",
		counters.adopted);
	counter(file, "ttlog_adoptions_failed_total",
		"Rings that were found and could not be taken.", counters.adoptions_failed);
	head(file, "ttlog_hellos_refused_total", "counter",
	     "Peers that did not become clients, by reason.");
	for (int i = 0; i < COUNTERS_REFUSAL_COUNT; i++)
		labelled(file, "ttlog_hellos_refused_total", "reason", counters_refusal_name(i),
			 counters.refused[i]);
	counter(file, "ttlog_missing_pages_total",
		"Pages of rings that were not to be had when they were looked at.",
		rings_missing_pages());
	counter(file, "ttlog_log_lines_lost_total", "Lines on stderr that nobody read.",
		log_lost_count());
	counter(file, "ttlog_snapshots_refused_total",
		"Snapshots that programs asked for too fast.", counters.snapshots_refused);
	counter(file, "ttlog_last_deaths_asked_total",
		"Processes that asked how the one before them ended.", counters.last_deaths_asked);
	counter(file, "ttlog_hangs_total", "Heartbeats that were promised and missed.",
		counters.hangs);
	counter(file, "ttlog_hangs_recovered_total", "Of these, hearts that beat again.",
		counters.hangs_recovered);
	counter(file, "ttlog_hangs_not_dumped_total", "Hangs that came too fast to be dumped each.",
		counters.hangs_not_dumped);
	head(file, "ttlog_deaths_total", "counter", "Ends of clients, by how.");
	for (int i = 0; i < COUNTERS_HOW; i++)
		if (i != VERDICT_ALIVE)
			labelled(file, "ttlog_deaths_total", "how", verdict_how_name(i),
				 counters.deaths[i]);
}

static void write_groups(FILE *file)
{
	counter(file, "ttlog_group_sets_total",
		"Deaths of which those who worked with the dead were copied, too.",
		counters.group_sets);
	counter(file, "ttlog_group_sets_shed_total",
		"Deaths of which they were not: too soon after another one, or too many of a user.",
		counters.group_sets_shed);
	counter(file, "ttlog_group_members_left_out_total",
		"Members that were not copied, because the set was large enough.",
		counters.group_left_out);
}

static void write_verdicts(FILE *file)
{
	head(file, "ttlog_verdicts_total", "counter", "Verdicts written, by where to.");
	for (int i = 0; i < COUNTERS_VERDICT_COUNT; i++)
		labelled(file, "ttlog_verdicts_total", "to", counters_verdict_name(i),
			 counters.verdicts[i]);
	head(file, "ttlog_verdicts_lost_total", "counter",
	     "Verdicts that could not be written, by where to.");
	for (int i = 0; i < COUNTERS_VERDICT_COUNT; i++)
		labelled(file, "ttlog_verdicts_lost_total", "to", counters_verdict_name(i),
			 counters.verdicts_lost[i]);
}

static void write_history(FILE *file, const struct history_figures *history)
{
	gauge(file, "ttlog_history_bytes", "Memory of what rings no longer hold.", history->bytes);
	counter(file, "ttlog_history_events_total", "Events that were copied out of living rings.",
		history->events);
	counter(file, "ttlog_history_evicted_events_total",
		"Of these, events that had to go for newer ones.", history->evicted);
	counter(file, "ttlog_history_missed_chunks_total",
		"Chunks of rings that were overwritten before they could be copied.",
		history->missed);
	counter(file, "ttlog_history_looks_total", "How often rings were looked at.",
		history->looks);
	counter(file, "ttlog_history_stirs_total",
		"How often the kernel told that an idle process runs again.", history->stirs);
}

static void write_trigger(FILE *file, const char *rule, const char *result, uint64_t count)
{
	fprintf(file, "ttlog_triggers_total{rule=\"%s\",result=\"%s\"} %" PRIu64 "\n", rule, result,
		count);
}

static void write_triggers(FILE *file, const struct triggers *triggers)
{
	const struct rules *rules = triggers ? triggers_rules(triggers) : NULL;

	if (!rules)
		return;
	head(file, "ttlog_triggers_total", "counter",
	     "What the rules of the configuration found, and what became of it.");
	for (unsigned int i = 0; i < rules->count; i++) {
		const struct trigger_figures *figures = triggers_figures(triggers, i);

		write_trigger(file, rules->rule[i].name, "fired", figures->fired);
		write_trigger(file, rules->rule[i].name, "suppressed", figures->suppressed);
		write_trigger(file, rules->rule[i].name, "failed", figures->failed);
	}
	counter(file, "ttlog_trigger_events_total", "Events that rules have looked at.",
		triggers_seen(triggers));
	counter(file, "ttlog_trigger_missed_chunks_total",
		"Chunks of rings that were overwritten before rules could look at them.",
		triggers_missed(triggers));
}

static void write_histogram(FILE *file, const char *name, const char *help,
			    const struct counters_histogram *histogram, const double *bound)
{
	uint64_t count = 0;

	head(file, name, "histogram", help);
	for (int i = 0; i < COUNTERS_BUCKETS; i++) {
		count += histogram->bucket[i];
		if (i < COUNTERS_BUCKETS - 1)
			fprintf(file, "%s_bucket{le=\"%.12g\"} %" PRIu64 "\n", name, bound[i],
				count);
		else
			fprintf(file, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	}
	fprintf(file, "%s_sum %.17g\n%s_count %" PRIu64 "\n", name, histogram->sum, name, count);
}

static void write_dumps(FILE *file, const struct metrics_facts *facts)
{
	head(file, "ttlog_dumps_total", "counter",
	     "Dumps, by what led to them and what became of them.");
	for (int i = 0; i < COUNTERS_TRIGGER_COUNT; i++)
		for (int j = 0; j < COUNTERS_RESULT_COUNT; j++)
			fprintf(file,
				"ttlog_dumps_total{trigger=\"%s\",result=\"%s\"} %" PRIu64 "\n",
				counters_trigger_name(i), counters_result_name(j),
				counters.dumps[i][j]);
	counter(file, "ttlog_dump_written_bytes_total", "Bytes of dumps that were written.",
		counters.dump_bytes);
	gauge(file, "ttlog_dumps_pending", "Dumps that wait or are being written.",
	      facts->dumps_pending);
	head(file, "ttlog_last_dump_timestamp_seconds", "gauge",
	     "When a dump was last written; 0: not yet.");
	fprintf(file, "ttlog_last_dump_timestamp_seconds %.3f\n",
		(double)counters.last_dump_ns / 1e9);
	write_histogram(file, "ttlog_dump_duration_seconds",
			"From the order of a dump to its file's name, waiting included.",
			&counters.dump_seconds, counters_seconds_bound);
	write_histogram(file, "ttlog_dump_size_bytes", "Size of a dump.", &counters.dump_sizes,
			counters_bytes_bound);
}

static void write_store(FILE *file, const struct metrics_facts *facts)
{
	gauge(file, "ttlog_store_files", "Dumps in the folder.", counters.store_files);
	gauge(file, "ttlog_store_bytes", "Bytes of the dumps in the folder.", counters.store_bytes);
	gauge(file, "ttlog_store_quota_bytes", "What they may take; 0: as much as there is.",
	      counters.store_quota_bytes);
	counter(file, "ttlog_store_removed_files_total", "Dumps removed to keep to a quota.",
		counters.store_shed_files);
	counter(file, "ttlog_store_removed_bytes_total",
		"Bytes of dumps removed to keep to a quota.", counters.store_shed_bytes);
	if (facts->storage.looked_ns) {
		gauge(file, "ttlog_store_free_bytes", "Free space of the file system of dumps.",
		      facts->storage.free_bytes);
		gauge(file, "ttlog_store_floor_bytes", "What of it shall stay free.",
		      facts->storage.floor_bytes);
	}
	gauge(file, "ttlog_store_writable", "1: dumps can be written.",
	      facts->storage.looked_ns && !facts->storage.err && !facts->storage_is_late);
	counter(file, "ttlog_hooks_ended_total", "Commands after a dump that have ended.",
		counters.hooks_run);
	counter(file, "ttlog_hooks_failed_total",
		"Of these, failed; and those that were never run.", counters.hooks_failed);
}

static void write_bpf(FILE *file, const struct metrics_facts *facts)
{
	gauge(file, "ttlog_bpf_attached", "1: the kernel program watches for deaths.",
	      facts->have_watch);
	counter(file, "ttlog_bpf_events_lost_total", "Events the kernel program could not send.",
		facts->bpf_lost);
	counter(file, "ttlog_bpf_events_shed_total", "Signals it left out on purpose.",
		facts->bpf_shed);
	counter(file, "ttlog_bpf_scene_parts_lost_total",
		"Threads, pages and mappings of the dead for which there was no room.",
		facts->bpf_scenes_lost);
}

/* ---- by service ------------------------------------------------------------------------- */

static void write_service_counter(FILE *file, const struct services *services, const char *name,
				  const char *help, size_t offset)
{
	head(file, name, "counter", help);
	for (unsigned int i = 0; i < services->count; i++) {
		const struct service *service = &services->service[i];

		labelled(
			file, name, "service", service->name,
			*(const uint64_t *)(const void *)((const char *)&service->counts + offset));
	}
}

#define COUNT(field) offsetof(struct ledger_counts, field)

static void write_services(FILE *file, const struct services *services)
{
	write_service_counter(file, services, "ttlog_events_total", "Events recorded.",
			      COUNT(events));
	write_service_counter(file, services, "ttlog_events_overwritten_total",
			      "Events that gave way to newer ones.", COUNT(overwritten));
	write_service_counter(file, services, "ttlog_events_dropped_total",
			      "Events for which there was no room.", COUNT(dropped));
	write_service_counter(file, services, "ttlog_events_truncated_total",
			      "Events recorded with a shortened string.", COUNT(truncated));
	write_service_counter(file, services, "ttlog_events_torn_total",
			      "Places in a ring that made no sense.", COUNT(torn));
	head(file, "ttlog_service_clients", "gauge", "Processes of the service that record now.");
	for (unsigned int i = 0; i < services->count; i++)
		labelled(file, "ttlog_service_clients", "service", services->service[i].name,
			 services->service[i].clients);
	head(file, "ttlog_ring_history_seconds", "gauge",
	     "How far back the ring reaches, of the process where it reaches back least.");
	for (unsigned int i = 0; i < services->count; i++) {
		const struct service *service = &services->service[i];

		if (service->history_seconds < 0)
			continue;
		fputs("ttlog_ring_history_seconds{service=\"", file);
		metrics_write_label(file, service->name);
		fprintf(file, "\"} %.3f\n", service->history_seconds);
	}
}

/* ---- of the process --------------------------------------------------------------------- */

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void write_resident(FILE *file)
{
	unsigned long long total, resident;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (!statm)
		return;
	if (fscanf(statm, "%llu %llu", &total, &resident) == 2)
		gauge(file, "process_resident_memory_bytes", "Resident memory, rings included.",
		      resident * (uint64_t)sysconf(_SC_PAGESIZE));
	fclose(statm);
}

static void write_process(FILE *file, const struct metrics_facts *facts)
{
	struct rlimit limit;
	struct rusage usage;
	struct stat status;

	head(file, "process_start_time_seconds", "gauge", "When the recorder started.");
	fprintf(file, "process_start_time_seconds %.3f\n", (double)facts->start_ns / 1e9);
	if (!getrusage(RUSAGE_SELF, &usage)) {
		head(file, "process_cpu_seconds_total", "counter", "CPU time of the recorder.");
		fprintf(file, "process_cpu_seconds_total %.6f\n",
			seconds(usage.ru_utime) + seconds(usage.ru_stime));
	}
	write_resident(file);
	/* From Linux 6.2 on the size of that folder is their count. */
	if (!stat("/proc/self/fd", &status) && status.st_size > 0)
		gauge(file, "process_open_fds", "Descriptors that are open.",
		      (uint64_t)status.st_size);
	if (!getrlimit(RLIMIT_NOFILE, &limit))
		gauge(file, "process_max_fds", "Descriptors that may be open.", limit.rlim_cur);
}

void metrics_write_text(FILE *file, const struct metrics_facts *facts)
{
	head(file, "ttlog_build_info", "gauge", "The version of the recorder.");
	fputs("ttlog_build_info{version=\"" TTLOG_VERSION "\"} 1\n", file);
	write_clients(file, facts);
	write_services(file, facts->services);
	write_groups(file);
	write_verdicts(file);
	write_history(file, &facts->history);
	write_triggers(file, facts->triggers);
	write_dumps(file, facts);
	write_store(file, facts);
	write_bpf(file, facts);
	counter(file, "ttlog_loop_wakeups_total", "How often the recorder woke up.",
		counters.loop_wakeups);
	write_process(file, facts);
}
