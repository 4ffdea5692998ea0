/* SPDX-License-Identifier: ISC */
/*
 * summary_page.c: `cdrctl summary`, which can write its result as a page for customers: one file of HTML with its style
 * in it and no scripts, to be printed on A4. The heading row is repeated on each sheet.
 *
 * Names and values come from others: they are escaped, and what a terminal may not get is escaped as there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/tree.h"
#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/render.h"
#include "ctl/text.h"

static const char page_head[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char page_style[] =
	"<style>\n"
	"@page { size: A4; margin: 18mm 15mm; }\n"
	"body { font: 10pt/1.4 sans-serif; color: #111; background: #fff; max-width: 60em; margin: 2em auto; "
	"padding: 0 1em; }\n"
	"h1 { font-size: 16pt; margin: 0 0 .2em; }\n"
	"p { margin: 0 0 1em; }\n"
	"table { border-collapse: collapse; width: 100%; }\n"
	"thead { display: table-header-group; }\n"
	"tr { break-inside: avoid; }\n"
	"th, td { padding: .3em .5em; text-align: left; vertical-align: top; border-bottom: 1px solid #ccc; "
	"overflow-wrap: anywhere; }\n"
	".number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }\n"
	".running { font-weight: normal; }\n"
	".totals { font-weight: bold; border-top: 2px solid #111; }\n"
	"@media print { body { max-width: none; margin: 0; padding: 0; } }\n"
	"</style>\n";

/* --- texts --- */

static void add_escaped(struct buf *out, const char *text)
{
	static const struct {
		char c;
		const char *entity;
	} entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
	struct buf shown = { 0 };

	(void)text_add(&shown, text);
	for (size_t i = 0; i < shown.len; i++) {
		const char *entity = NULL;

		for (size_t k = 0; k < sizeof(entities) / sizeof(entities[0]); k++)
			if (entities[k].c == shown.data[i])
				entity = entities[k].entity;
		if (entity)
			buf_add_text(out, entity);
		else
			buf_add_char(out, shown.data[i]);
	}
	out->failed = out->failed || shown.failed;
	buf_free(&shown);
}

/* The text of a value that is a text or a number; "" for others. */
static const char *text_of(const struct tree *value)
{
	return tree_is(value, TREE_TEXT) || tree_is(value, TREE_NUMBER) ? value->text : "";
}

static const char *get(const struct tree *object, const char *key)
{
	return text_of(tree_get(object, key));
}

/* "total_price" as "Total price". */
static void add_heading(struct buf *out, const char *key)
{
	struct buf words = { 0 };

	buf_add_text(&words, key);
	for (size_t i = 0; i < words.len; i++)
		if (words.data[i] == '_')
			words.data[i] = ' ';
	if (words.len > 0 && words.data[0] >= 'a' && words.data[0] <= 'z')
		words.data[0] = (char)(words.data[0] - 'a' + 'A');
	add_escaped(out, buf_cstr(&words) ? words.data : "");
	buf_free(&words);
}

/* --- the table --- */

static bool is_number(const char *key)
{
	static const char *const numbers[] = {
		"records", "unpriced", "unreadable", "duration", "total_price", "price"
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(numbers[i], key) == 0)
			return true;
	return false;
}

static bool says_nothing(const struct tree *lines, const char *key)
{
	TREE_EACH(line, lines)
	{
		const char *text = get(line, key);

		if (text[0] && strcmp(text, "0") != 0)
			return false;
	}
	return true;
}

/* Leaves out columns that no line has anything in, where that is usual. */
static void choose_columns(struct table_keys *shown, const struct tree *lines)
{
	static const char *const optional[] = { "parent", "name", "unpriced", "unreadable" };
	struct table_keys keys;

	table_keys_collect(&keys, lines);
	shown->count = 0;
	for (size_t i = 0; i < keys.count; i++) {
		bool leave_out = false;

		for (size_t k = 0; k < sizeof(optional) / sizeof(optional[0]); k++)
			leave_out = leave_out ||
			            (strcmp(optional[k], keys.names[i]) == 0 && says_nothing(lines, keys.names[i]));
		if (!leave_out)
			shown->names[shown->count++] = keys.names[i];
	}
}

static void add_cell(struct buf *out, const char *key, const char *text)
{
	buf_add_text(out, is_number(key) ? "<td class=\"number\">" : "<td>");
	add_escaped(out, text);
	buf_add_text(out, "</td>");
}

static void add_line(struct buf *out, const struct table_keys *keys, const struct tree *line)
{
	buf_add_text(out, "<tr>");
	for (size_t i = 0; i < keys->count; i++)
		add_cell(out, keys->names[i], get(line, keys->names[i]));
	buf_add_text(out, "</tr>\n");
}

static void add_total(struct buf *out, const struct table_keys *keys, const struct tree *total)
{
	buf_add_text(out, "<tr>");
	for (size_t i = 0; i < keys->count; i++)
		add_cell(out, keys->names[i], i == 0 ? "Total" : get(total, keys->names[i]));
	buf_add_text(out, "</tr>\n");
}

/* What the page is about: "SMS, 2026-11". */
static void add_period(struct buf *out, const struct tree *result)
{
	add_escaped(out, get(result, "product"));
	buf_add_text(out, ", ");
	if (get(result, "month")[0]) {
		add_escaped(out, get(result, "month"));
		return;
	}
	add_escaped(out, get(result, "from"));
	buf_add_text(out, " to ");
	add_escaped(out, get(result, "until"));
}

static void add_title(struct buf *out, const struct tree *result)
{
	const char *account = get(result, "account"), *name = get(result, "name");

	buf_add_text(out, account[0] ? "Statement for " : "Statement for all accounts");
	add_escaped(out, name[0] ? name : account);
}

static void add_table(struct buf *out, const struct tree *result)
{
	const struct tree *lines = tree_array(tree_get(result, "lines"));
	struct table_keys keys;

	choose_columns(&keys, lines);
	buf_addf(out, "<table>\n<thead>\n<tr><th class=\"running\" colspan=\"%zu\">", keys.count);
	add_title(out, result);
	buf_add_text(out, ": ");
	add_period(out, result);
	buf_add_text(out, "</th></tr>\n<tr>");
	for (size_t i = 0; i < keys.count; i++) {
		buf_add_text(out, is_number(keys.names[i]) ? "<th class=\"number\">" : "<th>");
		add_heading(out, keys.names[i]);
		buf_add_text(out, "</th>");
	}
	buf_add_text(out, "</tr>\n</thead>\n<tbody>\n");
	TREE_EACH(line, lines)
	add_line(out, &keys, line);
	buf_add_text(out, "</tbody>\n<tbody class=\"totals\">\n");
	TREE_EACH(total, tree_array(tree_get(result, "totals")))
	add_total(out, &keys, total);
	buf_add_text(out, "</tbody>\n</table>\n");
}

/* --- the page --- */

static void add_page(struct buf *out, const struct tree *result)
{
	buf_add_text(out, page_head);
	buf_add_text(out, "<title>");
	add_title(out, result);
	buf_add_text(out, ": ");
	add_period(out, result);
	buf_add_text(out, "</title>\n");
	buf_add_text(out, page_style);
	buf_add_text(out, "</head>\n<body>\n<h1>");
	add_title(out, result);
	buf_add_text(out, "</h1>\n<p>");
	add_escaped(out, get(result, "product"));
	buf_add_text(out, " from ");
	add_escaped(out, get(result, "from"));
	buf_add_text(out, " until ");
	add_escaped(out, get(result, "until"));
	buf_add_text(out, "</p>\n");
	if (tree_first(tree_array(tree_get(result, "lines"))))
		add_table(out, result);
	else
		buf_add_text(out, "<p>No records.</p>\n");
	buf_add_text(out, "</body>\n</html>\n");
}

static int write_file(const char *path, struct str page, struct error *err)
{
	FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

	if (!file)
		return error_set_errno(err, errno, "%s: open", path);
	if (fwrite(page.p, 1, page.len, file) != page.len || fflush(file) != 0)
		(void)error_set_errno(err, errno, "%s: write", path);
	bool failed = ferror(file);
	if (file != stdout && fclose(file) != 0 && !failed)
		return error_set_errno(err, errno, "%s: write", path);
	return failed ? -1 : 0;
}

static int take_answer(void *arg, const struct ctl *ctl, struct str result, struct error *err)
{
	struct tree *tree = ctl_tree(result, err);
	struct buf page = { 0 };
	int written = -1;

	(void)arg;
	if (tree)
		add_page(&page, tree);
	if (page.failed)
		error_set(err, ERROR_NOMEM, "Out of memory for the page");
	else if (tree)
		written = write_file(args_get(ctl->args, "html"), buf_str(&page), err);
	tree_free(tree);
	buf_free(&page);
	return written;
}

int ctl_summary(const struct ctl *ctl, struct error *err)
{
	if (!args_get(ctl->args, "html"))
		return ctl_run(ctl, ctl_print_answer, NULL, err);
	if (ctl->json || args_count(ctl->args, "csv") > 0)
		return error_set(err, ERROR_INVALID, "--html: cannot be given with --csv or --json");
	return ctl_run(ctl, take_answer, NULL, err);
}
