/* SPDX-License-Identifier: ISC */
/*
 * members.c: whose records a report holds. See report_find_accounts in report.h.
 */
#include <string.h>

#include "report/report.h"
#include "meta/rows.h"

struct members {
	const char *parent;
	struct buf *accounts;
	bool own_is_in;
};

static void add_own(struct members *members)
{
	if (!members->own_is_in)
		buf_add(members->accounts, members->parent, ACCOUNT_ID_LEN);
	members->own_is_in = true;
}

/* Keys of `children` are parent and child, in order; the parent is inserted at its place among them. */
static enum meta_next add_member(void *arg, struct str key, struct str value, struct error *err)
{
	struct members *members = arg;

	(void)value;
	(void)err;
	if (key.len != 2 * ACCOUNT_ID_LEN || memcmp(key.p, members->parent, ACCOUNT_ID_LEN) != 0)
		return META_STOP;
	const char *child = key.p + ACCOUNT_ID_LEN;

	if (memcmp(child, members->parent, ACCOUNT_ID_LEN) > 0)
		add_own(members);
	buf_add(members->accounts, child, ACCOUNT_ID_LEN);
	return META_GO_ON;
}

int report_find_accounts(struct meta *meta, const char *account, bool subaccounts, struct buf *out, struct error *err)
{
	struct members members = { .parent = account, .accounts = out };

	if (subaccounts && meta_each(meta, META_DB_CHILDREN, str_from(account), add_member, &members, err) < 0)
		return -1;
	add_own(&members);
	return out->failed ? error_set(err, ERROR_NOMEM, "accounts of a report: out of memory") : 0;
}
