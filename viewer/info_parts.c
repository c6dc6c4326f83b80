/* SPDX-License-Identifier: MIT */
#include "viewer/info_parts.h"

#include <inttypes.h>
#include <string.h>

#define LABEL_COLUMNS 13

void info_label(struct out *out, const char *text)
{
	out_text(out, "  ");
	out_text(out, text);
	out_pad(out, ' ', LABEL_COLUMNS - strlen(text));
}

void info_line(struct out *out, const char *text, struct span span)
{
	if (!span.bytes)
		return;
	info_label(out, text);
	out_escaped(out, span, 0);
	out_char(out, '\n');
}

void info_bytes(struct out *out, const char *before, struct number bytes, const char *behind)
{
	const uint64_t kib = bytes.bits >> 10;

	if (!bytes.known)
		return;
	out_text(out, before);
	if (kib < 10240)
		out_printf(out, "%" PRIu64 " KiB", kib);
	else
		out_printf(out, "%" PRIu64 " MiB", kib >> 10);
	out_text(out, behind);
}

void info_container(struct out *out, struct span runtime, struct span id, struct span pod)
{
	if (!id.bytes && !pod.bytes)
		return;
	info_label(out, "container");
	out_escaped(out, id, 0);
	if (runtime.bytes) {
		out_text(out, id.bytes ? " (" : "(");
		out_escaped(out, runtime, 0);
		out_char(out, ')');
	}
	if (pod.bytes) {
		out_text(out, id.bytes ? ", pod " : "pod ");
		out_escaped(out, pod, 0);
	}
	out_char(out, '\n');
}
