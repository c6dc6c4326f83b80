// SPDX-License-Identifier: MIT
/* container.c - the names that runtimes give to cgroups. */
#include "recorder/container.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ID_LENGTH 64   /* of all runtimes but LXC */
#define UUID_LENGTH 36 /* 8-4-4-4-12 */
#define HASH_LENGTH 32 /* of a pod that the kubelet read from a file */

struct piece {
	const char *text;
	size_t length;
};

static bool begins(struct piece piece, const char *with)
{
	const size_t length = strlen(with);

	return piece.length >= length && !memcmp(piece.text, with, length);
}

static struct piece behind(struct piece piece, size_t count)
{
	return (struct piece){piece.text + count, piece.length - count};
}

static struct piece without_end(struct piece piece, const char *end)
{
	const size_t length = strlen(end);

	if (piece.length >= length && !memcmp(piece.text + piece.length - length, end, length))
		piece.length -= length;
	return piece;
}

static bool is_hex(struct piece piece, size_t length)
{
	if (piece.length != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isxdigit((unsigned char)piece.text[i]))
			return false;
	return true;
}

static void keep(struct container *container, const char *runtime, struct piece id)
{
	container->runtime = runtime;
	snprintf(container->id, sizeof(container->id), "%.*s", (int)id.length, id.text);
}

/* "docker-ID.scope", "cri-containerd-ID.scope", ...; "SLICE:cri-containerd:ID" */
static bool take_prefixed(struct piece piece, struct container *container)
{
	static const struct {
		const char *prefix, *runtime;
	} known[] = {
		{"docker-", "docker"},		   {"cri-containerd-", "containerd"},
		{"cri-containerd:", "containerd"}, {"crio-", "cri-o"},
		{"crio:", "cri-o"},		   {"libpod-", "podman"},
		{"libpod:", "podman"},		   {"nerdctl-", "containerd"},
		{"docker:", "docker"},
	};

	piece = without_end(piece, ".scope");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!begins(piece, known[i].prefix) ||
		    !is_hex(behind(piece, strlen(known[i].prefix)), ID_LENGTH))
			continue;
		keep(container, known[i].runtime, behind(piece, strlen(known[i].prefix)));
		return true;
	}
	return false;
}

static bool take_lxc(struct piece piece, struct piece above, struct container *container)
{
	struct piece name = piece;

	if (begins(piece, "lxc.payload."))
		name = behind(piece, strlen("lxc.payload."));
	else if (!(above.length == 3 && begins(above, "lxc")) &&
		 !(above.length == 11 && begins(above, "lxc.payload")))
		return false;
	if (!name.length || name.length >= CONTAINER_ID_BYTES)
		return false;
	keep(container, "lxc", name);
	return true;
}

static bool take_container(struct piece piece, struct piece above, struct container *container)
{
	for (size_t i = 0; i < piece.length; i++)
		if (piece.text[i] == ':' && take_prefixed(behind(piece, i + 1), container))
			return true;
	if (take_prefixed(piece, container) || take_lxc(piece, above, container))
		return true;
	if (!is_hex(piece, ID_LENGTH))
		return false;
	keep(container, above.length == 6 && begins(above, "docker") ? "docker" : NULL, piece);
	return true;
}

/* systemd takes a dash for a slash, so its driver writes "_". */
static bool is_uuid(struct piece piece)
{
	for (size_t i = 0; i < UUID_LENGTH; i++) {
		const char byte = i < piece.length ? piece.text[i] : '\0';
		const bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? byte != '-' && byte != '_' : !isxdigit((unsigned char)byte))
			return false;
	}
	return piece.length == UUID_LENGTH;
}

/* "podUID", "kubepods-burstable-podUID.slice", and that with ":cri-containerd:ID" behind it */
static bool take_pod(struct piece piece, struct container *container)
{
	const char *colon = memchr(piece.text, ':', piece.length);

	if (colon)
		piece.length = (size_t)(colon - piece.text);
	piece = without_end(piece, ".slice");
	for (size_t i = 0; i + 3 < piece.length; i++) {
		const struct piece rest = behind(piece, i);

		if (!begins(rest, "pod") || (i > 0 && piece.text[i - 1] != '-'))
			continue;
		if (!is_uuid(behind(rest, 3)) && !is_hex(behind(rest, 3), HASH_LENGTH))
			continue;
		snprintf(container->pod_uid, sizeof(container->pod_uid), "%.*s",
			 (int)rest.length - 3, rest.text + 3);
		for (char *at = container->pod_uid; *at; at++)
			if (*at == '_')
				*at = '-';
		return true;
	}
	return false;
}

/* The name before `end`, which is where a slash or the end is. */
static struct piece piece_before(const char *path, const char *end)
{
	const char *start = end;

	while (start > path && start[-1] != '/')
		start--;
	return (struct piece){start, (size_t)(end - start)};
}

bool container_of_cgroup(const char *path, struct container *ret_container)
{
	struct container container = {0};
	const char *end;

	*ret_container = container;
	if (!path)
		return false;
	/* The innermost: a container in a container is in both. */
	for (end = path + strlen(path); end > path;) {
		const struct piece piece = piece_before(path, end);
		const struct piece above =
			piece.text > path ? piece_before(path, piece.text - 1) : (struct piece){path, 0};

		if (!container.id[0])
			take_container(piece, above, &container);
		if (!container.pod_uid[0])
			take_pod(piece, &container);
		end = piece.text > path ? piece.text - 1 : path;
	}
	*ret_container = container;
	return container.id[0] || container.pod_uid[0];
}
