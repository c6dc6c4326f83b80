/* SPDX-License-Identifier: MIT */
/*
 * slowest.c - which request was the slowest, of those that a dump has?
 *
 *     cc slowest.c -lttlogread && ./a.out ttlog-4242-20261123100000-sigsegv.bin [FIELD [QUERY]]
 *
 * FIELD is what each request says of the time that it took; "duration_ns" if nobody says. QUERY is one of
 * ttlog-view's: 'target=http and status>=500'.
 */
#include <inttypes.h>
#include <stdio.h>

#include <ttlog_read.h>

/* What the program recorded may hold anything: a terminal gets what is harmless. */
static void print_text(struct ttlog_read_text text)
{
	for (size_t i = 0; i < text.bytes; i++) {
		const unsigned char byte = (unsigned char)text.data[i];

		putchar(byte >= ' ' && byte < 0x7f ? byte : '?');
	}
}

static void print_value(const struct ttlog_read_value *value)
{
	print_text(value->name);
	putchar('=');
	switch (value->type) {
	case TTLOG_READ_TEXT:
		print_text(value->text);
		break;
	case TTLOG_READ_FLOAT:
	case TTLOG_READ_DOUBLE:
		printf("%g", value->real);
		break;
	case TTLOG_READ_INT:
		printf("%" PRId64, value->integer);
		break;
	case TTLOG_READ_BYTES:
	case TTLOG_READ_NULL:
		printf("(%zu bytes)", value->text.bytes);
		break;
	default:
		printf("%" PRIu64, value->number);
	}
}

static void print_event(const struct ttlog_read *dump, const struct ttlog_read_event *event)
{
	printf("event %" PRIu64 ": ", event->seq);
	print_text(event->message);
	for (uint32_t i = 0; i < event->field_count; i++) {
		putchar(' ');
		print_value(ttlog_read_field_at(dump, i));
	}
	putchar('\n');
}

/* The number of the event with the most of that field. False: none has it. */
static int find_slowest(struct ttlog_read *dump, const char *field, uint64_t *ret_seq)
{
	const struct ttlog_read_event *event;
	const struct ttlog_read_value *value;
	double most = 0;
	int found = 0;

	while (ttlog_read_next(dump, &event) > 0) {
		value = ttlog_read_field(dump, field);
		if (!value || (found && value->real <= most))
			continue;
		most = value->real;
		*ret_seq = event->seq;
		found = 1;
	}
	return found;
}

static int open_dump(struct ttlog_read **ret_dump, const char *path, const char *query)
{
	char why[200] = "";
	const struct ttlog_read_options options = {
		.size = sizeof(options), .query = query, .why = why, .why_bytes = sizeof(why)};
	int error = ttlog_read_open(ret_dump, path, &options);

	if (error)
		fprintf(stderr, "%s: %s\n", path, why);
	return error;
}

int main(int argc, char **argv)
{
	const char *field = argc > 2 ? argv[2] : "duration_ns";
	const struct ttlog_read_event *event;
	struct ttlog_read *dump;
	char query[64], why[160];
	uint64_t seq = 0;
	int found;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: slowest DUMP [FIELD [QUERY]]\n");
		return 2;
	}
	if (open_dump(&dump, argv[1], argc > 3 ? argv[3] : NULL))
		return 1;
	print_text(ttlog_read_get_info(dump)->service);
	printf(": ");
	print_text(ttlog_read_get_cause(dump)->sentence);
	printf("\n");
	found = find_slowest(dump, field, &seq);
	if (ttlog_read_damage(dump, why, sizeof(why)))
		fprintf(stderr, "%s: %s\n", argv[1], why);
	ttlog_read_close(dump);
	if (!found) {
		printf("no event has %s\n", field);
		return 1;
	}
	/* All of it, now that it is known which one it is. */
	snprintf(query, sizeof(query), "seq=%" PRIu64, seq);
	if (open_dump(&dump, argv[1], query))
		return 1;
	if (ttlog_read_next(dump, &event) > 0)
		print_event(dump, event);
	ttlog_read_close(dump);
	return 0;
}
