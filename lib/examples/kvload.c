/* SPDX-License-Identifier: MIT */
/*
 * kvload.c - drives kvserver over real sockets.
 *
 *     kvload --port N [--connections N] [--requests N] [--mark N] [--poison segv|abort|shutdown]
 *
 * Each connection is a thread that sends a request and waits for its reply. The connection that draws
 * ticket --requests sends the poison, while the others keep the server busy until it is gone: a
 * server that dies is what this program is for. --mark prints a line when so many requests are done,
 * for who waits to kill the server in the middle.
 *
 * Exit: 0; 1 the server could not be reached, or died without having been poisoned or marked; 2 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define LINE_BYTES_MAX 1024
#define REPLY_TIMEOUT_S 20 /* a server that hangs is an error, not a hang of ours */

enum outcome { OUTCOME_DONE = 0, OUTCOME_BROKEN, OUTCOME_UNREACHABLE };

struct client {
	pthread_t thread;
	uint32_t random;
	enum outcome outcome;
	int error;
};

static struct options {
	unsigned long port, connections, requests, mark;
	const char *poison;
} options = {.connections = 4, .requests = 10000};

static atomic_ulong tickets, done;

/* The lines of each poison: sent one after the other, the last may never be answered. */
static const struct poison {
	const char *name;
	const char *line[4];
} poisons[] = {
	{"segv", {"SET session:42 1\n", "DEL session:42\n", "INCR session:42\n"}},
	{"abort", {"RESTORE backup:7 1000 short\n"}},
	{"shutdown", {"SHUTDOWN\n"}},
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint32_t random_below(struct client *client, uint32_t limit)
{
	client->random = client->random * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)client->random * limit >> 32);
}

static int server_connect(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)options.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval timeout = {.tv_sec = REPLY_TIMEOUT_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, error;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/* Sends a line and waits for a whole reply. 0 or a negative errno; -EPIPE: the server went away. */
static int exchange(int fd, const char *line)
{
	size_t length = strlen(line);
	char reply[LINE_BYTES_MAX * 2];
	ssize_t got;

	if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length)
		return -EPIPE;
	do {
		got = recv(fd, reply, sizeof(reply), 0);
		if (got <= 0)
			return got < 0 && errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	} while (reply[got - 1] != '\n');
	return 0;
}

/* One of a realistic mix: mostly reads, some writes, now and then nonsense. */
static int request_send(struct client *client, int fd)
{
	uint32_t user = random_below(client, 5000), kind = random_below(client, 1000);
	char line[LINE_BYTES_MAX];

	if (kind < 550)
		snprintf(line, sizeof(line), "GET user:%u\n", user);
	else if (kind < 800)
		snprintf(line, sizeof(line), "SET user:%u name-%08x\n", user, client->random);
	else if (kind < 940)
		snprintf(line, sizeof(line), "INCR hits:%u\n", user % 100);
	else if (kind < 998)
		snprintf(line, sizeof(line), "DEL user:%u\n", user);
	else if (kind < 999)
		snprintf(line, sizeof(line), "STATS\n");
	else
		snprintf(line, sizeof(line), "%s user:%u\n", user % 2 ? "FLY" : "SET", user);
	return exchange(fd, line);
}

static int poison_send(int fd)
{
	int result = 0;

	for (size_t i = 0; i < sizeof(poisons) / sizeof(poisons[0]); i++)
		for (int j = 0; strcmp(poisons[i].name, options.poison) == 0 && poisons[i].line[j]; j++)
			result = exchange(fd, poisons[i].line[j]);
	return result;
}

static void *client_run(void *argument)
{
	struct client *client = argument;
	int fd = server_connect(), result = fd < 0 ? fd : 0;

	while (result == 0) {
		unsigned long ticket = tickets++;

		if (ticket >= options.requests && !options.poison)
			break;
		result = ticket == options.requests ? poison_send(fd) : request_send(client, fd);
		if (result == 0 && ++done == options.mark) {
			printf("mark %lu\n", options.mark);
			fflush(stdout);
		}
	}
	client->error = result;
	client->outcome = fd < 0 ? OUTCOME_UNREACHABLE : result < 0 ? OUTCOME_BROKEN : OUTCOME_DONE;
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int report(const struct client *clients, double seconds)
{
	unsigned long by_outcome[3] = {0};
	int error = 0;

	for (unsigned long i = 0; i < options.connections; i++) {
		by_outcome[clients[i].outcome]++;
		if (clients[i].outcome == OUTCOME_UNREACHABLE || clients[i].error == -ETIMEDOUT)
			error = clients[i].error;
	}
	printf("kvload: %lu requests over %lu connections in %.2f s, %.0f a second; ", (unsigned long)done,
	       options.connections, seconds, (double)done / seconds);
	if (by_outcome[OUTCOME_BROKEN])
		printf("%lu connections were cut by the server's end\n", by_outcome[OUTCOME_BROKEN]);
	else
		printf("%s\n", error ? "none was cut" : "all were answered");
	if (error) {
		fprintf(stderr, "kvload: 127.0.0.1:%lu: %s\n", options.port, strerror(-error));
		return 1;
	}
	return by_outcome[OUTCOME_BROKEN] && !options.poison && !options.mark;
}

static bool poison_known(void)
{
	for (size_t i = 0; options.poison && i < sizeof(poisons) / sizeof(poisons[0]); i++)
		if (strcmp(options.poison, poisons[i].name) == 0)
			return true;
	return !options.poison;
}

static int options_parse(int argc, char **argv)
{
	static const struct option table[] = {{"port", 1, NULL, 'p'},	  {"connections", 1, NULL, 'c'},
					      {"requests", 1, NULL, 'r'}, {"mark", 1, NULL, 'm'},
					      {"poison", 1, NULL, 'x'},	  {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "p:c:r:m:x:", table, NULL)) != -1) {
		unsigned long *number = option == 'p'	? &options.port
					: option == 'c' ? &options.connections
					: option == 'r' ? &options.requests
					: option == 'm' ? &options.mark
							: NULL;
		char *end = NULL;

		if (number) {
			*number = strtoul(optarg, &end, 10);
			if (*optarg < '0' || *optarg > '9' || *end)
				return -EINVAL;
		} else if (option == 'x') {
			options.poison = optarg;
		} else {
			return -EINVAL;
		}
	}
	return optind == argc && options.port > 0 && options.port <= UINT16_MAX && poison_known() &&
			       options.connections > 0 && options.connections <= CONNECTIONS_MAX
		       ? 0
		       : -EINVAL;
}

int main(int argc, char **argv)
{
	static struct client clients[CONNECTIONS_MAX];
	double start_s;

	if (options_parse(argc, argv) < 0) {
		fprintf(stderr, "usage: kvload --port N [--connections 1..%d] [--requests N] [--mark N] "
			"[--poison segv|abort|shutdown]\n", CONNECTIONS_MAX);
		return 2;
	}
	start_s = now_s();
	for (unsigned long i = 0; i < options.connections; i++) {
		clients[i].random = (uint32_t)(i * 2654435761u + 1);
		if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0) {
			fprintf(stderr, "kvload: cannot start a thread\n");
			exit(1);
		}
	}
	for (unsigned long i = 0; i < options.connections; i++)
		pthread_join(clients[i].thread, NULL);
	return report(clients, now_s() - start_s);
}
