/* SPDX-License-Identifier: MIT */
/* build_id.c - the note in an ELF file that says which build it is. */
#include "recorder/build_id.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS_MAX 256
#define NOTES_BYTES 4096 /* looked at of one segment: the build-id comes early */

struct note {
	uint32_t name_bytes, content_bytes, type;
};

static size_t aligned(size_t bytes)
{
	return (bytes + 3) & ~(size_t)3;
}

static int find_in_notes(const unsigned char *notes, size_t bytes, unsigned char *ret_id)
{
	struct note note;

	while (bytes >= sizeof(note)) {
		memcpy(&note, notes, sizeof(note));
		notes += sizeof(note);
		bytes -= sizeof(note);
		if (note.name_bytes > bytes || aligned(note.name_bytes) > bytes ||
		    note.content_bytes > bytes - aligned(note.name_bytes))
			return -EBADMSG;
		if (note.type == NT_GNU_BUILD_ID && note.name_bytes == sizeof(ELF_NOTE_GNU) &&
		    memcmp(notes, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 && note.content_bytes &&
		    note.content_bytes <= BUILD_ID_MAX) {
			memcpy(ret_id, notes + aligned(note.name_bytes), note.content_bytes);
			return (int)note.content_bytes;
		}
		notes += aligned(note.name_bytes);
		bytes -= aligned(note.name_bytes);
		if (aligned(note.content_bytes) > bytes)
			break;
		notes += aligned(note.content_bytes);
		bytes -= aligned(note.content_bytes);
	}
	return -ENOENT;
}

int build_id_read(int fd, unsigned char *ret_id)
{
	unsigned char notes[NOTES_BYTES];
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	ssize_t got;
	int found;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_phentsize != sizeof(segment))
		return -EBADMSG;
	for (unsigned int i = 0; i < head.e_phnum && i < SEGMENTS_MAX; i++) {
		if (pread(fd, &segment, sizeof(segment),
			  (off_t)(head.e_phoff + i * sizeof(segment))) != sizeof(segment))
			return -EBADMSG;
		if (segment.p_type != PT_NOTE)
			continue;
		got = pread(fd, notes,
			    segment.p_filesz < sizeof(notes) ? segment.p_filesz : sizeof(notes),
			    (off_t)segment.p_offset);
		found = got > 0 ? find_in_notes(notes, (size_t)got, ret_id) : -ENOENT;
		if (found > 0)
			return found;
	}
	return -ENOENT;
}
