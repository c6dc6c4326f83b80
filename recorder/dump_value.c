/* SPDX-License-Identifier: MIT */
/* dump_value.c - see dump_value.h. */
#include "recorder/dump_value.h"

void dump_value_put(struct pack *pack, const struct ttlog_reader_value *value)
{
	switch (value->type) {
	case TTLOG_TYPE_BOOL:
		pack_bool(pack, value->bits);
		break;
	case TTLOG_TYPE_I8:
	case TTLOG_TYPE_I16:
	case TTLOG_TYPE_I32:
	case TTLOG_TYPE_I64:
		pack_int(pack, (int64_t)value->bits);
		break;
	case TTLOG_TYPE_F32:
		pack_f32(pack, (uint32_t)value->bits);
		break;
	case TTLOG_TYPE_F64:
		pack_f64(pack, value->bits);
		break;
	case TTLOG_TYPE_STRING:
		pack_string(pack, value->data, value->size);
		break;
	case TTLOG_TYPE_BYTES:
		pack_bytes(pack, value->data, value->size);
		break;
	default:
		pack_uint(pack, value->bits);
		break;
	}
}
