/* SPDX-License-Identifier: MIT */
/*
 * last_death.c - a service that asks at its start how the one before it ended, and is careful then.
 *
 *     ttlog-recorder --socket /tmp/ttlog.sock --dir /tmp/dumps &
 *     export TTLOG_SOCKET=/tmp/ttlog.sock
 *     ./last_death crash; ./last_death
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ttlog.h>

int main(int argc, char **argv)
{
	struct ttlog_death death = {.size = sizeof(death)};
	int error;

	ttlog_init("careful");
	error = ttlog_last_death(&death);
	if (error) {
		printf("nothing is known of an earlier life: %s\n", strerror(-error));
	} else {
		printf("the last life (pid %d): %s\n", death.pid, death.sentence);
		if (death.dump[0])
			printf("what it recorded: %s\n", death.dump);
		if (strcmp(death.how, "exit") != 0 || death.exit_code != 0)
			ttlog_warn("Starting carefully", "because", death.reason, "signature",
				   death.signature);
	}
	if (argc > 1 && !strcmp(argv[1], "crash"))
		abort();
	return 0;
}
