/* SPDX-License-Identifier: MIT */
/* race_processes.h - what races among many processes share: a settled environment, and complaints.
 */
#ifndef TTLOG_TESTS_RACE_PROCESSES_H
#define TTLOG_TESTS_RACE_PROCESSES_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Is the environment what the races need? If not, it is made so, and the program executed again:
 * the library reads it when it is loaded. Does not come back then. */
static void race_settle(char **argv)
{
	if (getenv("RACE_SETTLED"))
		return;
	setenv("RACE_SETTLED", "1", 1);
	setenv("TTLOG_SOCKET", "", 1);
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	setenv("TTLOG_LEVEL", "trace", 1);
	unsetenv("TTLOG_DEBUG");
	execv("/proc/self/exe", argv);
	perror("execv");
	_exit(1);
}

/* Not stdio: a forked child would find its lock held. */
__attribute__((format(printf, 2, 3))) static void race_complain(_Atomic unsigned int *defects,
								const char *format, ...)
{
	char line[256];
	va_list arguments;
	int length;

	if (atomic_fetch_add(defects, 1) >= 10)
		return;
	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		abort();
}

#endif
