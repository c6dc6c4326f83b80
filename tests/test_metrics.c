/* SPDX-License-Identifier: MIT */
/* A whole recorder that is asked how it is, over a unix socket, while services live and die. */
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "tests/service_process.h"

#define TEXT_BYTES 65536

static struct recorder_process recorder;
static char address[160];
static char text[TEXT_BYTES];

static void prepare(void)
{
	recorder_prepare();
	snprintf(address, sizeof(address), "unix:%s/metrics.sock", recorder_folder);
}

TestSuite(metrics, .init = prepare, .fini = recorder_clean, .timeout = 120);

static void start(void)
{
	const char *const more[] = {"--metrics", address, NULL};

	start_recorder(&recorder, more);
}

/* The body is in `text`; the status. */
static int get(const char *path)
{
	const struct timeval patience = {.tv_sec = 60};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t bytes = 0;
	ssize_t got;
	int status;
	char *body;

	cr_assert_geq(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	strcpy(to.sun_path, address + strlen("unix:"));
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0, "%s", strerror(errno));
	cr_assert_gt(dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path), 0);
	/* With a timeout it is not taken up again by itself when we were stopped or frozen. */
	while ((got = recv(fd, text + bytes, TEXT_BYTES - 1 - bytes, 0)) > 0 ||
	       (got < 0 && errno == EINTR))
		bytes += got > 0 ? (size_t)got : 0;
	cr_assert_eq(got, 0, "%s", strerror(errno));
	close(fd);
	text[bytes] = '\0';
	cr_assert_eq(sscanf(text, "HTTP/1.1 %d ", &status), 1, "%s", text);
	body = strstr(text, "\r\n\r\n");
	cr_assert(body);
	memmove(text, body + 4, strlen(body + 4) + 1);
	return status;
}

/* Of one sample in `text`, named with its labels. */
static double value_of(const char *sample)
{
	const size_t bytes = strlen(sample);

	for (const char *at = text; (at = strstr(at, sample)); at += bytes)
		if ((at == text || at[-1] == '\n') && at[bytes] == ' ')
			return strtod(at + bytes, NULL);
	cr_assert_fail("there is no %s in\n%s", sample, text);
	return 0;
}

/* A look is as old as a second: what has just happened is there soon, and then stays. */
static void expect_soon(const char *sample, double value)
{
	const time_t begin = time(NULL);
	double now;

	do {
		cr_assert_eq(get("/metrics"), 200);
		now = value_of(sample);
		cr_assert_leq(now, value, "%s", sample);
		cr_assert_leq(time(NULL) - begin, 60, "%s is %g, not %g", sample, now, value);
		usleep(now < value ? 20000 : 0);
	} while (now < value);
}

static void expect_value(const char *sample, double value)
{
	cr_assert_eq(value_of(sample), value, "%s is %g, not %g", sample, value_of(sample), value);
}

/* ---- events ----------------------------------------------------------------------------- */

#define EVENTS 300000

static void record_and_live(void)
{
	for (int i = 1; i < EVENTS; i++)
		ttlog_info("counted", "i", i);
	ready();
	pause();
}

static void record_and_exit(void)
{
	for (int i = 1; i < 100; i++)
		ttlog_info("counted", "i", i);
	ready();
	_exit(0);
}

Test(metrics, count_the_events_of_the_living_and_the_dead)
{
	struct service lives, exits;

	start();
	start_service(&exits, record_and_exit);
	reap(&exits);
	start_service(&lives, record_and_live);
	expect_soon("ttlog_events_total{service=\"orders\"}", EVENTS + 100);
	expect_soon("ttlog_service_clients{service=\"orders\"}", 1);
	expect_value("ttlog_events_dropped_total{service=\"orders\"}", 0);
	expect_value("ttlog_events_torn_total{service=\"orders\"}", 0);
	expect_value("ttlog_registrations_total", 2);
	expect_value("ttlog_clients", 1);
	cr_assert_gt(value_of("ttlog_ring_history_seconds{service=\"orders\"}"), 0);
	cr_assert_gt(value_of("ttlog_ring_memory_bytes"), 0);

	kill(lives.pid, SIGKILL);
	reap(&lives);
	expect_soon("ttlog_dumps_total{trigger=\"death\",result=\"written\"}", 1);
	expect_value("ttlog_dump_size_bytes_count", 1);
	expect_value("ttlog_dump_duration_seconds_bucket{le=\"+Inf\"}", 1);
	expect_value("ttlog_dump_size_bytes_sum", value_of("ttlog_dump_written_bytes_total"));
	cr_assert_gt(value_of("ttlog_last_dump_timestamp_seconds"), 1e9);
	/* What it had done is kept, and is counted once. */
	expect_value("ttlog_events_total{service=\"orders\"}", EVENTS + 100);
	expect_value("ttlog_deaths_total{how=\"signal\"}",
		     1 - value_of("ttlog_deaths_total{how=\"unknown\"}"));
	stop_recorder(&recorder);
}

static void start_with_name(struct service *service, const char *name)
{
	int said[2];
	char byte;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	service->pid = fork_child();
	if (!service->pid) {
		ready_fd = said[1];
		if (ttlog_init(name))
			_exit(98);
		ttlog_info("a word");
		ready();
		pause();
		_exit(97);
	}
	close(said[1]);
	service->said = said[0];
	cr_assert_eq(read(said[0], &byte, 1), 1);
}

Test(metrics, escape_what_services_call_themselves)
{
	struct service service;

	start();
	start_with_name(&service, "a\"b\\c{d}");
	expect_soon("ttlog_events_total{service=\"a\\\"b\\\\c{d}\"}", 1);
	kill(service.pid, SIGKILL);
	reap(&service);
	stop_recorder(&recorder);
}

static void ask_and_live(void)
{
	ttlog_snapshot("now");
	ready();
	pause();
}

Test(metrics, tell_dumps_apart_by_what_led_to_them)
{
	struct service service;

	start();
	start_service(&service, ask_and_live);
	expect_soon("ttlog_dumps_total{trigger=\"snapshot\",result=\"written\"}", 1);
	expect_value("ttlog_dumps_total{trigger=\"death\",result=\"written\"}", 0);
	kill(service.pid, SIGKILL);
	reap(&service);
	expect_soon("ttlog_dumps_total{trigger=\"death\",result=\"written\"}", 1);
	stop_recorder(&recorder);
}

Test(metrics, count_who_is_refused)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;

	start();
	strcpy(to.sun_path, recorder_socket);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_eq(send(fd, "nonsense", 8, MSG_NOSIGNAL), 8);
	expect_soon("ttlog_hellos_refused_total{reason=\"protocol\"}", 1);
	close(fd);
	stop_recorder(&recorder);
}

/* ---- health ----------------------------------------------------------------------------- */

Test(metrics, say_whether_a_death_could_be_kept)
{
	time_t begin;

	start();
	cr_assert_eq(get("/livez"), 200);
	cr_assert(strstr(text, "{\"status\":\"pass\""), "%s", text);
	cr_assert_eq(get("/readyz"), 200);
	cr_assert(strstr(text, "\"socket\":{\"status\":\"pass\"}"), "%s", text);
	cr_assert_eq(get("/healthz"), 200);
	cr_assert_eq(get("/else"), 404);
	/* The folder goes; a look is as old as a second. */
	cr_assert_eq(rmdir(recorder_dumps), 0, "%s", strerror(errno));
	begin = time(NULL);
	while (get("/readyz") == 200) {
		cr_assert_leq(time(NULL) - begin, 60, "%s", text);
		usleep(20000);
	}
	cr_assert_eq(get("/readyz"), 503);
	cr_assert(strstr(text, "{\"status\":\"fail\""), "%s", text);
	cr_assert_eq(get("/livez"), 200);
	cr_assert_eq(get("/metrics"), 200);
	expect_value("ttlog_store_writable", 0);
	stop_recorder(&recorder);
}

/* More shall stay free than any disk has. */
Test(metrics, say_that_the_disk_is_too_full_for_a_death)
{
	const char *const more[] = {"--metrics", address, "--keep-free", "900T", NULL};
	struct service service;

	start_recorder(&recorder, more);
	cr_assert_eq(get("/readyz"), 503);
	cr_assert(strstr(text, "below the floor"), "%s", text);
	cr_assert_eq(get("/metrics"), 200);
	expect_value("ttlog_store_floor_bytes", 900.0 * 1024 * 1024 * 1024 * 1024);
	start_service(&service, live);
	kill(service.pid, SIGKILL);
	reap(&service);
	expect_soon("ttlog_dumps_total{trigger=\"death\",result=\"failed\"}", 1);
	expect_value("ttlog_dumps_total{trigger=\"death\",result=\"written\"}", 0);
	stop_recorder(&recorder);
}

Test(metrics, leave_no_socket_behind)
{
	struct stat status;

	start();
	cr_assert_eq(stat(address + strlen("unix:"), &status), 0);
	stop_recorder(&recorder);
	cr_assert_eq(stat(address + strlen("unix:"), &status), -1);
}

static void expect_refused(const char *where, const char *words)
{
	const char *const arguments[] = {
		"--socket", recorder_socket, "--dir", recorder_dumps, "--metrics", where, NULL,
	};
	char line[512];
	int status;

	start_program(&recorder, arguments);
	expect_line(&recorder, words, line, sizeof(line));
	status = end_status(&recorder);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status), "%#x", status);
	close(recorder.stderr_fd);
}

Test(metrics, are_shown_to_others_only_if_that_is_said)
{
	const char *const more[] = {"--metrics", "0.0.0.0:0", "--metrics-remote", NULL};

	expect_refused("0.0.0.0:0", "--metrics-remote");
	expect_refused("[::]:0", "--metrics-remote");
	expect_refused("192.0.2.1:9464", "--metrics-remote");
	expect_refused("9464", "no address");
	expect_refused("localhost", "no address");
	expect_refused("127.0.0.1:65536", "no address");
	expect_refused("example.org:80", "no address");
	start_recorder(&recorder, more);
	stop_recorder(&recorder);
}

/* ---- the file --------------------------------------------------------------------------- */

static void read_file(const char *path)
{
	const time_t begin = time(NULL);
	ssize_t count;
	int fd;

	while ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		cr_assert_leq(time(NULL) - begin, 60);
		usleep(10000);
	}
	count = read(fd, text, TEXT_BYTES - 1);
	cr_assert_gt(count, 0);
	text[count] = '\0';
	close(fd);
}

/* It is never half there: whenever it can be opened, its last line is. */
Test(metrics, are_kept_in_a_file)
{
	const time_t begin = time(NULL);
	char path[160];
	const char *const more[] = {"--metrics-file", path, "--metrics-interval", "1", NULL};
	struct service service;
	struct stat status;

	snprintf(path, sizeof(path), "%s/ttlog.prom", recorder_folder);
	start_recorder(&recorder, more);
	read_file(path);
	expect_value("ttlog_clients", 0);
	start_service(&service, live);
	do {
		cr_assert_leq(time(NULL) - begin, 60, "%s", text);
		read_file(path);
		cr_assert(strstr(text, "\nprocess_max_fds "), "half of it");
		usleep(1000);
	} while (value_of("ttlog_clients") == 0);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0644);
	kill(service.pid, SIGKILL);
	reap(&service);
	stop_recorder(&recorder);
	cr_assert_eq(stat(path, &status), -1, "the figures of nobody are left behind");
}
