/* SPDX-License-Identifier: MIT */
/* victim_plugin.c - what victim_scene loads, to die in. */
void plugin_crash(int value);

static __attribute__((noinline)) void deeper(volatile int *where, int value)
{
	*where = value; /* @plugin */
	__asm__ volatile("");
}

void plugin_crash(int value)
{
	deeper((volatile int *)16, value); /* @plugin_crash */
	__asm__ volatile("");
}
