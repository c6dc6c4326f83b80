/* SPDX-License-Identifier: MIT */
/* told_service.h - a service that a test tells what to do, a byte each; it answers when it is done. */
#ifndef TESTS_TOLD_SERVICE_H
#define TESTS_TOLD_SERVICE_H

#include "tests/service_process.h"

struct told {
	struct service service;
	int orders;
};

static int order_fd; /* where the service reads what it is to do */

/* `obey` says ready() at first and behind each order; it ends at an 'x'. */
static struct told start_told(void (*obey)(void))
{
	struct told told;
	int orders[2];

	cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
	order_fd = orders[0];
	start_service(&told.service, obey);
	close(orders[0]);
	told.orders = orders[1];
	return told;
}

/* To close the pipe would not do: others have inherited its end. */
static void end_told(struct told *told)
{
	cr_assert_eq(write(told->orders, "x", 1), 1);
	reap(&told->service);
	close(told->orders);
}

#endif
