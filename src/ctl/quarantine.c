/* SPDX-License-Identifier: ISC */
/*
 * quarantine.c: the parts of `quarantine` that cdrctl does itself: writing a record's original bytes to standard
 * output, and replacing a record by one from a file.
 */
#include <stdio.h>
#include <unistd.h>

#include "admin/tree.h"
#include "base/id.h"
#include "ctl/ctl.h"
#include "ctl/source.h"

/* The greatest possible line_max; the daemon checks its own. */
#define RECORD_MAX ((size_t)16 << 20)

static int print_bytes(void *arg, const struct ctl *ctl, struct str result, struct error *err)
{
	struct buf bytes = { 0 };
	int written = -1;

	(void)arg;
	(void)ctl;
	struct tree *tree = tree_parse(result, err);
	const char *text = tree_text(tree_get(tree, "raw_base64url"));
	if (tree && (!text || !id_base64url_decode(&bytes, str_from(text)) || bytes.failed))
		error_set(err, ERROR_INVALID, "cannot make sense of the daemon's answer");
	else if (tree)
		written = fwrite(bytes.data ? bytes.data : "", 1, bytes.len, stdout) == bytes.len ? 0 : -1;
	if (tree && text && written != 0 && ferror(stdout))
		error_set(err, ERROR_IO, "cannot write the record");
	tree_free(tree);
	buf_free(&bytes);
	return written;
}

int ctl_quarantine_show(const struct ctl *ctl, struct error *err)
{
	bool raw = args_count(ctl->args, "raw") > 0 && !ctl->json;

	return ctl_run(ctl, raw ? print_bytes : ctl_print_answer, NULL, err);
}

int ctl_quarantine_replay(const struct ctl *ctl, struct error *err)
{
	const char *name = args_get(ctl->args, "replace_with");
	struct buf record = { .max_bytes = RECORD_MAX };

	if (!name)
		return ctl_run(ctl, ctl_print_answer, NULL, err);
	int result = source_read_whole(name, "a record", &record, err);
	if (result == 0)
		result = ctl_run_body(ctl, buf_str(&record), ctl_print_answer, NULL, err);
	buf_free(&record);
	return result;
}
