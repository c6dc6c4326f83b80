/* SPDX-License-Identifier: MIT */
/* step_coverage.c - see step_coverage.h. */
#include "tests/step_coverage.h"

#include <glob.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINES_MAX 2048
#define LINE_BYTES 512

/* What a line of a source file has. */
enum line {
	LINE_CODE = 4, /* beside enum coverage_death */
	LINE_EXCEPTED = 8,
};

struct source {
	const char *path;
	bool is_ring; /* none of its lines may be left out */
	uint8_t line[LINES_MAX];
};

static struct source sources[] = {
	{.path = "lib/ring.c", .is_ring = true},
	{.path = "lib/stops.c", .is_ring = true},
	{.path = "lib/chunk.c", .is_ring = true},
	{.path = "lib/chunk.h", .is_ring = true},
	{.path = "lib/lane.c", .is_ring = true},
	{.path = "lib/lane.h", .is_ring = true},
	{.path = "lib/writer.c", .is_ring = true},
	{.path = "lib/writer.h", .is_ring = true},
	{.path = "lib/ttlog.h", .is_ring = true},
	{.path = "lib/channel.c", .is_ring = true},
	{.path = "lib/channel_table.c", .is_ring = true},
	{.path = "lib/encode.c", .is_ring = true},
	{.path = "lib/dict.c", .is_ring = true},
	/* Before there is a region, and what hands it over. */
	{.path = "lib/ttlog.c"},
	{.path = "lib/process.c"},
	{.path = "lib/attach.c"},
	{.path = "lib/clock.c"},
	{.path = "lib/region.c"},
	{.path = "lib/region_plan.c"},
	{.path = "lib/settings.c"},
	/* Words beside the ring. */
	{.path = "lib/beat.c"},
};
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

/* Lines that no writer of this machine comes to: that many from the one with this text on. */
static const struct exception {
	const char *path, *text;
	uint32_t lines;
	const char *reason;
} exceptions[] = {
	{"lib/writer.c", "static void make_exit_key(void)", 4,
	 "runs before main(), when there is no region"},
	{"lib/dict.c", "int ttlog_dict_fits(", 5,
	 "compares two regions that somebody else made; nothing is written"},
};

/* ---- places ---------------------------------------------------------------------------------- */

static struct {
	uint64_t bias;	     /* address - what objdump prints */
	uint64_t start, end; /* of the code, as objdump prints */
	uint8_t *died;	     /* a byte an address: enum coverage_death; shared */
} image;

static int find_image(struct dl_phdr_info *info, size_t size, void *argument)
{
	(void)size;
	(void)argument;
	image.bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
			image.start = part->p_vaddr;
			image.end = part->p_vaddr + part->p_memsz;
		}
	}
	return 1; /* the first is the program itself */
}

unsigned int coverage_hash(void)
{
	unsigned int hash = 0;

	dl_iterate_phdr(find_image, NULL);
	for (uint64_t at = image.start; at < image.end; at++)
		hash = hash * 31 + *(const uint8_t *)(uintptr_t)(image.bias + at);
	return hash;
}

void coverage_init(void)
{
	dl_iterate_phdr(find_image, NULL);
	image.died = mmap(NULL, image.end - image.start, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (image.died == MAP_FAILED) {
		perror("crash_step: mmap");
		exit(1);
	}
}

bool coverage_is_image(uint64_t pc)
{
	return pc - image.bias >= image.start && pc - image.bias < image.end;
}

void coverage_add(uint64_t pc, enum coverage_death death)
{
	if (coverage_is_image(pc))
		__atomic_fetch_or(&image.died[pc - image.bias - image.start], (uint8_t)death,
				  __ATOMIC_RELAXED);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* By its last part, which is all that some compilers leave of it. */
static struct source *source_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	for (size_t i = 0; i < SOURCES; i++)
		if (strcmp(strrchr(sources[i].path, '/') + 1, name) == 0)
			return &sources[i];
	return NULL;
}

/* A row of the line table: the code from there to the next row's is of that line. */
struct row {
	struct source *source; /* NULL: none that is asked for */
	uint32_t line;
	uint64_t address;
};

/* One that has no instruction of its own starts where the next one is. */
static void row_end(const struct row *row, uint64_t end)
{
	uint64_t address = row->address;

	if (!row->source || row->line >= LINES_MAX)
		return;
	row->source->line[row->line] |= LINE_CODE;
	do {
		if (address >= image.start && address < image.end)
			row->source->line[row->line] |= image.died[address - image.start];
	} while (++address < end);
}

/* file name, line number or "-" behind the last, address, and what is of no use here. */
static bool row_read(const char *text, struct row *ret_row)
{
	char name[LINE_BYTES], number[LINE_BYTES];
	unsigned long long address;

	if (sscanf(text, "%511s %511s 0x%llx", name, number, &address) != 3)
		return false;
	ret_row->source = number[0] == '-' ? NULL : source_of(name);
	ret_row->line = (uint32_t)strtoul(number, NULL, 10);
	ret_row->address = address;
	return true;
}

/* False: this program was built without line numbers, or there is no objdump. */
static bool lines_read(void)
{
	FILE *pipe = popen("objdump --dwarf=decodedline /proc/$PPID/exe 2>/dev/null", "re");
	struct row row = {.source = NULL}, next;
	char text[LINE_BYTES];
	bool any = false;

	if (!pipe)
		return false;
	while (fgets(text, sizeof(text), pipe)) {
		if (!row_read(text, &next))
			continue;
		row_end(&row, next.address);
		any = any || next.source;
		row = next;
	}
	return pclose(pipe) == 0 && any;
}

static bool is_missing(const struct source *source, uint32_t line)
{
	return (source->line[line] & (LINE_CODE | LINE_EXCEPTED | COVERAGE_LOOK)) == LINE_CODE;
}

/* Does one begin at this line? Then all its lines are excepted, those that have code. */
static void except(struct source *source, uint32_t line, const char *text)
{
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (strcmp(exceptions[i].path, source->path) != 0 ||
		    !strstr(text, exceptions[i].text))
			continue;
		for (uint32_t k = line; k < line + exceptions[i].lines && k < LINES_MAX; k++)
			if (is_missing(source, k))
				source->line[k] |= LINE_EXCEPTED;
		printf("  excepted: %s:%u: %s\n", source->path, line, exceptions[i].reason);
	}
}

/* Says which lines are left out. Returns how many of those nobody excuses. */
static uint32_t missing_print(struct source *source)
{
	FILE *file = fopen(source->path, "re");
	char text[LINE_BYTES] = "";
	uint32_t count = 0;

	if (!file)
		printf("  %s can't be read: run this in the top folder\n", source->path);
	for (uint32_t line = 1; line < LINES_MAX; line++) {
		if (file && !fgets(text, sizeof(text), file))
			text[0] = 0;
		text[strcspn(text, "\n")] = 0;
		except(source, line, text);
		if (!is_missing(source, line))
			continue;
		printf("  left out: %s:%u: %s\n", source->path, line, text + strspn(text, " \t"));
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

/* Returns how many of its lines have code. */
static uint32_t source_print(const struct source *source)
{
	uint32_t code = 0, look = 0, kill = 0, excepted = 0;

	for (uint32_t line = 1; line < LINES_MAX; line++) {
		code += (source->line[line] & LINE_CODE) != 0;
		look += (source->line[line] & COVERAGE_LOOK) != 0;
		kill += (source->line[line] & COVERAGE_KILL) != 0;
		excepted += (source->line[line] & LINE_EXCEPTED) != 0;
	}
	printf("%-19s %5u %12u %12u %9u %9u%s\n", source->path, code, look, kill,
	       code - look - excepted, excepted,
	       source->is_ring ? "" : "   not the ring: may miss some");
	return code;
}

/* Is each file of the library one of the above, or a reader's? */
static bool files_are_known(void)
{
	bool well = true;
	glob_t files;

	if (glob("lib/*.c", 0, NULL, &files) != 0) {
		printf("  there is no lib/: run this in the top folder\n");
		return false;
	}
	for (size_t i = 0; i < files.gl_pathc; i++) {
		if (strncmp(files.gl_pathv[i], "lib/reader", 10) == 0 ||
		    source_of(files.gl_pathv[i]))
			continue;
		printf("  left out: %s: is it the ring's or not?\n", files.gl_pathv[i]);
		well = false;
	}
	globfree(&files);
	return well;
}

bool coverage_report(bool is_part)
{
	uint32_t missing = is_part || files_are_known() ? 0 : 1;

	if (!lines_read()) {
		printf("crash_step: no coverage: it needs -g and objdump\n");
		return true;
	}
	for (size_t i = 0; i < SOURCES; i++)
		if (!is_part && (sources[i].is_ring || getenv("CRASH_STEP_ALL")))
			missing += missing_print(&sources[i]) * sources[i].is_ring;
	printf("%-19s %5s %12s %12s %9s %9s\n", "file", "lines", "death tried", "by SIGKILL",
	       "left out", "excepted");
	for (size_t i = 0; i < SOURCES; i++)
		missing += source_print(&sources[i]) == 0; /* it is there under another name */
	return missing == 0;
}
