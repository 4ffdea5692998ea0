/* SPDX-License-Identifier: ISC */
/*
 * mapping_try.c: `cdrctl mapping try`, which shows what each row of a file would be stored as.
 *
 *	line 3: product VOICE-CALL, account_id abcd1234, id 17955.4-5, from 15551230001 ...
 *	line 4: date_start: "yesterday": must be a time such as 2026-11-24T14:20:11Z
 */
#include <stdio.h>

#include "admin/tree.h"
#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "ctl/text.h"

#define FILE_MAX ((size_t)64 << 20)

static void add_record(struct buf *text, const struct tree *record)
{
	bool first = true;

	TREE_EACH(member, record)
	{
		buf_add_text(text, first ? "" : ", ");
		buf_add_text(text, member->name);
		buf_add_char(text, ' ');
		text_add(text, member->text);
		first = false;
	}
}

static void add_errors(struct buf *text, const struct tree *errors)
{
	bool first = true;

	TREE_EACH(error, errors)
	{
		const char *field = tree_text(tree_get(error, "field"));

		buf_add_text(text, first ? "" : "; ");
		if (field && field[0])
			buf_addf(text, "%s: ", field);
		text_add(text, tree_text(tree_get(error, "reason")));
		first = false;
	}
}

static void print_row(const struct tree *row, struct buf *text)
{
	const struct tree *record = tree_get(row, "record");

	buf_clear(text);
	buf_addf(text, "line %llu: ", (unsigned long long)tree_uint(tree_get(row, "line")));
	if (tree_get(row, "updates"))
		buf_add_text(text, "update of a record: ");
	if (record)
		add_record(text, record);
	else
		add_errors(text, tree_get(row, "errors"));
	printf("%.*s\n", STR_ARGS(buf_str(text)));
}

static int print_rows(void *arg, const struct ctl *ctl, struct str result, struct error *err)
{
	struct buf text = { 0 };
	struct tree *tree;

	(void)arg;
	if (ctl->json)
		return ctl_print(ctl, result, err);
	tree = tree_parse(result, err);
	if (!tree)
		return -1;
	TREE_EACH(row, tree_get(tree, "rows"))
	print_row(row, &text);
	printf("%llu would be stored, %llu rejected, %llu skipped; nothing was stored\n",
	       (unsigned long long)tree_uint(tree_get(tree, "stored")),
	       (unsigned long long)tree_uint(tree_get(tree, "rejected")),
	       (unsigned long long)tree_uint(tree_get(tree, "skipped")));
	buf_free(&text);
	tree_free(tree);
	return 0;
}

int ctl_mapping_try(const struct ctl *ctl, struct error *err)
{
	struct buf file = { .max_bytes = FILE_MAX };
	int result = source_read_whole(args_get(ctl->args, "file"), "a file to try", &file, err);

	if (result == 0)
		result = ctl_run_body(ctl, buf_str(&file), print_rows, NULL, err);
	buf_free(&file);
	return result;
}
