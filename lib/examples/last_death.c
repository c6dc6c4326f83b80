/* SPDX-License-Identifier: MIT */
/*
 * last_death.c - a service that asks at its start how the one before it ended, and is careful then.
 *
 *     ttlog-recorder --socket /tmp/ttlog.sock --dir /tmp/dumps &
 *     export TTLOG_SOCKET=/tmp/ttlog.sock
 *     ./last_death crash; ./last_death
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ttlog.h>

static const char *why_not(int error)
{
	switch (error) {
	case -ENOENT:
		return "nobody of this name has died";
	case -ENOTCONN:
		return "there is no recorder";
	case -ETIMEDOUT:
		return "the recorder did not answer in time";
	default:
		return strerror(-error);
	}
}

static void tell(const struct ttlog_death *death)
{
	printf("the last life (pid %d): %s\n", death->pid, death->sentence);
	if (death->dump[0])
		printf("what it recorded: %s\n", death->dump);
	else if (death->flags & TTLOG_DEATH_DUMP_PENDING)
		printf("what it recorded is still being written\n");
	if (strcmp(death->how, "exit") != 0 || death->exit_code != 0)
		ttlog_warn("Starting carefully", "because", death->reason, "signature",
			   death->signature);
}

int main(int argc, char **argv)
{
	struct ttlog_death death = {.size = sizeof(death)};
	int error;

	ttlog_init("careful");
	error = ttlog_last_death(&death);
	if (error)
		printf("nothing is known of an earlier life: %s\n", why_not(error));
	else
		tell(&death);
	fflush(stdout);
	if (argc > 1 && !strcmp(argv[1], "crash"))
		abort();
	return 0;
}
