/* SPDX-License-Identifier: MIT */
/* build_id.h - which build an ELF file is. */
#ifndef RECORDER_BUILD_ID_H
#define RECORDER_BUILD_ID_H

#define BUILD_ID_MAX 20

/*
 * Reads at most a few pages of the file, whatever it claims. How many bytes the build-id has, or a
 * negative errno: -ENOENT (none), -EBADMSG (no ELF file of 64 bits). Does not move the file's position.
 */
int build_id_read(int fd, unsigned char *ret_id);

#endif
