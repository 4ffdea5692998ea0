/* SPDX-License-Identifier: ISC */
/*
 * account.c: the parts of `account` that cdrctl does itself: reading a file of accounts, and listing them page by page,
 * so that the daemon never has all of them in memory.
 */
#include <stdlib.h>

#include "admin/tree.h"
#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/source.h"

#define FILE_MAX ((size_t)256 << 20) /* far more than the accounts that one import may have */
#define PAGE_ACCOUNTS 1000
#define PAGE_TEXT "1000"

int ctl_account_import(const struct ctl *ctl, struct error *err)
{
	struct buf file = { .max_bytes = FILE_MAX };
	int result = source_read_whole(args_get(ctl->args, "file"), "a file of accounts", &file, err);

	if (result == 0)
		result = ctl_run_body(ctl, buf_str(&file), ctl_print_answer, NULL, err);
	buf_free(&file);
	return result;
}

/* --- list --- */

struct pages {
	struct buf list;  /* the array, without its end */
	struct buf after; /* the last account of the last page */
	size_t count;     /* of the last page */
};

/* Appends a page, which is an array. */
static int take_page(void *arg, const struct ctl *ctl, struct str page, struct error *err)
{
	struct pages *pages = arg;
	struct tree *tree = tree_parse(page, err);
	const char *last = NULL;

	(void)ctl;
	if (!tree)
		return -1;
	pages->count = 0;
	TREE_EACH(account, tree_array(tree))
	{
		last = tree_text(tree_get(account, "id"));
		pages->count++;
	}
	if (pages->count > 0 && last) {
		buf_add_char(&pages->list, pages->list.len > 0 ? ',' : '[');
		buf_add(&pages->list, page.p + 1, page.len - 2);
		buf_clear(&pages->after);
		buf_add_text(&pages->after, last);
	}
	tree_free(tree);
	return 0;
}

static int add_option(struct args *args, const char *option, const char *value, struct error *err)
{
	return args_add(args, args_find_option(args->synopsis, str_from(option)), value, err);
}

/* Asks for the page after the previous one. */
static int get_page(const struct ctl *ctl, struct pages *pages, struct error *err)
{
	struct args args = { .synopsis = ctl->args->synopsis };
	struct ctl paged = { ctl->socket, ctl->json, ctl->spec, &args };
	bool first = pages->after.len == 0;
	int result = add_option(&args, "--limit", PAGE_TEXT, err);

	if (result == 0 && !first)
		result = add_option(&args, "--after", buf_cstr(&pages->after), err);
	for (size_t i = 0; i < ctl->args->count && result == 0; i++) {
		const struct args_value *value = &ctl->args->values[i];

		if (first || !str_is(value->param->option, "--after"))
			result = args_add(&args, value->param, value->text, err);
	}
	if (result == 0)
		result = ctl_run(&paged, take_page, pages, err);
	args_free(&args);
	return result;
}

int ctl_account_list(const struct ctl *ctl, struct error *err)
{
	struct pages pages = { 0 };
	int result;

	if (args_count(ctl->args, "limit") > 0)
		return ctl_run(ctl, ctl_print_answer, NULL, err);
	do {
		result = get_page(ctl, &pages, err);
	} while (result == 0 && pages.count == PAGE_ACCOUNTS);
	buf_add_text(&pages.list, pages.list.len > 0 ? "]" : "[]");
	if (!buf_cstr(&pages.list))
		result = error_set(err, ERROR_NOMEM, "Out of memory for the list");
	if (result == 0)
		result = ctl_print(ctl, buf_str(&pages.list), err);
	buf_free(&pages.list);
	buf_free(&pages.after);
	return result;
}
