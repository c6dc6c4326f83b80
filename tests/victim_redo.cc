/* SPDX-License-Identifier: MIT */
/*
 * victim_redo.cc - a service that records one event and dies three functions deep, for crash_redo.sh,
 * which knows the lines by the marks behind them. With "hang" it keeps no promise, for crash_scene.sh.
 */
#include <string.h>
#include <unistd.h>

#include "lib/ttlog.h"

#define NOINLINE __attribute__((noinline))
/* What was called before it is no tail call. */
#define STAY __asm__ volatile("")

namespace shop
{

static volatile int sink;
static volatile int *volatile where = nullptr;

class Cart
{
      public:
	explicit Cart(int count) : count_(count)
	{
	}
	NOINLINE void pay(int coins);

      private:
	NOINLINE void charge(int coins);
	__attribute__((always_inline)) inline void settle(int coins)
	{
		charge(coins); /* @settle */
		STAY;
	}
	int count_;
};

void Cart::charge(int coins)
{
	sink += coins;
	*where = count_; /* @charge */
	STAY;
}

void Cart::pay(int coins)
{
	settle(coins + 1); /* @pay */
	STAY;
}

} // namespace shop

int main(int argc, char **argv)
{
	ttlog_init("shop");
	if (argc > 1 && !strcmp(argv[1], "hang") && !ttlog_heartbeat_promise(50))
		pause();
	ttlog_info("Cart is paid", "items", argc);
	shop::Cart cart(argc);
	cart.pay(argc); /* @main */
	return 1;
}
