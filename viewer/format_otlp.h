/* SPDX-License-Identifier: MIT */
/*
 * format_otlp.h - events as OpenTelemetry's logs, for a collector.
 *
 * otlp is JSON: lines of LogsData, each of which an OTLP/HTTP endpoint takes at /v1/logs, and the
 * collector's receiver for files as they are. otlp-proto is one LogsData in protobuf, to be posted as
 * application/x-protobuf. The process is the resource, the target the scope, a field an attribute.
 */
#ifndef VIEWER_FORMAT_OTLP_H
#define VIEWER_FORMAT_OTLP_H

#include "viewer/format.h"

extern const struct format otlp_format, otlp_proto_format;

#endif
