/* SPDX-License-Identifier: ISC */
/*
 * split_json.c: a JSON object into the values of the fields that a mapping names by their paths.
 *
 *	variables.start_uepoch     the member of a member
 *	callflow.0.extension       the first element of an array, and its member
 *
 * One pass: the reader's place in the text is a node of the tree of paths, or none, below which nothing is wanted.
 */
#include <stdio.h>

#include "base/json_reader.h"
#include "mapping/mapping_private.h"

#define DEPTH_MAX 64

struct walk {
	struct split *split;
	const struct path_node *open[DEPTH_MAX]; /* of each container; NULL: nothing in it is wanted */
	uint32_t elements[DEPTH_MAX];            /* of arrays, so far */
	bool is_array[DEPTH_MAX];
	size_t depth;
	const struct path_node *next; /* of the value that comes next */
};

static const struct path_node *child(const struct path_node *node, struct str name)
{
	if (!node)
		return NULL;
	for (node = node->children; node; node = node->next)
		if (node->name.len == name.len && memcmp(node->name.p, name.p, name.len) == 0)
			return node;
	return NULL;
}

/* In an array, the next value is the element of its number. */
static void count_element(struct walk *walk)
{
	char name[16];

	if (walk->depth == 0 || !walk->is_array[walk->depth - 1])
		return;
	const struct path_node *node = walk->open[walk->depth - 1];
	uint32_t number = walk->elements[walk->depth - 1]++;
	walk->next = NULL;
	if (node) {
		int len = snprintf(name, sizeof(name), "%u", number);

		walk->next = child(node, (struct str){ name, (size_t)len });
	}
}

static bool open_container(struct walk *walk, bool array)
{
	if (walk->depth == DEPTH_MAX)
		return false;
	walk->is_array[walk->depth] = array;
	walk->elements[walk->depth] = 0;
	walk->open[walk->depth++] = walk->next;
	walk->next = NULL;
	return true;
}

static void take_text(struct walk *walk, struct str text)
{
	struct split *split = walk->split;
	const struct path_node *node = walk->next;
	struct buf *unescaped = &split->json->unescaped;

	walk->next = NULL;
	if (!node || node->field == MAPPING_NO_FIELD)
		return;
	if (unescaped->data && text.p >= unescaped->data && text.p < unescaped->data + unescaped->cap) {
		size_t begin = split->arena->len;

		buf_add_str(split->arena, text);
		text = split->arena->failed ? (struct str){ NULL, 0 } :
		                              (struct str){ split->arena->data + begin, text.len };
	}
	split->values[node->field] = text;
}

static bool take_event(struct walk *walk, enum json_event event)
{
	struct str text = walk->split->json->text;

	switch (event) {
	case JSON_EVENT_NAME:
		/* NOLINTNEXTLINE(-Wanalyzer-use-of-uninitialized-value): a name is in an object, which was opened. */
		walk->next = child(walk->open[walk->depth - 1], text);
		return true;
	case JSON_EVENT_OBJECT_END:
	case JSON_EVENT_ARRAY_END:
		walk->depth--;
		return true;
	default:
		break;
	}
	count_element(walk);
	switch (event) {
	case JSON_EVENT_OBJECT:
		return open_container(walk, false);
	case JSON_EVENT_ARRAY:
		return open_container(walk, true);
	case JSON_EVENT_STRING:
	case JSON_EVENT_NUMBER:
		take_text(walk, text);
		return true;
	case JSON_EVENT_TRUE:
		take_text(walk, STR_LITERAL("true"));
		return true;
	case JSON_EVENT_FALSE:
		take_text(walk, STR_LITERAL("false"));
		return true;
	default:
		walk->next = NULL;
		return true;
	}
}

bool split_json(struct split *split, struct str row)
{
	struct walk walk = { .split = split, .next = &split->mapping->paths };
	enum json_event event;
	struct error err;

	bool is_object = row.len > 0 && row.p[0] == '{';

	memset(split->values, 0, split->mapping->fields_count * sizeof(split->values[0]));
	json_reader_restart(split->json, row);
	while ((event = json_reader_next(split->json, &err)) > JSON_EVENT_END)
		if (!take_event(&walk, event)) {
			snprintf(split->fault, sizeof(split->fault), "Nested more deeply than the %d levels allowed",
			         DEPTH_MAX);
			return false;
		}
	if (event == JSON_EVENT_END && is_object)
		return true;
	str_cut(split->fault, sizeof(split->fault), event == JSON_EVENT_END ? "Must be a JSON object" : err.message);
	return false;
}
