/* SPDX-License-Identifier: MIT */
#include "viewer/paged.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/batches.h"
#include "viewer/frame_at.h"

/* Of decoded batches, and how many there are at least: a timeline stands in one of each dump. */
#define KEPT_BYTES (24u << 20)
#define KEPT_MIN_BESIDE 2

/* An event and the time that it is sorted by. */
struct entry {
	struct event event;
	int64_t key_ns;
};

/* A batch that was read. */
struct page {
	struct page *newer, *older;
	size_t source, batch;
	unsigned char *content;
	size_t bytes; /* of all of it */
	uint32_t count;
	struct entry entries[];
};

struct source {
	struct dump *dump;
	int fd;
	struct frame_reader *reader;
	struct batches batches;
	struct page *hot; /* the one that was looked at last */
	/* What the merge asks for again and again. */
	uint64_t known_number;
	int64_t known_ns;
	bool known;
};

struct paged {
	struct source *sources; /* the marks have none */
	size_t source_count;
	struct paged_mark *marks; /* by time */
	size_t mark_count;
	struct page *newest, *oldest;
	size_t page_count, bytes;
	bool damaged;
	int64_t base_ns;
	bool have_base;
};

static struct site unreadable = {
	.level = LEVEL_UNKNOWN,
	.target = {"?", 1},
	.message = {"(this event is damaged and can't be read)", 41},
};
static const struct meta_thread no_thread;
static const struct meta_lane no_lane;
static const unsigned char no_values[1];

/* ---- pages ------------------------------------------------------------------------------------
 */

static void page_unlink(struct paged *paged, struct page *page)
{
	*(page->newer ? &page->newer->older : &paged->newest) = page->older;
	*(page->older ? &page->older->newer : &paged->oldest) = page->newer;
	paged->bytes -= page->bytes;
	paged->page_count--;
}

static void page_push(struct paged *paged, struct page *page)
{
	page->newer = NULL;
	page->older = paged->newest;
	*(paged->newest ? &paged->newest->newer : &paged->oldest) = page;
	paged->newest = page;
	paged->bytes += page->bytes;
	paged->page_count++;
}

static void page_free(struct paged *paged, struct page *page)
{
	if (paged->sources[page->source].hot == page)
		paged->sources[page->source].hot = NULL;
	free(page->content);
	free(page);
}

static void pages_shrink(struct paged *paged)
{
	while (paged->bytes > KEPT_BYTES &&
	       paged->page_count > paged->source_count + KEPT_MIN_BESIDE) {
		struct page *page = paged->oldest;

		page_unlink(paged, page);
		page_free(paged, page);
	}
}

/* What could not be read has the time of what is before it. */
static void fill(struct page *page, const struct source *source, const struct batch_place *place,
		 struct dump_batch *batch)
{
	int64_t key_ns = place->floor_ns, last_ns = place->first_ns;
	uint32_t i = 0;

	for (; i < place->events && dump_batch_next(source->dump, batch, &page->entries[i].event);
	     i++) {
		last_ns = page->entries[i].event.time_ns;
		key_ns = last_ns > key_ns ? last_ns : key_ns;
		page->entries[i].key_ns = key_ns;
	}
	page->count = i;
	for (; i < place->events; i++)
		page->entries[i] = (struct entry){
			.event = {.dump = source->dump,
				  .site = &unreadable,
				  .thread = &no_thread,
				  .lane = &no_lane,
				  .values = no_values,
				  .time_ns = last_ns,
				  .seq = place->first + i},
			.key_ns = key_ns > last_ns ? key_ns : last_ns,
		};
}

static struct page *page_read(struct paged *paged, size_t source_number, size_t batch_number)
{
	struct source *source = &paged->sources[source_number];
	const struct batch_place *place = &source->batches.list[batch_number];
	const size_t table_bytes = sizeof(struct page) + place->events * sizeof(struct entry);
	struct page *page = malloc(table_bytes);
	struct dump_batch batch = {0};
	size_t content_bytes = 0;

	if (!page)
		return NULL;
	memset(page, 0, sizeof(*page));
	page->source = source_number;
	page->batch = batch_number;
	if (frame_read(source->reader, place->offset, BATCH_BYTES_MAX, &page->content,
		       &content_bytes) == 0 &&
	    dump_batch_begin(&batch, page->content, content_bytes))
		batch.left = 0;
	fill(page, source, place, &batch);
	if (page->count < place->events)
		paged->damaged = true;
	page->bytes = table_bytes + content_bytes;
	return page;
}

static struct page *page_kept(const struct paged *paged, size_t source, size_t batch)
{
	struct page *page = paged->newest;

	while (page && (page->batch != batch || page->source != source))
		page = page->older;
	return page;
}

/* NULL: no memory. */
static const struct entry *entry_at(struct paged *paged, size_t source_number, uint64_t number)
{
	struct source *source = &paged->sources[source_number];
	const struct batches *batches = &source->batches;
	struct page *page = source->hot;
	size_t batch;

	if (page && number - batches->list[page->batch].first < batches->list[page->batch].events)
		return &page->entries[number - batches->list[page->batch].first];
	batch = batches_find(batches, number);
	page = page_kept(paged, source_number, batch);
	if (page) {
		page_unlink(paged, page);
	} else {
		page = page_read(paged, source_number, batch);
		if (!page)
			return NULL;
	}
	page_push(paged, page);
	source->hot = page;
	pages_shrink(paged);
	return &page->entries[number - batches->list[batch].first];
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static int compare_marks(const void *a, const void *b)
{
	const struct paged_mark *left = a, *right = b;

	return (left->ns > right->ns) - (left->ns < right->ns);
}

static void find_marks(struct paged *paged)
{
	for (size_t i = 0; i < paged->source_count; i++) {
		const struct meta *meta = dump_meta(paged->sources[i].dump);
		const bool dead = meta->death_ns.known;
		const struct number *when = dead ? &meta->death_ns : &meta->created_ns;

		if (when->known)
			paged->marks[paged->mark_count++] =
				(struct paged_mark){(int64_t)when->bits, meta, dead};
	}
	qsort(paged->marks, paged->mark_count, sizeof(*paged->marks), compare_marks);
	for (size_t i = 0; i < paged->mark_count; i++) {
		paged->base_ns = paged->marks[i].ns;
		paged->have_base = true;
		if (paged->marks[i].dead)
			return;
	}
}

static int source_open(struct source *source, struct dump *dump)
{
	int error;

	source->dump = dump;
	source->fd = open(dump_path(dump), O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (source->fd < 0)
		return -errno;
	error = frame_reader_open(&source->reader, source->fd);
	return error ? error : batches_open(&source->batches, dump, source->fd);
}

int paged_open(struct paged **ret_paged, struct dump *const *dumps, size_t count)
{
	struct paged *paged = calloc(1, sizeof(*paged));
	int error = 0;

	if (!paged)
		return -ENOMEM;
	paged->sources = calloc(count + 1, sizeof(*paged->sources));
	paged->marks = calloc(count + 1, sizeof(*paged->marks));
	if (!paged->sources || !paged->marks)
		error = -ENOMEM;
	for (; !error && paged->source_count < count; paged->source_count++) {
		struct source *source = &paged->sources[paged->source_count];

		source->fd = -1;
		error = source_open(source, dumps[paged->source_count]);
		paged->damaged |= !source->batches.indexed;
	}
	if (error) {
		paged_close(paged);
		return error;
	}
	find_marks(paged);
	*ret_paged = paged;
	return 0;
}

void paged_close(struct paged *paged)
{
	struct page *page;

	if (!paged)
		return;
	while ((page = paged->newest)) {
		page_unlink(paged, page);
		page_free(paged, page);
	}
	for (size_t i = 0; i < paged->source_count; i++) {
		frame_reader_close(paged->sources[i].reader);
		batches_fini(&paged->sources[i].batches);
		if (paged->sources[i].fd >= 0)
			close(paged->sources[i].fd);
	}
	free(paged->sources);
	free(paged->marks);
	free(paged);
}

/* ---- what there is ----------------------------------------------------------------------------
 */

size_t paged_sources(const struct paged *paged)
{
	return paged->source_count + 1;
}

struct dump *paged_dump(const struct paged *paged, size_t source)
{
	return source < paged->source_count ? paged->sources[source].dump : NULL;
}

uint64_t paged_count(const struct paged *paged, size_t source)
{
	return source < paged->source_count ? paged->sources[source].batches.events
					    : paged->mark_count;
}

uint64_t paged_events(const struct paged *paged)
{
	uint64_t events = 0;

	for (size_t i = 0; i < paged->source_count; i++)
		events += paged->sources[i].batches.events;
	return events;
}

uint64_t paged_total(const struct paged *paged)
{
	return paged_events(paged) + paged->mark_count;
}

bool paged_base(const struct paged *paged, int64_t *ret_ns)
{
	*ret_ns = paged->base_ns;
	return paged->have_base;
}

bool paged_span(const struct paged *paged, int64_t *ret_first_ns, int64_t *ret_last_ns)
{
	bool any = false;

	for (size_t i = 0; i < paged->source_count; i++) {
		const struct batches *batches = &paged->sources[i].batches;
		const struct batch_place *last;

		if (!batches->count)
			continue;
		last = &batches->list[batches->count - 1];
		if (!any || batches->list[0].first_ns < *ret_first_ns)
			*ret_first_ns = batches->list[0].first_ns;
		if (!any || last->last_ns > *ret_last_ns)
			*ret_last_ns = last->last_ns;
		any = true;
	}
	return any;
}

struct when_base paged_when(const struct paged *paged)
{
	struct when_base base = {0};
	int64_t first;

	paged_span(paged, &first, &base.end_ns);
	base.death_ns = paged->have_base ? paged->base_ns : base.end_ns;
	return base;
}

bool paged_damaged(const struct paged *paged)
{
	return paged->damaged;
}

size_t paged_memory(const struct paged *paged)
{
	size_t bytes = paged->bytes;

	for (size_t i = 0; i < paged->source_count; i++)
		bytes += paged->sources[i].batches.capacity * sizeof(struct batch_place);
	return bytes;
}

/* ---- places -----------------------------------------------------------------------------------
 */

int64_t paged_key(struct paged *paged, size_t number, uint64_t index)
{
	struct source *source = &paged->sources[number];
	const struct entry *entry;

	if (number == paged->source_count)
		return paged->marks[index].ns;
	if (source->known && source->known_number == index)
		return source->known_ns;
	entry = entry_at(paged, number, index);
	source->known = true;
	source->known_number = index;
	source->known_ns = entry ? entry->key_ns : INT64_MAX;
	return source->known_ns;
}

/* By what is known of the batches: at most one of them is looked into. */
void paged_bounds(const struct paged *paged, size_t source, int64_t ns, uint64_t *ret_low,
		  uint64_t *ret_high)
{
	const struct batches *batches;
	size_t low = 0, high;

	*ret_low = 0;
	*ret_high = paged_count(paged, source);
	if (source == paged->source_count)
		return;
	batches = &paged->sources[source].batches;
	for (high = batches->count; high - low > 1;) {
		const size_t middle = low + (high - low) / 2;
		const struct batch_place *place = &batches->list[middle];

		if ((place->first_ns > place->floor_ns ? place->first_ns : place->floor_ns) < ns)
			low = middle;
		else
			high = middle;
	}
	if (!batches->count)
		return;
	*ret_low = batches->list[low].first;
	*ret_high = batches->list[low].first + batches->list[low].events;
}

void paged_item_at(struct paged *paged, size_t source, uint64_t number, struct paged_item *ret_item)
{
	const struct entry *entry;

	ret_item->source = source;
	ret_item->number = number;
	if (source == paged->source_count) {
		ret_item->mark = &paged->marks[number];
		ret_item->ns = ret_item->mark->ns;
		return;
	}
	ret_item->mark = NULL;
	entry = entry_at(paged, source, number);
	if (entry)
		ret_item->event = entry->event;
	else
		ret_item->event = (struct event){.dump = paged->sources[source].dump,
						 .site = &unreadable,
						 .thread = &no_thread,
						 .lane = &no_lane,
						 .values = no_values,
						 .seq = number};
	ret_item->ns = ret_item->event.time_ns;
}

/* The source whose next item is the first, or SIZE_MAX. A mark comes behind events of its time. */
static size_t source_next(struct paged *paged, const uint64_t *place)
{
	size_t best = SIZE_MAX;
	int64_t best_ns = 0;

	for (size_t i = 0; i <= paged->source_count; i++) {
		int64_t ns;

		if (place[i] == paged_count(paged, i))
			continue;
		ns = paged_key(paged, i, place[i]);
		if (best == SIZE_MAX || ns < best_ns) {
			best = i;
			best_ns = ns;
		}
	}
	return best;
}

static size_t source_prev(struct paged *paged, const uint64_t *place)
{
	size_t best = SIZE_MAX;
	int64_t best_ns = 0;

	for (size_t i = 0; i <= paged->source_count; i++) {
		int64_t ns;

		if (!place[i])
			continue;
		ns = paged_key(paged, i, place[i] - 1);
		if (best == SIZE_MAX || ns >= best_ns) {
			best = i;
			best_ns = ns;
		}
	}
	return best;
}

bool paged_next(struct paged *paged, uint64_t *place, struct paged_item *ret_item)
{
	size_t source = source_next(paged, place);

	if (source == SIZE_MAX)
		return false;
	paged_item_at(paged, source, place[source]++, ret_item);
	return true;
}

bool paged_prev(struct paged *paged, uint64_t *place, struct paged_item *ret_item)
{
	size_t source = source_prev(paged, place);

	if (source == SIZE_MAX)
		return false;
	paged_item_at(paged, source, --place[source], ret_item);
	return true;
}
