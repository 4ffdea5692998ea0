/* SPDX-License-Identifier: ISC */
/*
 * table_keys.c: the columns of a table, of which not every row has all. See render.h.
 */
#include <string.h>

#include "admin/tree.h"
#include "ctl/render.h"

static bool has_key(const struct table_keys *keys, const char *name)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->names[i], name) == 0)
			return true;
	return false;
}

void table_keys_collect(struct table_keys *keys, const struct tree *array)
{
	keys->count = 0;
	TREE_EACH(object, array)
	{
		if (object->kind != TREE_OBJECT)
			continue;
		TREE_EACH(member, object)
		if (keys->count < TABLE_KEYS_MAX && !has_key(keys, member->name))
			keys->names[keys->count++] = member->name;
	}
}
