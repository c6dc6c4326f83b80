/* SPDX-License-Identifier: MIT */
/* hello.c - the first steps: cc hello.c -lttlog && ttlog-recorder run -- ./a.out */
#include <ttlog.h>

#include <stdio.h>
#include <stdlib.h>

static int divide(int total, int parts)
{
	ttlog_debug("Dividing", "total", total, "parts", parts);
	return total / parts;
}

int main(int argc, char **argv)
{
	int parts = argc > 1 ? atoi(argv[1]) : 0;

	ttlog_init("hello");
	ttlog_info("Program starts", "argc", argc, "name", argv[0]);
	ttlog_infof("a printf habit: %s has %d arguments", argv[0], argc - 1);
	printf("%d\n", divide(100, parts)); /* without an argument: SIGFPE */
	ttlog_info("Program ends", "quotient", 100.0 / parts);
	return 0;
}
