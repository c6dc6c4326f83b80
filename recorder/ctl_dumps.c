/* SPDX-License-Identifier: MIT */
/*
 * ctl_dumps.c - list --dumps: what lies in the folder, by the dumps' own summaries.
 *
 * Nobody is asked: it works without a recorder, and whoever may read the folder may know. What is
 * in the files may be anybody's; the index bounds it, the table and JSON clean it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder/ctl.h"
#include "recorder/keep_index.h"

#define DIR_DEFAULT "/var/lib/ttlog/dumps"
#define SECOND_NS UINT64_C(1000000000)
#define TIME_BYTES 32

/* Dumps of one signature, or, where there is none, of one cause and service. */
struct group {
	const struct keep_dump *first, *last;
	uint64_t deaths, files, bytes;
};

struct listing {
	const struct ctl_options *options;
	struct keep_index index; /* what matches, oldest first */
	struct ctl_pager pager;
	struct ctl_table table;
};

static void format_time(uint64_t ns, char text[TIME_BYTES])
{
	const time_t seconds = (time_t)(ns / SECOND_NS);
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || !strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc))
		strcpy(text, "?");
}

static bool matches(const struct keep_dump *dump, const char *match)
{
	const struct summary *summary = &dump->summary;
	char pid[16];

	snprintf(pid, sizeof(pid), "%" PRIu32, summary->pid);
	return !strcmp(match, pid) || !strcmp(match, summary->service) ||
	       (*match && !strcmp(match, summary->signature)) || !strcmp(match, dump->name);
}

static void drop_others(struct keep_index *index, const char *match)
{
	for (size_t i = index->count; match && i--;)
		if (!matches(index->dump[i], match))
			keep_index_remove(index, i);
}

/* ---- each for itself -------------------------------------------------------------------- */

static const struct ctl_column dump_columns[] = {
	{"TIME", false}, {"PID", true},	   {"UID", true},  {"SERVICE", false}, {"SIGNATURE", false},
	{"LOOP", true},	 {"EVENTS", true}, {"SIZE", true}, {"REASON", false},  {"CAUSE", false},
};

static void put_number(struct ctl_table *table, uint64_t number, bool is_known)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	ctl_table_put(table, CTL_PLAIN, is_known ? text : "-");
}

static void put_text(struct ctl_table *table, const char *text)
{
	ctl_table_put(table, CTL_PLAIN, *text ? text : "-");
}

static void put_time(struct ctl_table *table, uint64_t ns)
{
	char text[TIME_BYTES];

	format_time(ns, text);
	ctl_table_put(table, CTL_PLAIN, text);
}

static void put_bytes(struct ctl_table *table, uint64_t bytes)
{
	char words[CTL_WORDS_BYTES];

	ctl_table_put(table, CTL_PLAIN, ctl_words_bytes(bytes, words));
}

static void show_dump(struct listing *listing, const struct keep_dump *dump)
{
	const struct summary *summary = &dump->summary;
	struct ctl_table *table = &listing->table;

	put_time(table, summary->created_ns);
	put_number(table, summary->pid, true);
	put_number(table, summary->uid, summary->have_uid);
	put_text(table, summary->service);
	put_text(table, summary->signature);
	put_number(table, summary->loop_count, summary->loop_count > 1);
	put_number(table, summary->events, true);
	put_bytes(table, dump->bytes);
	put_text(table, summary->reason);
	put_text(table, *summary->sentence ? summary->sentence : summary->how);
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void json_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, "\"%s\":", key);
	if (*text)
		ctl_json_string(out, text, strlen(text));
	else
		fputs("null", out);
	putc(',', out);
}

static void json_number(FILE *out, const char *key, uint64_t number)
{
	fprintf(out, "\"%s\":%" PRIu64 ",", key, number);
}

static void json_time(FILE *out, const char *key, uint64_t ns)
{
	char text[TIME_BYTES];

	format_time(ns, text);
	json_text(out, key, text);
}

static void json_dump(FILE *out, const struct keep_dump *dump)
{
	const struct summary *summary = &dump->summary;

	putc('{', out);
	json_text(out, "file", dump->name);
	json_time(out, "time", summary->created_ns);
	/* Nanoseconds do not survive every reader of JSON as a number. */
	fprintf(out, "\"created_ns\":\"%" PRIu64 "\",", summary->created_ns);
	json_number(out, "pid", summary->pid);
	if (summary->have_uid)
		json_number(out, "uid", summary->uid);
	json_text(out, "service", summary->service);
	json_text(out, "reason", summary->reason);
	json_text(out, "how", summary->how);
	json_text(out, "cause", summary->sentence);
	json_text(out, "signature", summary->signature);
	json_number(out, "events", summary->events);
	if (summary->loop_count)
		json_number(out, "loop_count", summary->loop_count);
	fprintf(out, "\"bytes\":%" PRIu64 "}\n", dump->bytes);
}

static void json_group(FILE *out, const struct group *group)
{
	const struct summary *last = &group->last->summary;

	putc('{', out);
	json_text(out, "signature", last->signature);
	json_text(out, "service", last->service);
	json_text(out, "how", last->how);
	json_text(out, "cause", last->sentence);
	json_number(out, "deaths", group->deaths);
	json_number(out, "files", group->files);
	json_number(out, "bytes", group->bytes);
	json_time(out, "first", group->first->summary.created_ns);
	json_time(out, "last", last->created_ns);
	fputs("\"newest\":", out);
	ctl_json_string(out, group->last->name, strlen(group->last->name));
	fputs("}\n", out);
}

/* ---- by signature ----------------------------------------------------------------------- */

static const struct ctl_column group_columns[] = {
	{"DEATHS", true},     {"FILES", true},	 {"SIZE", true},
	{"FIRST", false},     {"LAST", false},	 {"SERVICE", false},
	{"SIGNATURE", false}, {"NEWEST", false}, {"CAUSE", false},
};

static void show_group(struct listing *listing, const struct group *group)
{
	const struct summary *last = &group->last->summary;
	struct ctl_table *table = &listing->table;

	put_number(table, group->deaths, true);
	put_number(table, group->files, true);
	put_bytes(table, group->bytes);
	put_time(table, group->first->summary.created_ns);
	put_time(table, last->created_ns);
	put_text(table, last->service);
	put_text(table, last->signature);
	put_text(table, group->last->name);
	put_text(table, *last->sentence ? last->sentence : last->how);
}

static int compare_keys(const struct summary *left, const struct summary *right)
{
	int order = strcmp(left->signature, right->signature);

	if (!order)
		order = strcmp(left->service, right->service);
	return order || *left->signature ? order : strcmp(left->reason, right->reason);
}

static int compare_dumps(const void *a, const void *b)
{
	const struct summary *left = &(*(struct keep_dump *const *)a)->summary;
	const struct summary *right = &(*(struct keep_dump *const *)b)->summary;
	int order = compare_keys(left, right);

	if (!order && left->loop_key != right->loop_key)
		order = left->loop_key < right->loop_key ? -1 : 1;
	if (!order && left->loop_since_ns != right->loop_since_ns)
		order = left->loop_since_ns < right->loop_since_ns ? -1 : 1;
	return order ? order
		     : (left->created_ns > right->created_ns) -
			       (left->created_ns < right->created_ns);
}

/* The newest of a loop knows how many there were; the others are behind it. */
static bool is_last_of_loop(const struct keep_dump *dump, const struct keep_dump *next)
{
	return !dump->summary.loop_count || !next ||
	       next->summary.loop_key != dump->summary.loop_key ||
	       next->summary.loop_since_ns != dump->summary.loop_since_ns ||
	       compare_keys(&next->summary, &dump->summary);
}

static int compare_groups(const void *a, const void *b)
{
	const uint64_t left = ((const struct group *)a)->last->summary.created_ns;
	const uint64_t right = ((const struct group *)b)->last->summary.created_ns;

	return (left > right) - (left < right);
}

static size_t make_groups(const struct keep_index *index, struct group *groups)
{
	size_t count = 0;

	qsort(index->dump, index->count, sizeof(*index->dump), compare_dumps);
	for (size_t i = 0; i < index->count; i++) {
		const struct keep_dump *dump = index->dump[i];
		const struct keep_dump *next = i + 1 < index->count ? index->dump[i + 1] : NULL;
		struct group *group = count ? &groups[count - 1] : NULL;

		if (!group || compare_keys(&group->last->summary, &dump->summary)) {
			group = &groups[count++];
			*group = (struct group){.first = dump, .last = dump};
		}
		if (dump->summary.created_ns < group->first->summary.created_ns)
			group->first = dump;
		if (dump->summary.created_ns >= group->last->summary.created_ns)
			group->last = dump;
		group->files++;
		group->bytes += dump->bytes;
		if (is_last_of_loop(dump, next))
			group->deaths += dump->summary.loop_count ? dump->summary.loop_count : 1;
	}
	qsort(groups, count, sizeof(*groups), compare_groups);
	return count;
}

/* ---- the whole -------------------------------------------------------------------------- */

static int list_groups(struct listing *listing)
{
	struct group *groups = calloc(listing->index.count, sizeof(*groups));
	size_t count;

	if (!groups)
		return -ENOMEM;
	count = make_groups(&listing->index, groups);
	for (size_t i = 0; i < count; i++) {
		if (listing->options->json)
			json_group(listing->pager.out, &groups[i]);
		else
			show_group(listing, &groups[i]);
	}
	free(groups);
	return 0;
}

static void list_dumps(struct listing *listing)
{
	for (size_t i = 0; i < listing->index.count; i++) {
		if (listing->options->json)
			json_dump(listing->pager.out, listing->index.dump[i]);
		else
			show_dump(listing, listing->index.dump[i]);
	}
}

static int show(struct listing *listing)
{
	const struct ctl_options *options = listing->options;
	const bool grouped = options->group_by;
	int err = 0;

	if (grouped)
		ctl_table_init(&listing->table, group_columns,
			       sizeof(group_columns) / sizeof(group_columns[0]));
	else
		ctl_table_init(&listing->table, dump_columns,
			       sizeof(dump_columns) / sizeof(dump_columns[0]));
	ctl_pager_open(&listing->pager, !options->without_pager);
	if (grouped)
		err = list_groups(listing);
	else
		list_dumps(listing);
	if (!options->json)
		ctl_table_show(&listing->table, listing->pager.out, !options->without_legend,
			       listing->pager.colours);
	if (listing->table.failed)
		err = -ENOMEM;
	ctl_table_fini(&listing->table);
	if (!ctl_pager_close(&listing->pager) && !err)
		err = -EIO;
	return err;
}

static const char *folder_of(const struct ctl_options *options)
{
	const char *from_environment = secure_getenv("TTLOG_SNAPSHOT_DIR");

	if (options->dir)
		return options->dir;
	return from_environment && *from_environment ? from_environment : DIR_DEFAULT;
}

static int read_folder(struct listing *listing, const char *folder)
{
	const int dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = dir_fd < 0 ? -errno : 0;

	if (!err) {
		err = keep_index_scan(&listing->index, dir_fd, KEEP_ANYBODY);
		close(dir_fd);
	}
	return err;
}

int ctl_dumps(const struct ctl_options *options, const char *match)
{
	struct listing listing = {.options = options};
	const char *folder = folder_of(options);
	int status = CTL_EXIT_FINE, err = read_folder(&listing, folder);

	if (!err && listing.index.unreadable)
		ctl_say("%s: %zu file(s) named like dumps can't be read as such", folder,
			listing.index.unreadable);
	if (!err && listing.index.left_out)
		ctl_say("%s: %zu more dumps are not looked at", folder, listing.index.left_out);
	drop_others(&listing.index, match);
	if (!err && listing.index.count)
		err = show(&listing);
	else if (!err)
		status = CTL_EXIT_NO_MATCH;
	if (status == CTL_EXIT_NO_MATCH && match)
		ctl_say("%s: no dump of '%s'", folder, match);
	else if (status == CTL_EXIT_NO_MATCH)
		ctl_say("%s: no dumps", folder);
	if (err)
		ctl_say("%s: %s", folder, strerror(-err));
	keep_index_fini(&listing.index);
	return err ? CTL_EXIT_REFUSED : status;
}
