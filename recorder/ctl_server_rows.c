/* SPDX-License-Identifier: MIT */
/* ctl_server_rows.c - what is said of a client, and of the recorder. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "lib/reader.h"
#include "recorder/ctl_server_parts.h"
#include "recorder/now.h"

#define NS_A_MS UINT64_C(1000000)

/* How it is watched: the rung of the ladder, of this client. */
static const char *rung_of(const struct client *client)
{
	if (!client->watched)
		return "pidfd";
	return client->control && (!client->offered || client->control_is_old)
		       ? "ebpf"
		       : "ebpf-late-freeze";
}

static const char *state_of(const struct client *client, bool is_frozen)
{
	if (client->dead)
		return "dead"; /* its dump is about to be written */
	if (client->held)
		return "frozen";
	if (is_frozen)
		return "fatal-signal"; /* a moment, or as long as its core is being written */
	return client->goodbye ? "closed" : "recording";
}

static void put_control(struct pack *pack, struct pack_map *map, const struct client *client)
{
	const struct ttlog_control *control = client->subject->base ? client_control(client) : NULL;
	const uint32_t level = control ? __atomic_load_n(&control->level, __ATOMIC_RELAXED)
				       : client->hello.level;
	const bool is_frozen = control && (__atomic_load_n(&control->freeze, __ATOMIC_RELAXED) & 1);

	/* What it looks at is not known. */
	if (client->reach != CLIENT_NOT_REACHED) {
		pack_pair_string(pack, map, "level",
				 ctl_level_name(level) ? ctl_level_name(level) : "?");
		pack_pair_bool(pack, map, "frozen", is_frozen);
	}
	pack_pair_string(pack, map, "state", state_of(client, is_frozen));
}

static void put_glance(struct pack *pack, struct pack_map *map, const struct glance *glance)
{
	pack_pair_uint(pack, map, "events", glance->events);
	pack_pair_uint(pack, map, "events_per_second", glance_rate(glance));
	pack_pair_uint(pack, map, "history_ms", glance->history_ns / NS_A_MS);
	/* What it recorded since it started is all there. */
	pack_pair_bool(pack, map, "complete",
		       !glance->lane[TTLOG_LANE_MAIN].overwritten && !glance->dropped);
	pack_pair_uint(pack, map, "overwritten", glance->overwritten);
	pack_pair_uint(pack, map, "dropped", glance->dropped);
}

static void put_lane(struct pack *pack, const struct ctl_look *look, uint32_t lane)
{
	const struct ttlog_lane_geometry *geometry = &look->geometry.lane[lane];
	const struct glance_lane *seen = &look->glance.lane[lane];
	struct pack_map map = pack_map_begin(pack);

	pack_pair_string(pack, &map, "name", ttlog_lane_name(lane));
	pack_pair_uint(pack, &map, "bytes",
		       (uint64_t)geometry->chunk_count * geometry->chunk_bytes);
	pack_pair_uint(pack, &map, "chunks", geometry->chunk_count);
	pack_pair_uint(pack, &map, "chunks_used", seen->chunks_used);
	pack_pair_uint(pack, &map, "events", seen->events);
	pack_pair_uint(pack, &map, "overwritten", seen->overwritten);
	pack_pair_uint(pack, &map, "dropped", seen->dropped);
	pack_pair_uint(pack, &map, "truncated", seen->truncated);
	pack_map_end(pack, &map);
}

static void put_books(struct pack *pack, struct pack_map *map, const struct ctl_look *look)
{
	const struct glance *glance = &look->glance;
	const struct ttlog_geometry *geometry = &look->geometry;
	struct pack_map inner;

	pack_key(pack, map, "dictionary");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "entries", glance->dict_count);
	pack_pair_uint(pack, &inner, "entries_max", geometry->dict_index_count);
	pack_pair_uint(pack, &inner, "bytes", glance->dict_bytes);
	pack_pair_uint(pack, &inner, "bytes_max", geometry->dict_heap_bytes);
	pack_pair_uint(pack, &inner, "refused", glance->dict_full);
	pack_map_end(pack, &inner);
	pack_key(pack, map, "channels");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "open", glance->channels_open);
	pack_pair_uint(pack, &inner, "opened", glance->channels_opened);
	pack_pair_uint(pack, &inner, "refused", glance->channels_refused);
	pack_map_end(pack, &inner);
	pack_key(pack, map, "lanes");
	pack_array(pack, geometry->lane_count);
	for (uint32_t lane = 0; lane < geometry->lane_count; lane++)
		put_lane(pack, look, lane);
}

static void put_memory(struct pack *pack, struct pack_map *map, const struct client *client)
{
	static const char *const sources[] = {"monotonic", "tsc", "cntvct"};
	static const char *const modes[] = {"exact", "sparse", "coarse"};
	const struct subject *subject = client->subject;
	struct pack_map inner;

	pack_key(pack, map, "region");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "bytes", subject->geometry.region_bytes);
	pack_pair_string(pack, &inner, "came_by",
			 client->adopted   ? "adoption"
			 : client->offered ? "offer"
					   : "hello");
	pack_pair_uint(pack, &inner, "flush_interval_s", client->hello.flush_interval_s);
	if (client->hello.group[0])
		pack_pair_string(pack, &inner, "group", client->hello.group);
	pack_pair_uint(pack, &inner, "dumps_pending", subject->dumps_pending);
	pack_pair_bool(pack, &inner, "connected", client->socket_fd >= 0);
	pack_map_end(pack, &inner);
	pack_key(pack, map, "clock");
	inner = pack_map_begin(pack);
	if ((size_t)subject->clock_source < sizeof(sources) / sizeof(sources[0]))
		pack_pair_string(pack, &inner, "source", sources[subject->clock_source]);
	if (subject->geometry.clock_mode < sizeof(modes) / sizeof(modes[0]))
		pack_pair_string(pack, &inner, "mode", modes[subject->geometry.clock_mode]);
	pack_map_end(pack, &inner);
}

static void put_heartbeat(struct pack *pack, struct pack_map *map,
			  const struct heartbeat *heartbeat)
{
	struct pack_map inner;

	if (!loop_timer_armed(&heartbeat->timer))
		return;
	pack_key(pack, map, "heartbeat");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "period_ms", heartbeat->period_ns / NS_A_MS);
	pack_pair_bool(pack, &inner, "hung", heartbeat->hung);
	pack_map_end(pack, &inner);
}

static void put_identity(struct pack *pack, struct pack_map *map, const struct identity *identity)
{
	struct pack_map inner;

	pack_key(pack, map, "process");
	inner = pack_map_begin(pack);
	pack_pair_string(pack, &inner, "comm", identity->comm);
	pack_pair_string(pack, &inner, "exe", identity->exe);
	pack_pair_string(pack, &inner, "cmdline", identity->cmdline);
	pack_pair_string(pack, &inner, "cgroup", identity->cgroup);
	pack_pair_known(pack, &inner, "ppid", identity->ppid);
	pack_pair_known(pack, &inner, "ns_pid", identity->ns_pid);
	pack_pair_known(pack, &inner, "started_ms", identity->start_ns / NS_A_MS);
	pack_map_end(pack, &inner);
}

void ctl_row_client(struct pack *pack, const struct client *client, const struct ctl_look *look,
		    bool in_detail)
{
	struct pack_map map = pack_map_begin(pack);

	pack_pair_string(pack, &map, "service", client->hello.service);
	pack_pair_uint(pack, &map, "pid", (uint64_t)client->pid);
	pack_pair_uint(pack, &map, "uid", client->uid);
	pack_pair_known(pack, &map, "threads", look->threads);
	if (look->is_seen)
		put_glance(pack, &map, &look->glance);
	pack_pair_string(pack, &map, "rung", rung_of(client));
	put_control(pack, &map, client);
	if (in_detail) {
		put_identity(pack, &map, &client->subject->identity);
		put_memory(pack, &map, client);
		put_heartbeat(pack, &map, &client->heartbeat);
		if (look->is_seen)
			put_books(pack, &map, look);
	}
	pack_map_end(pack, &map);
}

static uint64_t count_visible(const struct ctl_peer *peer)
{
	const struct clients *clients = peer->server->recorder->clients;
	uint64_t count = 0;

	for (uint32_t i = 0; i < clients->config.count_max; i++)
		count += clients->slot[i] && !clients->slot[i]->dead &&
			 ctl_matches(peer, clients->slot[i]);
	return count;
}

static uint64_t uptime_ms(const struct ctl_server *server)
{
	return (now_ns(CLOCK_MONOTONIC) - server->started_ns) / NS_A_MS;
}

static void put_triggers(struct pack *pack, struct pack_map *map, const struct triggers *triggers)
{
	const struct rules *rules = triggers_rules(triggers);

	if (!rules)
		return;
	pack_key(pack, map, "triggers");
	pack_array(pack, rules->count);
	for (unsigned int i = 0; i < rules->count; i++) {
		const struct trigger_figures *figures = triggers_figures(triggers, i);
		struct pack_map inner = pack_map_begin(pack);

		pack_pair_string(pack, &inner, "name", rules->rule[i].name);
		pack_pair_string(pack, &inner, "enabled", rules->rule[i].disabled ? "no" : "yes");
		pack_pair_uint(pack, &inner, "fired", figures->fired);
		pack_pair_uint(pack, &inner, "suppressed", figures->suppressed);
		pack_pair_uint(pack, &inner, "failed", figures->failed);
		pack_map_end(pack, &inner);
	}
}

/* What it has to do with everybody is for those who see everybody. */
void ctl_row_recorder(struct pack *pack, const struct ctl_peer *peer)
{
	const struct recorder *recorder = peer->server->recorder;
	const char *rung = recorder_rung_name(recorder->watch);
	struct pack_map map = pack_map_begin(pack);

	pack_pair_string(pack, &map, "version", TTLOG_VERSION);
	pack_pair_uint(pack, &map, "pid", (uint64_t)getpid());
	pack_pair_uint(pack, &map, "uptime_ms", uptime_ms(peer->server));
	pack_pair_string(pack, &map, "rung", rung);
	pack_pair_string(pack, &map, "watches", recorder->rung);
	pack_pair_uint(pack, &map, "processes", count_visible(peer));
	if (peer->sees_all) {
		const struct clients *clients = recorder->clients;

		pack_pair_uint(pack, &map, "connections", clients->count);
		pack_pair_uint(pack, &map, "connections_max", clients->config.count_max);
		pack_pair_uint(pack, &map, "dying", clients->dying);
		pack_pair_uint(pack, &map, "registered", clients->registered);
		pack_pair_uint(pack, &map, "memory_bytes", clients->quota.bytes);
		pack_pair_uint(pack, &map, "memory_bytes_max", clients->quota.limits.bytes_max);
		pack_pair_uint(pack, &map, "dumps_written", recorder->dumper.written);
		pack_pair_uint(pack, &map, "dumps_failed", recorder->dumper.failed);
		pack_pair_uint(pack, &map, "dumps_pending", workers_pending(recorder->writers));
		pack_pair_string(pack, &map, "dir", recorder->store.path);
		put_triggers(pack, &map, clients_triggers(clients));
	}
	pack_map_end(pack, &map);
}
