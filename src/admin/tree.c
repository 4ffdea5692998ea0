/*
 * tree.c: see tree.h.
 */
#include "admin/tree.h"

#include <string.h>

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

static yajl_val parse(struct str text, int depth_max, struct error *err)
{
	char message[256] = "";
	const char *fault = find_fault(text, depth_max);
	if (fault) {
		error_set(err, ERROR_INVALID, "the JSON %s", fault);
		return NULL;
	}
	yajl_val tree = yajl_tree_parse(text.p, message, sizeof(message));
	if (!tree)
		set_parse_error(err, message);
	return tree;
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
