/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - the recorder's figures for others: /metrics in Prometheus' text format, /livez and
 * /readyz for whoever restarts services, and the same text in a file for node_exporter.
 *
 * Off unless asked for, and then nothing wakes up until somebody asks (but for the file's
 * interval). Nothing here waits: what takes long is looked at piece by piece, or by a worker, and
 * an answer that would take longer than METRICS_PATIENCE_MS is given with what is known by then.
 */
#ifndef RECORDER_METRICS_H
#define RECORDER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#define METRICS_PATIENCE_MS 2000
#define METRICS_FILE_INTERVAL_S 15

struct metrics;
struct recorder;

struct metrics_options {
	const char *address; /* "127.0.0.1:9464", "[::1]:9464", "localhost:9464", "unix:PATH" */
	bool remote;	     /* the address may be one that other machines reach */
	const char *file;    /* rewritten every file_interval_s */
	uint64_t file_interval_s; /* 0: METRICS_FILE_INTERVAL_S */
};

/*
 * Says on stderr what went wrong, and where the figures are. With neither address nor file nothing
 * is opened and *ret_metrics is NULL. 0 or a negative errno.
 */
int metrics_open(struct metrics **ret_metrics, struct recorder *recorder,
		 const struct metrics_options *options);
/* Where the file is written, -1 without one. NULL is fine. */
int metrics_folder_fd(const struct metrics *metrics);
/* Before the workers and the clients are closed. Removes the file. NULL is fine. */
void metrics_close(struct metrics *metrics);

#endif
