/* SPDX-License-Identifier: MIT */
/* main.c - ttlog-recorder: its command line, and the daemon's life between two signals. */
#include <errno.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"
#include "recorder/config.h"
#include "recorder/doctor.h"
#include "recorder/log.h"
#include "recorder/pretend.h"
#include "recorder/recorder.h"
#include "recorder/run.h"
#include "recorder/systemd.h"
#include "recorder/unwind.h"

#define EXIT_USAGE 2
#define EXIT_RECORDER 125 /* of `run`, when the command could not be started for our own sake */

static int usage(void)
{
	fputs("Try 'ttlog-recorder --help'.\n", stderr);
	return EXIT_USAGE;
}

/* ---- the daemon ------------------------------------------------------------------------- */

struct daemon {
	struct recorder recorder;
	struct config *config;
	int signal_fd;
	bool ending;
};

static void set_log(const struct recorder_options *options)
{
	log_verbose = options->verbose;
	log_quiet = options->quiet && !options->verbose;
}

static void reload(struct daemon *daemon)
{
	struct systemd *systemd = daemon->recorder.systemd;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	systemd_notify(systemd, "RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)now.tv_sec * 1000000 +
			       (unsigned long long)now.tv_nsec / 1000);
	if (config_reload(daemon->config)) {
		log_error("the configuration stays as it was");
	} else {
		set_log(&daemon->config->options);
		recorder_change(&daemon->recorder, &daemon->config->options);
		log_say("the configuration was read again");
	}
	systemd_notify(systemd, "READY=1");
}

static void signal_came(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(daemon->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reload(daemon);
			continue;
		}
		daemon->recorder.impatient = daemon->ending;
		daemon->ending = true;
		loop_stop(daemon->recorder.loop);
	}
}

/* Until a signal; a second one does not wait for dumps that are being written. */
static int daemon_live(struct daemon *daemon)
{
	int err = loop_run(daemon->recorder.loop);

	if (err) {
		log_error("failed: %s", strerror(-err));
		return EXIT_FAILURE;
	}
	systemd_notify(daemon->recorder.systemd, "STOPPING=1");
	err = recorder_settle(&daemon->recorder);
	if (!err)
		return EXIT_SUCCESS;
	log_warn("interrupted again: dumps that were being written are lost");
	_exit(EXIT_FAILURE); /* a worker may hang in a dead file system */
}

static int run_daemon(struct config *config)
{
	struct recorder_options options = config->options;
	struct daemon daemon = {.config = config, .signal_fd = -1};
	struct loop_source *source;
	sigset_t set;
	int status = EXIT_FAILURE;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* who ignores it is not told how a child ended */
	daemon.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (daemon.signal_fd < 0 || systemd_open(&options.systemd))
		return status;
	if (systemd_listener_path(options.systemd))
		options.socket = systemd_listener_path(options.systemd);
	if (recorder_open(&daemon.recorder, &options))
		return status;
	if (!recorder_begin(&daemon.recorder, &options, false) &&
	    !loop_add(daemon.recorder.loop, daemon.signal_fd, EPOLLIN, signal_came, &daemon,
		      &source)) {
		log_say("listening on %s, dumps go to %s; %s", options.socket,
			daemon.recorder.store.path, daemon.recorder.rung);
		systemd_notify(daemon.recorder.systemd, "READY=1\nSTATUS=Recording %s",
			       daemon.recorder.rung);
		status = daemon_live(&daemon);
	}
	recorder_close(&daemon.recorder);
	close(daemon.signal_fd);
	return status;
}

/* ---- run -------------------------------------------------------------------------------- */

/* The folder is the user's: what is there stays, and what comes is wanted, each one. */
static void keep_all(const struct config *config, struct recorder_options *options)
{
	static const char *const names[] = {
		"keep-bytes",	      "keep-files", "keep-service-bytes",
		"keep-service-files", "keep-age",   "keep-loop",
	};
	uint64_t *const members[] = {
		&options->keep.bytes,	      &options->keep.files, &options->keep.service_bytes,
		&options->keep.service_files, &options->keep.age_s, &options->keep.loop_first,
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (config_value_of(config, names[i])->origin != CONFIG_FROM_LINE)
			*members[i] = 0;
	if (config_value_of(config, "dump-group")->origin != CONFIG_FROM_LINE)
		options->dump_group = NULL;
	if (config_value_of(config, "dump-readable")->origin != CONFIG_FROM_LINE)
		options->dump_readers = false;
	if (config_value_of(config, "on-dump")->origin != CONFIG_FROM_LINE)
		options->hook.command = NULL;
	if (config_value_of(config, "keep-free")->origin != CONFIG_FROM_LINE)
		options->keep_free = NULL;
}

static int run_one(const struct config *config)
{
	struct recorder_options options = config->options;
	struct run_inheritance inheritance;
	struct recorder recorder;
	char private_path[PATH_MAX] = "";
	int status = EXIT_RECORDER, err = 0;

	run_prepare(&inheritance);
	options.dump_on_exit = true;
	options.adopt = NULL; /* it is for this command and what that starts */
	if (config_value_of(config, "dir")->origin == CONFIG_FROM_DEFAULT)
		options.dir = ".";
	if (config_value_of(config, "control")->origin != CONFIG_FROM_LINE)
		options.control = NULL;
	keep_all(config, &options);
	if (config_value_of(config, "socket")->origin != CONFIG_FROM_LINE) {
		err = run_make_socket_path(private_path);
		options.socket = private_path;
	}
	if (err) {
		log_error("can't make a folder for the socket: %s", strerror(-err));
		return status;
	}
	if (!recorder_open(&recorder, &options)) {
		if (!recorder.watch || log_verbose)
			log_say("%s", recorder.rung);
		status = run_command(&recorder, &inheritance, &options, config->command);
		recorder_close(&recorder);
	}
	if (private_path[0])
		run_remove_socket_path(private_path);
	return status;
}

static int examine(const struct config *config)
{
	struct doctor doctor;

	doctor_examine(&doctor, &config->options);
	if (config->line.format && !strcmp(config->line.format, "json"))
		doctor_show_json(&doctor);
	else
		doctor_show_text(&doctor);
	if (fflush(stdout) || ferror(stdout))
		return EXIT_FAILURE;
	return doctor.healthy ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int obey(struct config *config)
{
	const struct recorder_options *options = &config->options;

	set_log(options);
	if (options->pretend)
		pretend_parse(options->pretend, &pretend_flags);
	switch (config->kind) {
	case CONFIG_RUN:
		return run_one(config);
	case CONFIG_DOCTOR:
		return examine(config);
	default:
		return run_daemon(config);
	}
}

int main(int argc, char **argv)
{
	struct config config;
	int status = EXIT_SUCCESS;

	if (unwind_is_child(argc, argv))
		return unwind_main(argc, argv);
#ifdef __GLIBC__
	/* The copy of a region goes back to the system when its dump is written, however often that
	 * is. */
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
	log_open();
	if (config_read_line(&config, argc, argv))
		status = usage();
	else if (config.line.help)
		config_help();
	else if (config.line.version)
		puts("ttlog-recorder " TTLOG_VERSION);
	else if (config_load(&config))
		status = EXIT_USAGE;
	else if (config.line.check_config)
		config_show(&config);
	else
		status = obey(&config);
	config_fini(&config);
	return status;
}
