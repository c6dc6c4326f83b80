/* SPDX-License-Identifier: MIT */
/*
 * unwind_function.c - which function of the debug information an address is in, and what it is
 * called.
 *
 * Found by walking: not every compiler writes the tables that would be quicker. Damaged or hostile
 * debug information can be walked for ever, so there is a budget.
 */
#include <dwarf.h>
#include <errno.h>
#include <limits.h>
#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/unwind_parts.h"
#include "recorder/unwind_wire.h"

#define VISITS_MAX 1000000 /* entries, for one address */
#define UNITS_MAX 200000
#define DEPTH_MAX 64
#define MANGLED_MAX 16384

/* ---- names ------------------------------------------------------------------------------ */

/* C++ and Rust. */
char *unwind_demangle(const char *name, bool with_parameters)
{
	const int options = with_parameters ? DMGL_PARAMS | DMGL_ANSI : DMGL_NO_OPTS;
	char *plain = NULL;

	if (strnlen(name, MANGLED_MAX) >= MANGLED_MAX)
		return NULL;
	if (name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'))
		plain = rust_demangle(name, DMGL_NO_OPTS);
	if (!plain && name[0] == '_' && name[1] == 'Z')
		plain = cplus_demangle_v3(name, options);
	return plain ? plain : strdup(name);
}

char *unwind_function_name(Dwarf_Die *function)
{
	Dwarf_Attribute attribute;
	const char *name = NULL;

	if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute))
		name = dwarf_formstring(&attribute);
	if (name && name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'))
		return unwind_demangle(name, false);
	name = dwarf_diename(function);
	return name ? strdup(name) : NULL;
}

/* ---- the compilation unit --------------------------------------------------------------- */

/* libdw may open that: a file, or nothing, but not what would have it wait. */
static bool is_harmless(const char *folder, size_t length, const char *name)
{
	const struct unwind_files as_libdw = {.root_fd = -1, .debug_fd = -1};
	char path[PATH_MAX];
	int fd;

	if (name[0] == '/')
		length = 0;
	if (snprintf(path, sizeof(path), "%.*s%s%s", (int)length, folder, length ? "/" : "",
		     name) >= (int)sizeof(path))
		return false;
	fd = unwind_open(&as_libdw, path);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR;
	close(fd);
	return true;
}

static bool is_harmless_beside(const char *file, const char *name)
{
	const char *slash = file ? strrchr(file, '/') : NULL;

	return !slash || is_harmless(file, (size_t)(slash - file), name);
}

/*
 * Reading a unit of split debug information makes libdw open a file by its name, in the folder of
 * the program or in that of the compilation, and wait if it is a FIFO.
 */
static bool may_be_read(Dwfl_Module *module, Dwarf_Die *unit)
{
	const char *name, *folder, *main_file = NULL, *debug_file = NULL;
	Dwarf_Attribute attribute;

	if (!dwarf_attr(unit, DW_AT_dwo_name, &attribute) &&
	    !dwarf_attr(unit, DW_AT_GNU_dwo_name, &attribute))
		return true;
	name = dwarf_formstring(&attribute);
	folder = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
	dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, &main_file, &debug_file);
	return name && (!folder || is_harmless(folder, strlen(folder), name)) &&
	       is_harmless_beside(main_file, name) && is_harmless_beside(debug_file, name);
}

static bool find_unit(Dwfl_Module *module, uint64_t address, Dwarf_Die *ret_unit,
		      Dwarf_Addr *ret_bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(module, address, ret_bias);

	/* Between what .debug_aranges knows it takes the nearest, which may be of somebody else. */
	if (unit && may_be_read(module, unit) && dwarf_haspc(unit, address - *ret_bias) == 1) {
		*ret_unit = *unit;
		return true;
	}
	/* clang and Go write none: all of the program may be missing there, or what they compiled. */
	unit = NULL;
	for (unsigned int i = 0; i < UNITS_MAX; i++) {
		unit = dwfl_module_nextcu(module, unit, ret_bias);
		if (!unit)
			return false;
		if (!may_be_read(module, unit) || dwarf_haspc(unit, address - *ret_bias) != 1)
			continue;
		*ret_unit = *unit;
		return true;
	}
	return false;
}

/* Where its functions are: in a file of their own, if it is split. */
static Dwarf_Die whole_unit(Dwarf_Die *unit)
{
	Dwarf_Die split = {0};
	uint8_t type;

	if (!dwarf_cu_info(unit->cu, NULL, &type, NULL, &split, NULL, NULL, NULL) &&
	    type == DW_UT_skeleton && split.addr)
		return split;
	return *unit;
}

/* ---- the functions ---------------------------------------------------------------------- */

struct search {
	struct unwind_scopes *scopes;
	unsigned int visits;
};

static void search_below(struct search *search, Dwarf_Die *parent, unsigned int depth);

static void visit(struct search *search, Dwarf_Die *die, unsigned int depth)
{
	struct unwind_scopes *scopes = search->scopes;
	const unsigned int most = sizeof(scopes->die) / sizeof(scopes->die[0]);

	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
		if (dwarf_haspc(die, scopes->address) != 1)
			return;
		if (scopes->count == most) /* the outer ones are of less use */
			memmove(scopes->die, scopes->die + 1, --scopes->count * sizeof(*die));
		scopes->die[scopes->count++] = *die;
		break;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		/* Some have no addresses, and what is in them has. */
		if (dwarf_haspc(die, scopes->address) == 0 && dwarf_hasattr(die, DW_AT_low_pc))
			return;
		break;
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
		if (scopes->count)
			return;
		break;
	default:
		return;
	}
	search_below(search, die, depth + 1);
}

/* Until the first function: what holds an address is in one place. */
static void search_below(struct search *search, Dwarf_Die *parent, unsigned int depth)
{
	const unsigned int found = search->scopes->count;
	Dwarf_Die die;
	int more;

	if (depth > DEPTH_MAX || dwarf_child(parent, &die))
		return;
	do {
		if (search->visits++ > VISITS_MAX)
			return;
		visit(search, &die, depth);
		more = dwarf_siblingof(&die, &die);
	} while (!more && search->scopes->count == found);
}

static void reverse(Dwarf_Die *die, unsigned int count)
{
	for (unsigned int i = 0; i < count / 2; i++) {
		const Dwarf_Die held = die[i];

		die[i] = die[count - 1 - i];
		die[count - 1 - i] = held;
	}
}

bool unwind_find_scopes(Dwfl_Module *module, uint64_t address, struct unwind_scopes *ret_scopes)
{
	struct search search = {.scopes = ret_scopes};
	Dwarf_Addr bias;
	Dwarf_Die whole;

	ret_scopes->count = 0;
	if (!find_unit(module, address, &ret_scopes->unit, &bias))
		return false;
	ret_scopes->address = address - bias;
	whole = whole_unit(&ret_scopes->unit);
	search_below(&search, &whole, 0);
	/* The outermost was found first. */
	reverse(ret_scopes->die, ret_scopes->count);
	return true;
}
