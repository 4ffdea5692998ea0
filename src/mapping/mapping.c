/* SPDX-License-Identifier: ISC */
/*
 * mapping.c: compiled mappings, and those of a directory. See mapping.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/directory.h"
#include "mapping/mapping_private.h"

#define NAME_MAX_BYTES 64
#define MAPPINGS_MAX 1000

struct mapping *mapping_hold(struct mapping *mapping)
{
	mapping->references++;
	return mapping;
}

void mapping_release(struct mapping *mapping)
{
	if (!mapping || --mapping->references > 0)
		return;
	pool_free(&mapping->pool);
	free(mapping);
}

const char *mapping_name(const struct mapping *mapping)
{
	return mapping->name.p;
}

const char *mapping_about(const struct mapping *mapping)
{
	return mapping->about.p;
}

const char *mapping_form(const struct mapping *mapping)
{
	static const char *const names[] = { "", "csv", "json", "pairs", "pattern" };

	return names[mapping->form];
}

const char *mapping_time_zone(const struct mapping *mapping)
{
	return mapping->time_zone.p;
}

const char *mapping_mode(const struct mapping *mapping)
{
	return mapping->mode.p;
}

/* --- those of a directory --- */

struct list {
	struct mapping **items;
	size_t count, room;
};

struct mappings {
	struct list list; /* in order of their names */
};

static void list_free(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mapping_release(list->items[i]);
	free(list->items);
	*list = (struct list){ 0 };
}

static bool list_add(struct list *list, struct mapping *mapping)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		struct mapping **items = realloc(list->items, room * sizeof(*items));

		if (!items)
			return false;
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = mapping;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	const struct mapping *const *one = a, *const *other = b;

	return strcmp((*one)->name.p, (*other)->name.p);
}

struct mappings *mappings_new(void)
{
	return calloc(1, sizeof(struct mappings));
}

void mappings_free(struct mappings *mappings)
{
	if (mappings)
		list_free(&mappings->list);
	free(mappings);
}

/* NAME.conf, of letters, digits, '-', '_' and '.'; other files of the directory are none of mappings. */
static bool is_mapping_file(const char *file)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
	size_t len = strlen(file);

	return len > 5 && len <= NAME_MAX_BYTES + 5 && file[0] != '.' && strcmp(file + len - 5, ".conf") == 0 &&
	       strspn(file, allowed) == len;
}

static void read_file(struct list *list, const char *directory, const char *file, struct config_faults *faults)
{
	struct buf path = { 0 };
	struct mapping *mapping = NULL;
	struct error err;

	buf_addf(&path, "%s/%s", directory, file);
	if (list->count == MAPPINGS_MAX) {
		(void)error_set(&err, ERROR_INVALID, "%s: more than %d mappings", directory, MAPPINGS_MAX);
		config_faults_add(faults, &err);
	} else if (buf_cstr(&path)) {
		mapping = mapping_read(path.data, faults);
	}
	if (path.failed || (mapping && !list_add(list, mapping))) {
		mapping_release(mapping);
		(void)error_set(&err, ERROR_NOMEM, "%s/%s: out of memory", directory, file);
		config_faults_add(faults, &err);
	}
	buf_free(&path);
}

int mappings_load(struct mappings *mappings, const char *directory, struct config_faults *faults)
{
	DIR *dir = opendir(directory);
	size_t before = faults->count;
	struct list fresh = { 0 };
	const char *name;
	struct error err;
	int more = 0;

	if (!dir && errno != ENOENT) {
		(void)error_set_errno(&err, errno, "mappings_dir: %s", directory);
		config_faults_add(faults, &err);
		return -1;
	}
	while (dir && (more = directory_next(dir, directory, &name, &err)) > 0)
		if (is_mapping_file(name))
			read_file(&fresh, directory, name, faults);
	if (more < 0)
		config_faults_add(faults, &err);
	if (dir)
		closedir(dir);
	if (faults->count > before) {
		list_free(&fresh);
		return -1;
	}
	if (fresh.count > 0)
		qsort(fresh.items, fresh.count, sizeof(fresh.items[0]), compare_names);
	list_free(&mappings->list);
	mappings->list = fresh;
	return 0;
}

const char *mappings_directory(const struct config *config)
{
	return config->mappings_dir[0] ? config->mappings_dir : CDRD_SYSCONFDIR "/cdrd/mappings";
}

struct mapping *mappings_get(struct mappings *mappings, const char *name)
{
	for (size_t i = 0; mappings && i < mappings->list.count; i++)
		if (strcmp(mappings->list.items[i]->name.p, name) == 0)
			return mapping_hold(mappings->list.items[i]);
	return NULL;
}

void mappings_each(struct mappings *mappings, bool (*fn)(void *arg, const struct mapping *mapping), void *arg)
{
	for (size_t i = 0; i < mappings->list.count; i++)
		if (!fn(arg, mappings->list.items[i]))
			return;
}
