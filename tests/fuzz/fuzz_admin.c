/* SPDX-License-Identifier: ISC */
/*
 * fuzz_admin.c: lines of the admin socket to commands and their arguments.
 *
 * An input is a request. Beside not crashing, what must hold: what is made a tree is written back as JSON that makes
 * the same text again, on one line; arguments that were taken are taken again from what they are written as; and text
 * of any kind becomes a part of an answer that can be read.
 */
#include <stdint.h>
#include <stdlib.h>

#include "admin/args.h"
#include "admin/specs.h"
#include "admin/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void write_tree(struct buf *out, const struct tree *tree)
{
	struct json j = json_to(out);

	buf_clear(out);
	tree_write(tree, &j);
	must(buf_cstr(out) != NULL && !memchr(out->data, '\n', out->len));
}

static void check_tree(const struct tree *tree)
{
	struct buf once = { 0 }, twice = { 0 };
	struct error err;

	write_tree(&once, tree);
	struct tree *again = tree_parse(buf_str(&once), &err);
	must(again != NULL);
	write_tree(&twice, again);
	must(str_equal(buf_str(&once), buf_str(&twice)));
	tree_free(again);
	buf_free(&once);
	buf_free(&twice);
}

static void write_args(struct buf *out, const struct args *args)
{
	struct json j = json_to(out);

	buf_clear(out);
	args_write_json(args, &j);
	must(buf_cstr(out) != NULL);
}

static void check_args(const struct args_synopsis *synopsis, const struct args *args)
{
	struct buf once = { 0 }, twice = { 0 };
	struct args again;
	struct error err;

	write_args(&once, args);
	struct tree *tree = tree_parse(buf_str(&once), &err);
	must(tree != NULL && args_read_json(&again, synopsis, tree, &err) == 0);
	write_args(&twice, &again);
	must(str_equal(buf_str(&once), buf_str(&twice)));
	args_free(&again);
	tree_free(tree);
	buf_free(&once);
	buf_free(&twice);
}

static void check_request(const struct tree *tree)
{
	const char *words = tree_text(tree_get(tree, "command"));
	const struct command_spec *spec = words ? command_spec_find(words) : NULL;
	struct args_synopsis synopsis;
	struct args args;
	struct error err;

	if (!spec)
		return;
	must(args_synopsis_parse(&synopsis, spec->arguments, &err) == 0);
	if (args_read_json(&args, &synopsis, tree_get(tree, "args"), &err) == 0)
		check_args(&synopsis, &args);
	args_free(&args);
}

/* Also a text with a NUL, which makes no tree but is still written. */
static void check_text(struct str text)
{
	struct buf out = { 0 };
	struct json j = json_to(&out);

	tree_write_text(text, &j);
	must(buf_cstr(&out) != NULL && !memchr(out.data, '\n', out.len));
	if (text.len > 0 && !memchr(text.p, '\0', text.len) && json_is_utf8(text) && !strstr(out.data, "\\u0000")) {
		struct error err;
		struct tree *tree = tree_parse(buf_str(&out), &err);

		must(tree != NULL);
		tree_free(tree);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf line = { 0 };
	struct args_synopsis synopsis;
	struct error err;

	buf_add(&line, data, size);
	const char *text = buf_cstr(&line);
	struct tree *tree = tree_parse(buf_str(&line), &err);
	if (tree) {
		check_tree(tree);
		check_request(tree);
	}
	tree_free(tree);
	check_text(buf_str(&line));
	MAY_FAIL(args_synopsis_parse(&synopsis, text, &err));
	buf_free(&line);
	return 0;
}
