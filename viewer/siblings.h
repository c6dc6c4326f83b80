/* SPDX-License-Identifier: MIT */
/*
 * siblings.h - the other dumps of a set: of a death, and of those who worked with who died.
 *
 * They lie in the folder of the one that is named, and are known by the summary in their first bytes.
 */
#ifndef VIEWER_SIBLINGS_H
#define VIEWER_SIBLINGS_H

#include <stddef.h>

/*
 * All files of the set that `path` is of, itself included; of a process that was copied and then died
 * the dump of its death. Paths and array are the caller's. 0 or a negative errno: -ENODATA (it is of
 * no set), -EBADMSG (it is no dump), ...
 */
int siblings_find(const char *path, char ***ret_paths, size_t *ret_count);
void siblings_free(char **paths, size_t count);

#endif
