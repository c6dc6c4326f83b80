/* SPDX-License-Identifier: MIT */
/*
 * size_site.c - sixteen calls of another function, with an event behind each, or without. size.sh
 * compiles it, as C and as C++, with WITH=1 and an EVENT(n).
 */
#define TTLOG_TARGET "bench"
#include "lib/ttlog.h"

#ifdef __cplusplus
extern "C" {
#endif

void work(void);
void sites(uint64_t id, int status, const char *method);

#ifdef __cplusplus
}
#endif

#if WITH
#define SITE(n)                                                                                    \
	work();                                                                                    \
	EVENT(n);
#else
#define SITE(n) work();
#endif

void sites(uint64_t id, int status, const char *method)
{
	(void)id;
	(void)status;
	(void)method;
	SITE("01")
	SITE("02") SITE("03") SITE("04") SITE("05") SITE("06") SITE("07") SITE("08") SITE("09")
		SITE("10") SITE("11") SITE("12") SITE("13") SITE("14") SITE("15") SITE("16")
}
