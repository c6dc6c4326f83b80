/* SPDX-License-Identifier: MIT */
/* peer_libqb.c - the blackbox of libqb: printf arguments, unformatted, in a ring in /dev/shm. */
#include "bench/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <qb/qbdefs.h>
#include <qb/qblog.h>
#include <stdlib.h>
#include <syslog.h>

static void libqb_ready(void)
{
	const char *name = getenv("PEER_NAME"); /* its files in /dev/shm are called so */
	int error;

	qb_log_init(name ? name : "bench", LOG_USER, LOG_EMERG);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE); /* on by default */
	qb_log_filter_ctl(QB_LOG_BLACKBOX, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_INFO);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_SIZE, (int)PEER_BYTES);
	error = qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_ENABLED, QB_TRUE);
	if (error)
		measure_die("libqb's blackbox", error);
	atexit(qb_log_fini); /* removes them */
}

/* What its users do in a handler of SIGSEGV. */
static void libqb_finish(const char *path)
{
	ssize_t written = qb_log_blackbox_write_to_file(path);

	if (written < 0)
		measure_die("qb_log_blackbox_write_to_file", (int)written);
}

PEER(libqb_ready, libqb_finish,
     qb_log(LOG_INFO, "Request processed request_id=%" PRIu64 " status=%d method=%s", i,
	    PEER_STATUS(i), PEER_METHOD))
