/* SPDX-License-Identifier: MIT */
/*
 * container.h - which container and which pod a cgroup belongs to, by the way its path is written.
 *
 * A pure function. Nobody has to name cgroups as Docker, containerd, CRI-O, Podman, LXC and Kubernetes
 * do, and nobody is kept from it: the answer is a hint for people, never a reason to trust.
 */
#ifndef RECORDER_CONTAINER_H
#define RECORDER_CONTAINER_H

#include <stdbool.h>

#define CONTAINER_ID_BYTES 80

struct container {
	const char *runtime;	     /* "docker", ...; NULL: not to be seen, or no container */
	char id[CONTAINER_ID_BYTES]; /* "": no container */
	char pod_uid[40];	     /* with dashes; "": no pod */
};

/* NULL is fine. True if there is a container or a pod. */
bool container_of_cgroup(const char *path, struct container *ret_container);

#endif
