/* SPDX-License-Identifier: ISC */
/*
 * replay_body.h: what a replay gives to ingest for an entry of quarantine; private to admin/.
 *
 * It is what was sent, in its format and with the settings it was read with, mended as the command says: some fields
 * set or taken out (record/mend.h), other settings, or another record in its place.
 */
#ifndef CDRD_ADMIN_REPLAY_BODY_H
#define CDRD_ADMIN_REPLAY_BODY_H

#include "admin/args.h"
#include "record/mend.h"
#include "meta/quarantine.h"

struct replay_mending {
	const struct args *args;         /* which settings it gives */
	struct ingest_settings settings; /* that hold instead */
	struct mend_change *changes;
	size_t changes_count;
	bool replaces;
	struct buf replacement; /* the record, when all of it has come */

	struct buf header, raw, new_header, new_raw; /* of the entry at hand, UTF-8 */
	struct buf bytes, product_name;
};

/* Reads --set, --unset, --replace-with and the settings. *mending is zero but for what it is to keep; `args` must outlive
 * it. After a failure, too, it must be freed. */
MUST_CHECK int replay_mending_read(struct replay_mending *mending, const struct args *args, struct error *err);
void replay_mending_free(struct replay_mending *mending);

struct replay_body {
	enum parse_format format;
	struct ingest_settings settings;
	const char *product_name; /* or NULL */
	struct str bytes;
};

/* Dies with the next one. ERROR_INVALID when the entry cannot be mended like this. */
MUST_CHECK int replay_body_make(struct replay_mending *mending, const struct quarantine_entry *entry,
                                struct replay_body *body, struct error *err);

#endif
