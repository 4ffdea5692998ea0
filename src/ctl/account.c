/* SPDX-License-Identifier: ISC */
/*
 * account.c: the parts of `account` that cdrctl does itself: reading a file of accounts.
 */
#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/source.h"

#define FILE_MAX ((size_t)256 << 20) /* far more than the accounts that one import may have */

int ctl_account_import(const struct ctl *ctl, struct error *err)
{
	struct buf file = { .max_bytes = FILE_MAX };
	int result = source_read_whole(args_get(ctl->args, "file"), "a file of accounts", &file, err);

	if (result == 0)
		result = ctl_run_body(ctl, buf_str(&file), ctl_print_answer, NULL, err);
	buf_free(&file);
	return result;
}
