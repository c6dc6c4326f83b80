/* SPDX-License-Identifier: MIT */
/*
 * fault.h - what is wrong with the address of a fault, in words: how far from null, from the stack, in
 * whose code.
 *
 * A pure function of what the dump says, which may be made up.
 */
#ifndef VIEWER_FAULT_H
#define VIEWER_FAULT_H

#include "viewer/meta.h"
#include "viewer/out.h"
#include "viewer/scene.h"

/*
 * "write to 0x18: a null pointer plus 24", escaped, on one line without its end. Nothing, and false,
 * if the cause is no fault.
 */
bool fault_explain(struct out *out, const struct meta_cause *cause, const struct meta_scene *scene);

#endif
