/* SPDX-License-Identifier: ISC */
/*
 * tree.h: small JSON documents as yajl's trees, safely.
 *
 * yajl's trees are freed by recursion and hold texts that end at a NUL, so both, depth and NUL, are looked at before
 * one is made. Not for records on their way in: those are never made into trees.
 */
#ifndef CDRD_ADMIN_TREE_H
#define CDRD_ADMIN_TREE_H

#include <stdbool.h>
#include <yajl/yajl_tree.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

#define TREE_DEPTH_MAX 32
#define TREE_EMBEDDED_MAX 16

/* NULL with ERROR_INVALID for what is not JSON, is nested deeper than TREE_DEPTH_MAX or has a NUL in it. `text` must
 * have a NUL after its end. Free the tree with yajl_tree_free. */
yajl_val tree_parse(struct str text, struct error *err);

/* A member of an object; NULL if there is none, or `tree` is no object. */
yajl_val tree_get(yajl_val tree, const char *key);

/* Writes it back, in order, with numbers as they were. */
void tree_write(yajl_val tree, struct json *j);

/* Writes `text` as the JSON that it is, on one line, or as a string if it is none, or nested deeper than
 * TREE_EMBEDDED_MAX, so that what it becomes a part of can be read as a tree. */
void tree_write_text(struct str text, struct json *j);

#endif
