/* SPDX-License-Identifier: ISC */
/*
 * tree.h: small JSON documents as trees. Not for ingested records: those never become trees.
 *
 *	struct tree *tree = tree_parse(text, &err);
 *	const char *name = tree_text(tree_get(tree, "name"));
 *	TREE_EACH(error, tree_get(tree, "errors"))
 *		...
 *	tree_free(tree);
 *
 * A tree is one piece of memory, allocated once the text is known to be valid: its nodes and their texts; at most about
 * 25 times the text's size. All functions except tree_write accept NULL for a missing node.
 */
#ifndef CDRD_ADMIN_TREE_H
#define CDRD_ADMIN_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

#define TREE_DEPTH_MAX 32
#define TREE_EMBEDDED_MAX 16

enum tree_kind { TREE_NULL, TREE_FALSE, TREE_TRUE, TREE_NUMBER, TREE_TEXT, TREE_ARRAY, TREE_OBJECT };

struct tree {
	enum tree_kind kind;
	const char *name;         /* of a member of an object */
	const char *text;         /* of a text; of a number, as it was written */
	size_t count;             /* of an array or object: what is in it */
	const struct tree *first; /* in it */
	const struct tree *next;  /* to this one */
};

/* NULL with ERROR_INVALID for what is not JSON, is nested deeper than TREE_DEPTH_MAX or has a NUL in a text or name;
 * json_reader.h says what JSON is. A name may occur twice in an object. Free it with tree_free. */
MUST_CHECK struct tree *tree_parse(struct str text, struct error *err);

/* Of the root; NULL is fine. */
void tree_free(struct tree *tree);

static inline bool tree_is(const struct tree *tree, enum tree_kind kind)
{
	return tree && tree->kind == kind;
}

/* A member of an object, the first of that name; NULL if there is none, or `tree` is no object. */
const struct tree *tree_get(const struct tree *tree, const char *name);

/* A text; NULL if it is none. */
static inline const char *tree_text(const struct tree *tree)
{
	return tree_is(tree, TREE_TEXT) ? tree->text : NULL;
}

/* A number's digits before any point; 0 if it is no number. */
uint64_t tree_uint(const struct tree *tree);

/* Walks the elements of an array or the members of an object; other nodes have none.
 * NOLINTNEXTLINE(bugprone-macro-parentheses): `item` is the name of what it declares. */
#define TREE_EACH(item, of) for (const struct tree *item = tree_first(of); item; item = item->next)

static inline const struct tree *tree_first(const struct tree *tree)
{
	return tree ? tree->first : NULL;
}

/* The elements of an array; NULL if it is none, so that TREE_EACH walks over nothing. */
static inline const struct tree *tree_array(const struct tree *tree)
{
	return tree_is(tree, TREE_ARRAY) ? tree : NULL;
}

/* Writes it back, in order, with numbers as they were. */
void tree_write(const struct tree *tree, struct json *j);

/* Writes `text` as JSON on one line, or as a string if it is not JSON or is nested deeper than TREE_EMBEDDED_MAX, so
 * that the enclosing document can be read as a tree. */
void tree_write_text(struct str text, struct json *j);

#endif
