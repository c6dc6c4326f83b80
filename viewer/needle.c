/* SPDX-License-Identifier: MIT */
#include "viewer/needle.h"

#include <string.h>

struct texts {
	struct span text[NEEDLES_MAX];
	uint32_t count; /* 0: nothing is known */
};

struct parse {
	const char *at, *end;
	char *to; /* where the next text goes */
	bool odd; /* something that is not understood: then nothing is known of all of it */
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* ---- what is plain in an expression ------------------------------------------------------------
 */

/* Behind a set in brackets, in which a bracket, a class or a ] in front is no end. */
static void skip_set(struct parse *parse)
{
	const char *at = parse->at + 1, *end = parse->end;

	at += at < end && *at == '^';
	at += at < end && *at == ']';
	for (; at < end && *at != ']'; at++) {
		if (*at != '[' || at + 1 == end || !strchr(":.=", at[1]))
			continue;
		for (const char kind = *++at; at + 2 < end && (at[1] != kind || at[2] != ']');)
			at++;
		at += 2;
	}
	parse->odd |= at >= end;
	parse->at = at + 1;
}

/* Steps over what repeats the item in front, which then may not be there. */
static bool take_repeats(struct parse *parse)
{
	bool any = false;

	for (; parse->at < parse->end && strchr("*?+{", *parse->at); parse->at++) {
		const char *brace = parse->at;

		if (*brace == '{')
			brace = memchr(brace, '}', (size_t)(parse->end - brace));
		any = true;
		parse->odd |= !brace;
		parse->at = brace ? brace : parse->at;
	}
	return any;
}

static size_t shortest(const struct texts *texts)
{
	size_t least = texts->count ? SIZE_MAX : 0;

	for (uint32_t i = 0; i < texts->count; i++)
		least = texts->text[i].bytes < least ? texts->text[i].bytes : least;
	return least;
}

static void keep_better(struct texts *best, const struct texts *other)
{
	if (shortest(other) > shortest(best))
		*best = *other;
}

/* The byte that stands for itself here; NULL: it is something else. */
static const char *plain_at(const struct parse *parse)
{
	static const char special[] = "\\^$.[]|()?*+{}";
	const char *at = parse->at;

	if (*at == '\\' && at + 1 < parse->end && strchr(special, at[1]))
		return at + 1;
	return strchr(special, *at) ? NULL : at;
}

/* What is repeated is the last character of a run: of several bytes perhaps. */
static void drop_last(struct parse *parse, const char *start)
{
	bool many;

	do {
		many = (unsigned char)*--parse->to >= 0x80;
	} while (many && parse->to > start && (unsigned char)parse->to[-1] >= 0x80);
}

static void take_run(struct parse *parse, struct texts *best)
{
	struct texts run = {.count = 1};
	const char *start = parse->to, *byte;

	while (parse->at < parse->end && (byte = plain_at(parse))) {
		*parse->to++ = *byte;
		parse->at = byte + 1;
		if (take_repeats(parse)) {
			drop_last(parse, start);
			break;
		}
	}
	run.text[0] = (struct span){start, (size_t)(parse->to - start)};
	keep_better(best, &run);
}

static struct texts take_choices(struct parse *parse);

static void take_group(struct parse *parse, struct texts *best)
{
	struct texts group;

	parse->at++;
	group = take_choices(parse);
	parse->odd |= parse->at >= parse->end;
	parse->at++;
	if (!take_repeats(parse))
		keep_better(best, &group);
}

/* Neither a text nor a group: a set, a \w, a dot, an anchor, or a lone sign of which nobody knows
 * what it is. */
static void skip_other(struct parse *parse)
{
	if (*parse->at == '[')
		skip_set(parse);
	else if (*parse->at == '\\')
		parse->at += 2;
	else if (!strchr("*?+{", *parse->at))
		parse->at++;
	take_repeats(parse);
}

/* Up to a | or the end of the group. */
static struct texts take_choice(struct parse *parse)
{
	struct texts best = {0};

	while (!parse->odd && parse->at < parse->end && *parse->at != '|' && *parse->at != ')') {
		if (*parse->at == '(')
			take_group(parse, &best);
		else if (plain_at(parse))
			take_run(parse, &best);
		else
			skip_other(parse);
	}
	return best;
}

static struct texts take_choices(struct parse *parse)
{
	struct texts all = take_choice(parse), next;
	bool known = all.count;

	while (!parse->odd && parse->at < parse->end && *parse->at == '|') {
		parse->at++;
		next = take_choice(parse);
		known = known && next.count && all.count + next.count <= NEEDLES_MAX;
		for (uint32_t i = 0; known && i < next.count; i++)
			all.text[all.count++] = next.text[i];
	}
	return known ? all : (struct texts){0};
}

uint32_t needles_find(struct needle needles[NEEDLES_MAX], struct span regex, bool fold, char *room)
{
	struct parse parse = {.at = regex.data, .end = regex.data + regex.bytes, .to = room};
	const struct texts texts = take_choices(&parse);

	/* Behind a ) that nobody opened is something else than there seems to be. */
	if (parse.odd || parse.at != parse.end)
		return 0;
	for (uint32_t i = 0; i < texts.count; i++)
		needle_make(&needles[i], texts.text[i], fold, (char *)texts.text[i].data);
	return texts.count;
}

/* ---- looking for it ----------------------------------------------------------------------------
 */

void needle_make(struct needle *needle, struct span text, bool fold, char *room)
{
	for (size_t i = 0; i < text.bytes; i++)
		room[i] = fold ? lower(text.data[i]) : text.data[i];
	needle->text = (struct span){room, text.bytes};
	needle->fold = fold;
	for (size_t i = 0; i < sizeof(needle->skip) / sizeof(*needle->skip); i++)
		needle->skip[i] = (uint16_t)text.bytes;
	for (size_t i = 0; i + 1 < text.bytes; i++) {
		const unsigned char c = (unsigned char)room[i];
		const uint16_t skip = (uint16_t)(text.bytes - 1 - i);

		needle->skip[c] = skip;
		if (fold && c >= 'a' && c <= 'z')
			needle->skip[c - 'a' + 'A'] = skip;
	}
}

bool needle_is_at(const struct needle *needle, size_t from, const char *data, size_t bytes)
{
	const char *text = needle->text.data + from;

	if (!needle->fold)
		return memcmp(text, data, bytes) == 0;
	for (size_t i = 0; i < bytes; i++)
		if (lower(data[i]) != text[i])
			return false;
	return true;
}

bool needle_in(const struct needle *needle, struct span text)
{
	const size_t bytes = needle->text.bytes;

	if (bytes > text.bytes)
		return false;
	if (!needle->fold)
		return memmem(text.data, text.bytes, needle->text.data, bytes);
	for (size_t at = 0; at <= text.bytes - bytes;) {
		const char *last = text.data + at + bytes - 1;

		if (lower(*last) == needle->text.data[bytes - 1] &&
		    needle_is_at(needle, 0, text.data + at, bytes - 1))
			return true;
		at += needle->skip[(unsigned char)*last];
	}
	return false;
}
