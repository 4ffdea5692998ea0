/* SPDX-License-Identifier: ISC */
/*
 * console.c: see console.h.
 */
#include "console/console.h"

const struct console_file *console_find(struct str name)
{
	const struct console_file *file = console_files;

	while (file->name && !str_is(name, file->name))
		file++;
	return file->name ? file : NULL;
}
