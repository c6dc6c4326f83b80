/* SPDX-License-Identifier: MIT */
/* paged_seek.c - places of a timeline that are known by a time, a number or a mark. */
#include <string.h>

#include "viewer/paged.h"

uint64_t paged_rank(const struct paged *paged, const uint64_t *place)
{
	uint64_t rank = 0;

	for (size_t i = 0; i < paged_sources(paged); i++)
		rank += place[i];
	return rank;
}

void paged_start(const struct paged *paged, uint64_t *place)
{
	memset(place, 0, paged_sources(paged) * sizeof(*place));
}

void paged_end(const struct paged *paged, uint64_t *place)
{
	for (size_t i = 0; i < paged_sources(paged); i++)
		place[i] = paged_count(paged, i);
}

void paged_seek_time(struct paged *paged, uint64_t *place, int64_t ns)
{
	for (size_t i = 0; i < paged_sources(paged); i++) {
		uint64_t low, high;

		paged_bounds(paged, i, ns, &low, &high);
		while (low < high) {
			uint64_t middle = low + (high - low) / 2;

			if (paged_key(paged, i, middle) < ns)
				low = middle + 1;
			else
				high = middle;
		}
		place[i] = low;
	}
}

void paged_seek_mark(struct paged *paged, uint64_t *place, size_t mark)
{
	const int64_t ns = paged_key(paged, paged_sources(paged) - 1, mark);

	paged_seek_time(paged, place, ns == INT64_MAX ? ns : ns + 1);
	place[paged_sources(paged) - 1] = mark;
}

void paged_seek_rank(struct paged *paged, uint64_t *place, uint64_t rank)
{
	int64_t low, high;
	struct paged_item item;

	if (!paged_span(paged, &low, &high) || rank >= paged_total(paged)) {
		paged_end(paged, place);
		return;
	}
	if (paged_sources(paged) == 2) {
		place[0] = rank < paged_count(paged, 0) ? rank : paged_count(paged, 0);
		place[1] = 0;
		while (place[1] < paged_count(paged, 1) && place[0] < paged_count(paged, 0) &&
		       paged_key(paged, 1, place[1]) < paged_key(paged, 0, place[0]))
			place[1]++;
		return;
	}
	while (low < high) {
		int64_t middle = low + (int64_t)(((uint64_t)high - (uint64_t)low) / 2);

		paged_seek_time(paged, place, middle);
		if (paged_rank(paged, place) < rank)
			low = middle + 1;
		else
			high = middle;
	}
	paged_seek_time(paged, place, low);
	while (paged_rank(paged, place) > rank && paged_prev(paged, place, &item))
		;
}
