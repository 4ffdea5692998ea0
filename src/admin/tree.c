/* SPDX-License-Identifier: ISC */
/*
 * tree.c: see tree.h.
 */
#include "admin/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/yajl_room.h"

/* What is wrong with it that yajl would not say; NULL if nothing. Broken JSON is left to yajl. */
static const char *find_fault(struct str text, int depth_max)
{
	int depth = 0;
	bool quoted = false;
	if (text.len > 0 && memchr(text.p, '\0', text.len))
		return "has a NUL byte";
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\') {
			if (text.len - i >= 6 && memcmp(text.p + i, "\\u0000", 6) == 0)
				return "has a NUL character";
			i++;
		} else if (!quoted && (c == '{' || c == '[') && ++depth > depth_max)
			return "is nested too deep";
		else if (!quoted && (c == '}' || c == ']'))
			depth--;
	}
	return NULL;
}

/* The first line of yajl's message; the others draw a picture. */
static int set_parse_error(struct error *err, char *message)
{
	message[strcspn(message, "\n")] = '\0';
	return error_set(err, ERROR_INVALID, "not valid JSON: %s", message[0] ? message : "no value");
}

/* --- making the tree: yajl's own way to does not survive want of memory --- */

struct builder {
	yajl_val root;
	yajl_val open[TREE_DEPTH_MAX + 1]; /* containers, the innermost last */
	char *keys[TREE_DEPTH_MAX + 1];    /* of each, the one whose value comes next */
	int depth;
	bool no_memory;
};

static int fail(struct builder *b)
{
	b->no_memory = true;
	return 0;
}

/* Makes room for one more of `len` elements: as many as the next power of two. */
static bool grow(void **list, size_t len, size_t bytes)
{
	if (len & (len - 1))
		return true;
	void *grown = realloc(*list, (len ? 2 * len : 1) * bytes);
	if (grown)
		*list = grown;
	return grown != NULL;
}

static bool add_member(struct builder *b, yajl_val object, yajl_val value)
{
	size_t len = object->u.object.len;
	if (!grow((void **)&object->u.object.keys, len, sizeof(char *)) ||
	    !grow((void **)&object->u.object.values, len, sizeof(yajl_val)))
		return false;
	object->u.object.keys[len] = b->keys[b->depth - 1];
	object->u.object.values[len] = value;
	object->u.object.len++;
	b->keys[b->depth - 1] = NULL;
	return true;
}

static bool add_element(yajl_val array, yajl_val value)
{
	size_t len = array->u.array.len;
	if (!grow((void **)&array->u.array.values, len, sizeof(yajl_val)))
		return false;
	array->u.array.values[len] = value;
	array->u.array.len++;
	return true;
}

/* A value of its own, where it belongs; it owns its parts even if there is no room for it there. */
static int add(struct builder *b, yajl_val value)
{
	yajl_val in = b->depth > 0 ? b->open[b->depth - 1] : NULL;
	bool added = value != NULL;
	if (added && in)
		added = YAJL_IS_OBJECT(in) ? add_member(b, in, value) : add_element(in, value);
	if (!added) {
		yajl_tree_free(value);
		return fail(b);
	}
	if (!in)
		b->root = value;
	return 1;
}

static yajl_val value_new(yajl_type type)
{
	yajl_val value = calloc(1, sizeof(*value));
	if (value)
		value->type = type;
	return value;
}

static int on_null(void *b)
{
	return add(b, value_new(yajl_t_null));
}

static int on_boolean(void *b, int is_true)
{
	return add(b, value_new(is_true ? yajl_t_true : yajl_t_false));
}

static int on_text(void *b, yajl_type type, const char *text, size_t len)
{
	yajl_val value = value_new(type);
	char *copy = value ? strndup(text, len) : NULL;
	if (!copy) {
		free(value);
		return fail(b);
	}
	if (type == yajl_t_string) {
		value->u.string = copy;
		return add(b, value);
	}
	value->u.number.r = copy;
	errno = 0;
	char *end;
	value->u.number.i = strtoll(copy, &end, 10);
	value->u.number.flags |= !*end && errno == 0 ? YAJL_NUMBER_INT_VALID : 0;
	errno = 0;
	value->u.number.d = strtod(copy, &end);
	value->u.number.flags |= !*end && errno == 0 ? YAJL_NUMBER_DOUBLE_VALID : 0;
	return add(b, value);
}

static int on_string(void *b, const unsigned char *text, size_t len)
{
	return on_text(b, yajl_t_string, (const char *)text, len);
}

static int on_number(void *b, const char *text, size_t len)
{
	return on_text(b, yajl_t_number, text, len);
}

static int begin(struct builder *b, yajl_type type)
{
	if (b->depth > TREE_DEPTH_MAX)
		return 0;
	yajl_val value = value_new(type);
	if (!add(b, value))
		return 0;
	b->open[b->depth++] = value;
	return 1;
}

static int on_object(void *b)
{
	return begin(b, yajl_t_object);
}

static int on_array(void *b)
{
	return begin(b, yajl_t_array);
}

static int on_key(void *arg, const unsigned char *text, size_t len)
{
	struct builder *b = arg;
	char *copy = strndup((const char *)text, len);
	b->keys[b->depth - 1] = copy;
	return copy ? 1 : fail(b);
}

static int on_end(void *arg)
{
	((struct builder *)arg)->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null, .yajl_boolean = on_boolean, .yajl_number = on_number, .yajl_string = on_string,
	.yajl_start_map = on_object, .yajl_map_key = on_key, .yajl_end_map = on_end,
	.yajl_start_array = on_array, .yajl_end_array = on_end,
};

static yajl_val drop(struct builder *b)
{
	for (int i = 0; i <= TREE_DEPTH_MAX; i++)
		free(b->keys[i]);
	yajl_tree_free(b->root);
	return NULL;
}

static yajl_val build(struct str text, struct error *err)
{
	struct builder b = { 0 };
	struct yajl_room room;
	char message[256] = "";
	if (yajl_room_take(&room, text.len) != 0) {
		error_set(err, ERROR_NOMEM, "JSON of %zu bytes: out of memory", text.len);
		return NULL;
	}
	yajl_handle handle = yajl_alloc(&callbacks, &room.funcs, &b);
	yajl_status status = yajl_parse(handle, (const unsigned char *)text.p, text.len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(handle);
	if (b.no_memory) {
		error_set(err, ERROR_NOMEM, "JSON of %zu bytes: out of memory", text.len);
	} else if (status != yajl_status_ok) {
		unsigned char *told = yajl_get_error(handle, 1, (const unsigned char *)text.p, text.len);
		strncpy(message, (const char *)told, sizeof(message) - 1);
		yajl_free_error(handle, told);
		set_parse_error(err, message);
	} else if (!b.root) {
		set_parse_error(err, message);
	}
	bool made = status == yajl_status_ok && b.root && !b.no_memory;
	yajl_free(handle);
	yajl_room_give(&room);
	return made ? b.root : drop(&b);
}

static yajl_val parse(struct str text, int depth_max, struct error *err)
{
	const char *fault = find_fault(text, depth_max);
	if (!fault)
		return build(text, err);
	error_set(err, ERROR_INVALID, "the JSON %s", fault);
	return NULL;
}

yajl_val tree_parse(struct str text, struct error *err)
{
	return parse(text, TREE_DEPTH_MAX, err);
}

yajl_val tree_get(yajl_val tree, const char *key)
{
	if (!YAJL_IS_OBJECT(tree))
		return NULL;
	for (size_t i = 0; i < tree->u.object.len; i++)
		if (strcmp(tree->u.object.keys[i], key) == 0)
			return tree->u.object.values[i];
	return NULL;
}

static void write_object(yajl_val tree, struct json *j)
{
	json_object_begin(j);
	for (size_t i = 0; i < tree->u.object.len; i++) {
		json_key(j, tree->u.object.keys[i]);
		tree_write(tree->u.object.values[i], j);
	}
	json_object_end(j);
}

static void write_array(yajl_val tree, struct json *j)
{
	json_array_begin(j);
	for (size_t i = 0; i < tree->u.array.len; i++)
		tree_write(tree->u.array.values[i], j);
	json_array_end(j);
}

void tree_write(yajl_val tree, struct json *j)
{
	switch (tree->type) {
	case yajl_t_object:
		write_object(tree, j);
		break;
	case yajl_t_array:
		write_array(tree, j);
		break;
	case yajl_t_string:
		json_text(j, tree->u.string);
		break;
	case yajl_t_number:
		json_raw(j, str_from(tree->u.number.r));
		break;
	case yajl_t_true:
	case yajl_t_false:
		json_bool(j, tree->type == yajl_t_true);
		break;
	default:
		json_null(j);
	}
}

void tree_write_text(struct str text, struct json *j)
{
	struct buf copy = { 0 };
	struct error err;
	buf_add_str(&copy, text);
	yajl_val tree = buf_cstr(&copy) ? parse(buf_str(&copy), TREE_EMBEDDED_MAX, &err) : NULL;
	if (tree)
		tree_write(tree, j);
	else
		json_str(j, text);
	yajl_tree_free(tree);
	buf_free(&copy);
}
