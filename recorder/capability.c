/* SPDX-License-Identifier: MIT */
/* capability.c - asks the kernel. */
#include "recorder/capability.h"

#include <sys/syscall.h>
#include <unistd.h>

bool capability_have(int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool capability_have_for_bpf(int capability)
{
	return capability_have(capability) || capability_have(CAP_SYS_ADMIN);
}

const char *capability_missing_for_bpf(void)
{
	const bool bpf = capability_have_for_bpf(CAP_BPF);
	const bool perfmon = capability_have_for_bpf(CAP_PERFMON);

	if (bpf && perfmon)
		return NULL;
	if (!bpf && !perfmon)
		return "CAP_BPF and CAP_PERFMON are missing";
	return bpf ? "CAP_PERFMON is missing" : "CAP_BPF is missing";
}
