/* SPDX-License-Identifier: MIT */
/* config_table.c - each thing that the recorder can be told, one row each. */
#include "lib/ttlog_abi.h"
#include "recorder/config.h"
#include "recorder/config_file.h"
#include "recorder/pretend.h"

#define DIR_DEFAULT "/var/lib/ttlog/dumps"

#define AT(member) .offset = offsetof(struct config, options.member)
#define LINE(member) .offset = offsetof(struct config, line.member), .use = CONFIG_LINE_ONLY

static int check_pretend(const char *text)
{
	unsigned int flags = 0;

	return pretend_parse(text, &flags);
}

static int check_free(const char *text)
{
	unsigned int percent;
	uint64_t bytes;

	return keep_parse_free(text, &bytes, &percent);
}

static int check_group(const char *text)
{
	unsigned int by;

	return group_parse(text, &by);
}

/* clang-format off */
const struct config_row config_rows[] = {
	{"socket", 's', CONFIG_PATH, "PATH", AT(socket),
		.environment = "TTLOG_SOCKET", .otherwise = TTLOG_SOCKET_DEFAULT,
		.help = "listen there"},
	{"control", 0, CONFIG_PATH, "PATH", AT(control),
		.default_words = "control.sock beside it",
		.help = "listen there for ttlog-ctl"},
	{"dir", 'd', CONFIG_FOLDER, "DIR", AT(dir),
		.environment = "TTLOG_SNAPSHOT_DIR", .otherwise = DIR_DEFAULT,
		.help = "write dumps there"},
	{"dump-on-exit", 0, CONFIG_FLAG, NULL, AT(dump_on_exit),
		.use = CONFIG_LIVE,
		.help = "write a dump after an exit with status 0, too"},
	{"keep-bytes", 0, CONFIG_BYTES, "BYTES", AT(keep.bytes),
		.use = CONFIG_LIVE,
		.otherwise = "1G",
		.help = "of all dumps; the oldest go; 0: no limit"},
	{"keep-files", 0, CONFIG_COUNT, "N", AT(keep.files),
		.use = CONFIG_LIVE,
		.otherwise = "1000",
		.help = "dumps; the oldest go; 0: no limit"},
	{"keep-service-bytes", 0, CONFIG_BYTES, "BYTES", AT(keep.service_bytes),
		.use = CONFIG_LIVE,
		.otherwise = "512M",
		.help = "of the dumps of each service"},
	{"keep-service-files", 0, CONFIG_COUNT, "N", AT(keep.service_files),
		.use = CONFIG_LIVE,
		.otherwise = "500",
		.help = "dumps of each service"},
	{"keep-age", 0, CONFIG_SECONDS, "TIME", AT(keep.age_s),
		.use = CONFIG_LIVE,
		.otherwise = "0",
		.help = "older dumps go, with s, m, h, d or w; 0: no limit"},
	{"keep-loop", 0, CONFIG_COUNT, "N", AT(keep.loop_first),
		.use = CONFIG_LIVE,
		.otherwise = "10",
		.help = "first dumps of a crash loop; then fewer; 0: all"},
	{"keep-free", 0, CONFIG_TEXT, "BYTES|N%", AT(keep_free),
		.use = CONFIG_LIVE,
		.otherwise = "5%", .check = check_free,
		.help = "of the file system, for others (N%: at most 4G)"},
	{"dump-group", 0, CONFIG_TEXT, "GROUP", AT(dump_group),
		.help = "whose members may read dumps (0640)"},
	{"dump-readable", 0, CONFIG_FLAG, NULL, AT(dump_readers),
		.help = "a dump's user may read it, by an access list"},
	{"on-dump", 0, CONFIG_TEXT, "COMMAND", AT(hook.command),
		.help = "run by /bin/sh after each dump, with TTLOG_... set"},
	{"on-dump-user", 0, CONFIG_TEXT, "USER", AT(hook.user),
		.otherwise = "nobody",
		.help = "as whom"},
	{"on-dump-timeout", 0, CONFIG_SECONDS, "TIME", AT(hook.timeout_s),
		.otherwise = "30s", .least = 1, .most = 3600,
		.help = "then it is killed"},
	{"group", 0, CONFIG_TEXT, "WORDS", AT(group_by),
		.use = CONFIG_LIVE,
		.otherwise = "declared", .check = check_group,
		.help = "a death copies who worked with it: off, or declared,cgroup,family"},
	{"group-members", 0, CONFIG_COUNT, "N", AT(group.members_max),
		.use = CONFIG_LIVE,
		.otherwise = "16", .least = 1, .most = GROUP_MEMBERS_MAX,
		.help = "of them at most"},
	{"group-bytes", 0, CONFIG_BYTES, "BYTES", AT(group.bytes_max),
		.use = CONFIG_LIVE,
		.otherwise = "1G",
		.help = "of their rings at most"},
	{"group-pause", 0, CONFIG_SECONDS, "TIME", AT(group_pause_s),
		.use = CONFIG_LIVE,
		.otherwise = "60s", .least = 1, .most = 86400,
		.help = "so long a group is not copied again"},
	{"group-users", 0, CONFIG_FLAG, NULL, AT(group.all_users),
		.use = CONFIG_LIVE,
		.help = "a declared group may have members of several users"},
	{"verdict-file", 0, CONFIG_PATH, "FILE", AT(announce.file),
		.check = announce_file_check,
		.help = "a line for each death, the newest 4096 bytes; %s: the service, %u: its user"},
	{"verdict-syslog", 0, CONFIG_PATH, "SOCKET", AT(announce.syslog),
		.help = "the same for syslog: /dev/log"},
	{"verdict-journal", 0, CONFIG_PATH, "SOCKET", AT(announce.journal),
		.help = "with fields, for the journal: /run/systemd/journal/socket"},
	{"max-clients", 0, CONFIG_COUNT, "N", AT(clients_max),
		.otherwise = "4096", .least = 1, .most = CLIENTS_MAX,
		.help = "connections at a time"},
	{"max-region", 0, CONFIG_BYTES, "BYTES", AT(region_bytes_max),
		.otherwise = "256M", .least = 1,
		.use = CONFIG_LIVE,
		.help = "memory of one client, with K, M, G or T"},
	{"max-memory", 0, CONFIG_BYTES, "BYTES", AT(memory_bytes_max),
		.default_words = "half of the machine's", .least = 1,
		.use = CONFIG_LIVE,
		.help = "memory of all clients"},
	{"max-clients-per-uid", 0, CONFIG_COUNT, "N", AT(clients_max_per_uid),
		.default_words = "half; root and ours: all", .least = 1, .most = CLIENTS_MAX,
		.use = CONFIG_LIVE,
		.help = "connections of one user"},
	{"max-memory-per-uid", 0, CONFIG_BYTES, "BYTES", AT(memory_bytes_max_per_uid),
		.default_words = "half; root and ours: all", .least = 1,
		.use = CONFIG_LIVE,
		.help = "memory of one user's clients"},
	{"adopt", 0, CONFIG_CHOICE, "none|own|all", AT(adopt),
		.otherwise = "own",
		.help = "take rings of processes that did not reach us: meant for our socket, or all"},
	{"history", 0, CONFIG_BYTES, "BYTES", AT(history.client_bytes),
		.default_words = "none", .least = HISTORY_BYTES_MIN,
		.help = "keep what a client's ring no longer holds, packed, in so much memory"},
	{"history-total", 0, CONFIG_BYTES, "BYTES", AT(history.total_bytes),
		.default_words = "a quarter of the machine's", .least = HISTORY_BYTES_MIN,
		.help = "memory for the history of all clients"},
	{"no-bpf", 0, CONFIG_FLAG, NULL, AT(without_bpf),
		.help = "work without eBPF, even if it could be had"},
	{"no-unwind", 0, CONFIG_FLAG, NULL, AT(without_unwinding),
		.help = "keep stacks as they are, without functions and lines"},
	{"unwind-timeout", 0, CONFIG_SECONDS, "TIME", AT(unwind_timeout_s),
		.default_words = "5s, with debuginfod 60s", .least = 1, .most = 3600,
		.help = "then a dump is written with what is known by then"},
	{"debuginfod", 0, CONFIG_FLAG, NULL, AT(debuginfod),
		.help = "fetch debug files from $DEBUGINFOD_URLS"},
	{"no-confine", 0, CONFIG_FLAG, NULL, AT(without_confinement),
		.help = "keep all privileges, for debugging"},
	{"pretend", 0, CONFIG_TEXT, "NAMES", AT(pretend),
		.check = check_pretend,
		.help = "do without features that the kernel has, for tests"},
	{"metrics", 0, CONFIG_TEXT, "ADDRESS", AT(metrics.address),
		.default_words = "nowhere",
		.help = "answer /metrics, /livez, /readyz at 127.0.0.1:PORT or unix:PATH"},
	{"metrics-remote", 0, CONFIG_FLAG, NULL, AT(metrics.remote),
		.help = "that address may be one that other machines reach"},
	{"metrics-file", 0, CONFIG_PATH, "FILE", AT(metrics.file),
		.help = "keep the figures in a file, for node_exporter"},
	{"metrics-interval", 0, CONFIG_SECONDS, "TIME", AT(metrics.file_interval_s),
		.otherwise = "15s", .least = 1, .most = 86400,
		.help = "write that file so often"},
	{"verbose", 'v', CONFIG_FLAG, NULL, AT(verbose),
		.use = CONFIG_LIVE,
		.help = "say more on stderr"},
	{"quiet", 'q', CONFIG_FLAG, NULL, AT(quiet),
		.use = CONFIG_LIVE,
		.help = "say on stderr only what is lost or fails"},
	{"config", 'c', CONFIG_PATH, "FILE", LINE(config),
		.otherwise = CONFIG_FILE_DEFAULT,
		.help = "read that, and FILE.d/*.conf"},
	{"check-config", 0, CONFIG_FLAG, NULL, LINE(check_config),
		.help = "show what is in force and who said so, and exit"},
	{"format", 0, CONFIG_CHOICE, "text|json", LINE(format),
		.help = "of what the doctor says"},
	{"help", 'h', CONFIG_FLAG, NULL, LINE(help),
		.help = "show this"},
	{"version", 0, CONFIG_FLAG, NULL, LINE(version),
		.help = "show the version"},
};
/* clang-format on */

const size_t config_row_count = sizeof(config_rows) / sizeof(config_rows[0]);

_Static_assert(sizeof(config_rows) / sizeof(config_rows[0]) <= CONFIG_ROWS_MAX,
	       "struct config has a value for each row");
