// SPDX-License-Identifier: MIT
/* Paths of cgroups as the runtimes write them, and others. */
#include "recorder/container.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define ID "3fa9c0d1e2b3a4f5968778695a4b3c2d1e0f00112233445566778899aabbccdd"
#define ID2 "00aa11bb22cc33dd44ee55ff66778899aabbccddeeff00112233445566778899"
#define UID "6b1d2f3a-0a1b-4c2d-8e3f-a0b1c2d3e4f5"
#define UID_ "6b1d2f3a_0a1b_4c2d_8e3f_a0b1c2d3e4f5"
#define HASH "8a3c0b1d2e3f405162738495a6b7c8d9"

static const struct {
	const char *path, *runtime, *id, *pod_uid;
} table[] = {
	{"/docker/" ID, "docker", ID, ""},
	{"/system.slice/docker-" ID ".scope", "docker", ID, ""},
	{"/docker/" ID "/system.slice/nginx.service", "docker", ID, ""},
	{"/kubepods/besteffort/pod" UID "/" ID, NULL, ID, UID},
	{"/kubepods/pod" UID "/" ID, NULL, ID, UID},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	 ".slice/cri-containerd-" ID ".scope", "containerd", ID, UID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope", "cri-o", ID, UID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope/container", "cri-o", ID, UID},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" HASH
	 ".slice/cri-containerd-" ID ".scope", "containerd", ID, HASH},
	{"/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
	 "containerd", ID, UID},
	{"/docker/" ID2 "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	 "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	 "containerd", ID, UID},
	{"/machine.slice/libpod-" ID ".scope", "podman", ID, ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container",
	 "podman", ID, ""},
	{"/libpod_parent/libpod-" ID, "podman", ID, ""},
	{"/lxc/web-1", "lxc", "web-1", ""},
	{"/lxc.payload.web-1", "lxc", "web-1", ""},
	{"/lxc.payload/web-1/system.slice/cron.service", "lxc", "web-1", ""},
	{"/ecs/4d2e/" ID, NULL, ID, ""},
	{"/default/nerdctl-" ID ".scope", "containerd", ID, ""},
	/* None: who minds the containers is in none. */
	{"/machine.slice/libpod-conmon-" ID ".scope", NULL, "", ""},
	{"/lxc.monitor.web-1", NULL, "", ""},
	{"/kubepods.slice", NULL, "", ""},
	{"/kubepods.slice/kubepods-pod123.slice", NULL, "", ""},
	{"/system.slice/docker.service", NULL, "", ""},
	{"/system.slice/docker-" HASH ".scope", NULL, "", ""},
	{"/docker/" ID "0", NULL, "", ""},
	{"/user.slice/user-0.slice/session-3.scope", NULL, "", ""},
	{"/podman/tripod-" UID, NULL, "", ""},
	{"/", NULL, "", ""},
	{"", NULL, "", ""},
	{"///", NULL, "", ""},
	{":::", NULL, "", ""},
	{"pod", NULL, "", ""},
	{"/lxc/", NULL, "", ""},
};

Test(container, is_known_by_its_cgroup)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct container got;
		bool found = container_of_cgroup(table[i].path, &got);

		cr_expect_eq(found, table[i].id[0] || table[i].pod_uid[0], "%s", table[i].path);
		cr_expect_str_eq(got.id, table[i].id, "%s: %s", table[i].path, got.id);
		cr_expect_str_eq(got.pod_uid, table[i].pod_uid, "%s: %s", table[i].path,
				 got.pod_uid);
		cr_expect_str_eq(got.runtime ? got.runtime : "", table[i].runtime ? table[i].runtime : "",
				 "%s: %s", table[i].path, got.runtime);
	}
}

Test(container, of_no_path_is_none)
{
	struct container got;

	memset(&got, 0xa5, sizeof(got));
	cr_expect_not(container_of_cgroup(NULL, &got));
	cr_expect_str_eq(got.id, "");
	cr_expect_null(got.runtime);
}

/* What is read past the end, or written past it, a sanitizer sees. */
Test(container, path_may_be_cut_anywhere)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t length = 0; length <= strlen(table[i].path); length++) {
			char *cut = strndup(table[i].path, length);
			struct container got;

			container_of_cgroup(cut, &got);
			cr_expect_lt(strlen(got.id), sizeof(got.id));
			free(cut);
		}
	}
}
