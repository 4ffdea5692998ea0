/* SPDX-License-Identifier: ISC */
/*
 * shared_holder.h: asks PostgreSQL on the loop, twice a second, which front end holds the catalog; for one that does not.
 */
#ifndef CDRD_META_SHARED_HOLDER_H
#define CDRD_META_SHARED_HOLDER_H

#include "meta/meta.h"
#include "meta/shared_catalog.h"

/* Keys that front ends of a catalog have in common, in files of data_dir, and their marks there (meta_check_key). */
#define SHARED_KEYS 3
extern const struct shared_key {
	const char *name;
	size_t len;
} shared_keys[SHARED_KEYS];

struct shared_holder {
	char name[SHARED_NAME_MAX], url[SHARED_URL_MAX]; /* of whoever holds it, or did so last */
	bool is_free;                                    /* nobody holds it now */
	char marks[SHARED_KEYS][SHARED_KEY_MARK_SIZE];   /* of the keys; "": not known yet */
};

struct shared_holder_watch;

/* Calls told(arg, holder) after each answer. The options are as of meta_shared_options; their loop is needed, and their texts are
 * copied. NULL with *err. */
MUST_CHECK struct shared_holder_watch *shared_holder_watch_new(const struct meta_shared_options *options,
                                                               void (*told)(void *arg,
                                                                            const struct shared_holder *holder),
                                                               void *arg, struct error *err);

/* Why PostgreSQL cannot be asked now; "" if it can. */
const char *shared_holder_why(const struct shared_holder_watch *watch);

/* Does nothing on NULL. */
void shared_holder_watch_free(struct shared_holder_watch *watch);

#endif
