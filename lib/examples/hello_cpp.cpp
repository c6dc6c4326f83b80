/* SPDX-License-Identifier: MIT */
/* hello_cpp.cpp - the same from C++: c++ -std=c++17 hello_cpp.cpp -lttlog && ttlog-recorder run -- ./a.out */
#define TTLOG_TARGET "orders"
#include <ttlog.h>

#include <cstdio>
#include <map>
#include <string>

enum class State : uint8_t { Open, Paid };

int main()
{
	std::map<std::string, State> orders = {{"A-1", State::Open}, {"A-2", State::Paid}};

	ttlog_init("hello");
	for (const auto &[number, state] : orders)
		ttlog_info("Order", "number", number, "state", state, "total", 17.5);
	try {
		orders.at("A-" + std::to_string(3)) = State::Paid; /* not there */
	} catch (const std::exception &problem) {
		ttlog_error("Order not found", "number", "A-" + std::to_string(3), "what", problem.what());
		throw; /* nobody catches it: terminate, SIGABRT */
	}
	std::puts("never reached");
}
