/* SPDX-License-Identifier: ISC */
/*
 * tree.c: see tree.h.
 *
 * The text is read twice: to count its parts, and to build the tree. The memory for the second pass is allocated after
 * the first, in one piece: the nodes, then their texts, each with a NUL after it.
 */
#include "admin/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/json_reader.h"

struct measure {
	size_t nodes;
	size_t text_bytes;
};

static bool has_text(enum json_event event)
{
	return event == JSON_EVENT_NAME || event == JSON_EVENT_STRING || event == JSON_EVENT_NUMBER;
}

static bool is_value(enum json_event event)
{
	return event > JSON_EVENT_END && event != JSON_EVENT_OBJECT_END && event != JSON_EVENT_ARRAY_END &&
	       event != JSON_EVENT_NAME;
}

/* Faults that the reader does not check. */
static int check(const struct json_reader *reader, size_t depth_max, struct error *err)
{
	if (reader->depth > depth_max)
		return error_set(err, ERROR_INVALID, "the JSON is nested too deep, more than %zu levels", depth_max);
	if (reader->text.len > 0 && memchr(reader->text.p, '\0', reader->text.len))
		return error_set(err, ERROR_INVALID, "the JSON has a NUL character");
	return 0;
}

static int measure(struct measure *measure, struct str text, size_t depth_max, struct error *err)
{
	struct json_reader reader = json_reader_of(text);
	enum json_event event;
	int result = 0;

	while (result == 0 && (event = json_reader_next(&reader, err)) != JSON_EVENT_END) {
		result = event == JSON_EVENT_FAULT ? -1 : check(&reader, depth_max, err);
		measure->nodes += is_value(event);
		measure->text_bytes += has_text(event) ? reader.text.len + 1 : 0;
	}
	json_reader_free(&reader);
	return result;
}

/* --- making it --- */

struct builder {
	struct tree *nodes;                /* the next one */
	char *texts;                       /* the next one's place */
	const char *name;                  /* of the next value */
	struct tree *open[TREE_DEPTH_MAX]; /* containers, the innermost last */
	struct tree *last[TREE_DEPTH_MAX]; /* of each, what was added last */
	size_t depth;
};

static const char *take_text(struct builder *b, struct str text)
{
	char *copy = b->texts;

	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	b->texts += text.len + 1;
	return copy;
}

static enum tree_kind kind_of(enum json_event event)
{
	switch (event) {
	case JSON_EVENT_OBJECT:
		return TREE_OBJECT;
	case JSON_EVENT_ARRAY:
		return TREE_ARRAY;
	case JSON_EVENT_STRING:
		return TREE_TEXT;
	case JSON_EVENT_NUMBER:
		return TREE_NUMBER;
	case JSON_EVENT_TRUE:
		return TREE_TRUE;
	case JSON_EVENT_FALSE:
		return TREE_FALSE;
	default:
		return TREE_NULL;
	}
}

static void add_value(struct builder *b, enum json_event event, struct str text)
{
	struct tree *node = b->nodes++;

	*node = (struct tree){ .kind = kind_of(event), .name = b->name };
	if (has_text(event))
		node->text = take_text(b, text);
	b->name = NULL;
	if (b->depth > 0) {
		struct tree *parent = b->open[b->depth - 1], *last = b->last[b->depth - 1];

		*(last ? &last->next : &parent->first) = node;
		parent->count++;
		b->last[b->depth - 1] = node;
	}
	if (event == JSON_EVENT_OBJECT || event == JSON_EVENT_ARRAY) {
		INVARIANT(b->depth < TREE_DEPTH_MAX);
		b->open[b->depth] = node;
		b->last[b->depth++] = NULL;
	}
}

static int build(struct builder *b, struct str text, struct error *err)
{
	struct json_reader reader = json_reader_of(text);
	enum json_event event;

	while ((event = json_reader_next(&reader, err)) > JSON_EVENT_END) {
		if (event == JSON_EVENT_NAME)
			b->name = take_text(b, reader.text);
		else if (is_value(event))
			add_value(b, event, reader.text);
		else
			b->depth--;
	}
	json_reader_free(&reader);
	return event == JSON_EVENT_END ? 0 : -1;
}

static struct tree *parse(struct str text, size_t depth_max, struct error *err)
{
	struct measure size = { 0 };
	struct builder b = { 0 };
	struct tree *root;

	if (measure(&size, text, depth_max, err) != 0)
		return NULL;
	root = malloc(size.nodes * sizeof(*root) + size.text_bytes);
	if (!root) {
		error_set(err, ERROR_NOMEM, "JSON of %zu bytes: out of memory", text.len);
		return NULL;
	}
	b.nodes = root;
	b.texts = (char *)(root + size.nodes);
	if (build(&b, text, err) == 0)
		return root;
	free(root);
	return NULL;
}

struct tree *tree_parse(struct str text, struct error *err)
{
	return parse(text, TREE_DEPTH_MAX, err);
}

void tree_free(struct tree *tree)
{
	free(tree);
}

const struct tree *tree_get(const struct tree *tree, const char *name)
{
	if (!tree_is(tree, TREE_OBJECT))
		return NULL;
	TREE_EACH(member, tree)
	if (strcmp(member->name, name) == 0)
		return member;
	return NULL;
}

uint64_t tree_uint(const struct tree *tree)
{
	return tree_is(tree, TREE_NUMBER) ? strtoull(tree->text, NULL, 10) : 0;
}

/* --- writing it --- */

static void write_object(const struct tree *tree, struct json *j)
{
	json_object_begin(j);
	TREE_EACH(member, tree)
	{
		json_key(j, member->name);
		tree_write(member, j);
	}
	json_object_end(j);
}

static void write_array(const struct tree *tree, struct json *j)
{
	json_array_begin(j);
	TREE_EACH(element, tree)
	tree_write(element, j);
	json_array_end(j);
}

void tree_write(const struct tree *tree, struct json *j)
{
	switch (tree->kind) {
	case TREE_OBJECT:
		write_object(tree, j);
		break;
	case TREE_ARRAY:
		write_array(tree, j);
		break;
	case TREE_TEXT:
		json_text(j, tree->text);
		break;
	case TREE_NUMBER:
		json_raw(j, str_from(tree->text));
		break;
	case TREE_TRUE:
	case TREE_FALSE:
		json_bool(j, tree->kind == TREE_TRUE);
		break;
	case TREE_NULL:
		json_null(j);
		break;
	}
}

void tree_write_text(struct str text, struct json *j)
{
	struct error err;
	struct tree *tree = parse(text, TREE_EMBEDDED_MAX, &err);

	if (tree)
		tree_write(tree, j);
	else
		json_str(j, text);
	tree_free(tree);
}
