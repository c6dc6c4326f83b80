/* SPDX-License-Identifier: MIT */
/*
 * config_file.h - "key = value" from a file and from the folder of drop-ins beside it.
 *
 *	# a comment, also with ;
 *	[recorder]
 *	key = value
 *	key =
 *	[trigger NAME]			see rules.h
 *
 * One line a key, the value is what stands between the = and the end of the line without the blanks
 * around it: no quotes, no escapes, no comment behind it. An empty value takes the default back. No
 * other sections are known. Not an INI library: those cut long lines, take a ; in a command for a
 * comment, and keep the number of the line to themselves.
 *
 * Nothing is taken from a file that somebody could have written who may not tell us what to do.
 */
#ifndef RECORDER_CONFIG_FILE_H
#define RECORDER_CONFIG_FILE_H

#include "recorder/config.h"

#define CONFIG_FILE_DEFAULT "/etc/ttlog/recorder.conf"
#define CONFIG_FILE_BYTES_MAX (256 << 10)
#define CONFIG_DROP_INS_MAX 256

/*
 * Reads `path`, then what is named *.conf in the folder `path`.d, in the order of their names. That
 * there is no such folder is no error, nor that there is no such file unless it `must_be` there.
 * Says what is wrong on stderr, all of it. 0, -EINVAL or -ENOMEM.
 */
int config_file_load(struct config *config, const char *path, bool must_be);

#endif
