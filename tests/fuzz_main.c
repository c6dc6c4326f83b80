/* SPDX-License-Identifier: MIT */
/*
 * fuzz_main.c - replays a corpus through a fuzz target without a fuzzer.
 *
 *   fuzz_x FILE|FOLDER...    each file, and each file of each folder, goes through
 *                            LLVMFuzzerTestOneInput() once; the count is printed
 *
 * The target crashes or aborts when something is wrong. Exit status 2 without an input: a replay of
 * nothing proves nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long count;

static void fail(const char *path, const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", path, what);
	exit(2);
}

/* The input is exactly as long as its memory, so that a sanitizer sees a read behind it. */
static void run_file(const char *path, size_t bytes)
{
	uint8_t *data = malloc(bytes ? bytes : 1);
	FILE *file = fopen(path, "rb");

	if (!file || !data || bytes > FILE_BYTES_MAX || fread(data, 1, bytes, file) != bytes)
		fail(path, "can't be read");
	fclose(file);
	LLVMFuzzerTestOneInput(data, bytes);
	free(data);
	count++;
}

static void run_path(const char *path);

static void run_folder(const char *path)
{
	struct dirent **entry;
	int entries = scandir(path, &entry, NULL, alphasort);

	if (entries < 0)
		fail(path, "can't be read");
	for (int i = 0; i < entries; i++) {
		char below[4096];

		if (entry[i]->d_name[0] != '.') {
			snprintf(below, sizeof(below), "%s/%s", path, entry[i]->d_name);
			run_path(below);
		}
		free(entry[i]);
	}
	free(entry);
}

static void run_path(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		fail(path, "is not there");
	if (S_ISDIR(status.st_mode))
		run_folder(path);
	else
		run_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("%lu inputs\n", count);
	return count ? 0 : 2;
}
