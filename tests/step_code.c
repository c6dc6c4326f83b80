/* SPDX-License-Identifier: MIT */
/* step_code.c - see step_code.h. */
#include "tests/step_code.h"

#include <stddef.h>

#if defined(__x86_64__)

#define PREFIX_FS 0x64
#define PREFIX_GS 0x65
#define PREFIX_LOCK 0xf0

bool code_is_locked(uint64_t pc)
{
	const unsigned char *code = (const unsigned char *)(uintptr_t)pc;

	return code[0] == PREFIX_LOCK ||
	       ((code[0] == PREFIX_FS || code[0] == PREFIX_GS) && code[1] == PREFIX_LOCK);
}

/* First bytes of instructions: the range, and which of the second bytes. */
static const struct opcode {
	unsigned char first, last;
	bool only_registers; /* harmless if the operand behind it is a register */
} opcodes[] = {
	{0x01, 0x01, true},  {0x02, 0x03, false}, {0x09, 0x09, true},  {0x0a, 0x0b, false},
	{0x21, 0x21, true},  {0x22, 0x23, false}, {0x29, 0x29, true},  {0x2a, 0x2b, false},
	{0x31, 0x31, true},  {0x32, 0x33, false}, {0x38, 0x3d, false}, {0x50, 0x5f, false},
	{0x70, 0x7f, false}, {0x84, 0x85, false}, {0x89, 0x89, true},  {0x8a, 0x8b, false},
	{0x8d, 0x8d, false}, {0xb8, 0xbf, false}, {0xc3, 0xc3, false}, {0xe8, 0xe9, false},
	{0xeb, 0xeb, false}, {0x83, 0x83, true},  {0xc1, 0xc1, true},  {0x81, 0x81, true},
};

/* Behind 0x0f: conditional moves and jumps, extending loads. */
static const struct opcode opcodes_0f[] = {
	{0x40, 0x4f, false},
	{0x80, 0x8f, false},
	{0xb6, 0xb7, false},
	{0xbe, 0xbf, false},
};

static bool is_among(const struct opcode *list, size_t count, const unsigned char *code)
{
	for (size_t i = 0; i < count; i++)
		if (code[0] >= list[i].first && code[0] <= list[i].last)
			return !list[i].only_registers || code[1] >= 0xc0;
	return false;
}

bool code_is_harmless(uint64_t pc)
{
	const unsigned char *code = (const unsigned char *)(uintptr_t)pc;

	if (code[0] >= 0x40 && code[0] <= 0x4f) /* wide operands, more registers */
		code++;
	if (code[0] == 0x0f)
		return is_among(opcodes_0f, sizeof(opcodes_0f) / sizeof(opcodes_0f[0]), code + 1);
	return is_among(opcodes, sizeof(opcodes) / sizeof(opcodes[0]), code);
}

#else

bool code_is_locked(uint64_t pc)
{
	(void)pc;
	return false;
}

bool code_is_harmless(uint64_t pc)
{
	(void)pc;
	return false;
}

#endif
