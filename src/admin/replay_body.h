/* SPDX-License-Identifier: ISC */
/*
 * replay_body.h: what a replay ingests for an entry of quarantine; private to admin/.
 *
 * It is the record as it was sent, in its format and with its original settings, mended as the command says: fields set
 * or removed (record/mend.h), other settings, or another record instead.
 */
#ifndef CDRD_ADMIN_REPLAY_BODY_H
#define CDRD_ADMIN_REPLAY_BODY_H

#include "admin/args.h"
#include "record/mend.h"
#include "meta/quarantine.h"

struct replay_mending {
	const struct args *args;         /* which settings are given */
	struct ingest_settings settings; /* that override the original ones */
	struct mend_change *changes;
	size_t changes_count;
	bool replaces;
	struct buf replacement; /* the record, once complete */

	struct buf header, raw, new_header, new_raw; /* of the current entry, UTF-8 */
	struct buf bytes, product_name;
};

/* Reads --set, --unset, --replace-with and the settings. *mending must be zero; `args` must outlive it. It must be
 * freed even after a failure. */
MUST_CHECK int replay_mending_read(struct replay_mending *mending, const struct args *args, struct error *err);
void replay_mending_free(struct replay_mending *mending);

struct replay_body {
	enum parse_format format;
	struct ingest_settings settings;
	const char *product_name; /* or NULL */
	struct str bytes;
};

/* Valid until the next one. ERROR_INVALID when the entry cannot be mended like this. */
MUST_CHECK int replay_body_make(struct replay_mending *mending, const struct quarantine_entry *entry,
                                struct replay_body *body, struct error *err);

#endif
