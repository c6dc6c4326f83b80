/* SPDX-License-Identifier: MIT */
/*
 * victim_scene.cc - dies as its argument says, several functions deep, one of them inlined, for
 * test_unwind.c and, RECORDED, crash_stacks.sh, which know the lines by the marks behind them.
 */
#include <assert.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifdef RECORDED
#include <pthread.h>
#include <unistd.h>

#include "lib/ttlog.h"
#endif

#define NOINLINE __attribute__((noinline))
/* What was called before it is no tail call. */
#define STAY __asm__ volatile("")

static const char *kind, *plugin;

namespace shop
{

static volatile int sink;
static void (*volatile nowhere)(int);
static time_t *volatile not_there = (time_t *)8;

NOINLINE static void overflow(int depth)
{
	volatile char room[200];

	room[depth % 200] = 1;
	if (sink >= 0)
		overflow(depth + 1); /* @overflow */
	sink = room[0];
}

NOINLINE static void fault(volatile int *where)
{
	*where = 1; /* @fault */
	STAY;
}

static void on_signal(int)
{
	fault(nullptr); /* @handler */
	STAY;
}

NOINLINE static void interrupted()
{
	raise(SIGUSR1); /* @raise */
	STAY;
}

static void handle(int flags)
{
	const size_t bytes = 65536;
	struct sigaction action = {};
	stack_t stack = {};

	stack.ss_sp = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack.ss_size = bytes;
	sigaltstack(&stack, nullptr);
	action.sa_handler = on_signal;
	action.sa_flags = flags;
	sigaction(SIGUSR1, &action, nullptr);
	interrupted();
}

/* Deeper than what is kept of a stack. */
NOINLINE static void far_away()
{
	volatile char room[200000];

	room[0] = 1;
	fault(nullptr); /* @far_away */
	sink = room[0];
}

static const char constant[] = "constant";
static int data[1000];

static void map_and_write()
{
	volatile char *page = (volatile char *)mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page[16] = 1; /* @mapping */
	STAY;
}

static void call_plugin()
{
#ifndef WITHOUT_DLOPEN
	void *library = dlopen(plugin, RTLD_NOW);
	void (*crash)(int) = library ? (void (*)(int))dlsym(library, "plugin_crash") : nullptr;

	if (!crash)
		exit(3);
	crash(7); /* @call_plugin */
	STAY;
#endif
}

class Order
{
      public:
	explicit Order(int number) : number_(number)
	{
	}
	NOINLINE void checkout(const char *how);

      private:
	__attribute__((always_inline)) inline void total(const char *how)
	{
		sink += number_;
		if (!strcmp(how, "fault"))
			fault(nullptr); /* @total */
		STAY;
	}
	int number_;
};

void Order::checkout(const char *how)
{
	total(how); /* @checkout */
	if (!strcmp(how, "abort"))
		abort(); /* @abort */
	if (!strcmp(how, "assert"))
		assert(number_ == 0); /* @assert */
	if (!strcmp(how, "null"))
		nowhere(number_); /* @null */
	if (!strcmp(how, "overflow"))
		overflow(1);
	if (!strcmp(how, "handler"))
		handle(0);
	if (!strcmp(how, "altstack"))
		handle(SA_ONSTACK);
	if (!strcmp(how, "far_away"))
		far_away();
	if (!strcmp(how, "constant"))
		*const_cast<volatile char *>(constant) = 'x'; /* @constant */
	if (!strcmp(how, "data"))
		((void (*)())data)(); /* @data */
	if (!strcmp(how, "mapping"))
		map_and_write();
	if (!strcmp(how, "plugin"))
		call_plugin();
	if (!strcmp(how, "vdso"))
		sink = (int)time(not_there); /* @vdso */
	STAY;
}

} // namespace shop

#ifdef RECORDED
static pthread_barrier_t both_are_there;

static void *wait_for_ever(void *)
{
	pthread_setname_np(pthread_self(), "bystander");
	pthread_barrier_wait(&both_are_there);
	for (;;)
		pause(); /* @bystander */
	return nullptr;
}

static void *check_out(void *)
{
	pthread_setname_np(pthread_self(), "till-1");
	pthread_barrier_wait(&both_are_there);
	shop::Order order(1);
	order.checkout(strcmp(kind, "guard") ? "fault" : "overflow"); /* @till */
	return nullptr;
}

/* One that waits, and with "thread" one that dies instead of the first. */
static void begin_recording()
{
	pthread_t thread;

	ttlog_init("victim");
	ttlog_info("The shop opens", "kind", kind);
	pthread_barrier_init(&both_are_there, nullptr, 2);
	pthread_create(&thread, nullptr, wait_for_ever, nullptr);
	pthread_barrier_wait(&both_are_there);
	if (strcmp(kind, "thread") && strcmp(kind, "guard"))
		return;
	if (pthread_create(&thread, nullptr, check_out, nullptr))
		return;
	/* Who has just made a thread is where no stack can be followed. */
	pthread_barrier_wait(&both_are_there);
	pthread_join(thread, nullptr);
}
#endif

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	kind = argv[1];
	plugin = argc > 2 ? argv[2] : "";
#ifdef RECORDED
	begin_recording();
#endif
	shop::Order order(argc);
	order.checkout(kind); /* @main */
	return 1;
}
