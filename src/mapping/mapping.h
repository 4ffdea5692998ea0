/* SPDX-License-Identifier: ISC */
/*
 * mapping.h: what other programs write, read as records.
 *
 * A mapping is a file, NAME.conf, that says what the rows of a producer's file look like and which of their fields gives
 * which column; cdrd-mapping(5) describes it. It is compiled once, to a flat program; each row is split into its fields
 * and run through the program in one pass, which allocates nothing. The result is a `struct parse_item`, as the parsers
 * of record/parse.h make them, so that all checks of ingest apply to it as to any other record.
 */
#ifndef CDRD_MAPPING_MAPPING_H
#define CDRD_MAPPING_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"
#include "base/str.h"
#include "record/parse.h"

struct mapping;

/* Compiles a file. NULL if something is wrong with it: *faults then has all that is, with file and line. The caller
 * holds a reference. */
struct mapping *mapping_read(const char *path, struct config_faults *faults);

/* The same of a text, for tests and fuzzing; files that it names are not found. */
struct mapping *mapping_compile(const char *path, struct str text, struct config_faults *faults);

/* References are counted: a mapping stays as it is as long as it is in use, even if its file has changed. */
struct mapping *mapping_hold(struct mapping *mapping);
void mapping_release(struct mapping *mapping); /* does nothing on NULL */

const char *mapping_name(const struct mapping *mapping);      /* of its file, without .conf */
const char *mapping_about(const struct mapping *mapping);     /* a line for people, or "" */
const char *mapping_form(const struct mapping *mapping);      /* "csv", "json", "pairs" or "pattern" */
const char *mapping_time_zone(const struct mapping *mapping); /* of times without an offset, or "" */
const char *mapping_mode(const struct mapping *mapping);      /* "replace" or "merge", or "" */

/* --- those of a directory --- */

struct mappings;

/* None at first. NULL when out of memory. */
struct mappings *mappings_new(void);
void mappings_free(struct mappings *mappings);

/* Reads all NAME.conf of a directory, which may be missing. If one of them is wrong, -1 with all faults, and those of
 * before stay. */
MUST_CHECK int mappings_load(struct mappings *mappings, const char *directory, struct config_faults *faults);

/* Where they are: the setting mappings_dir, or its default. */
const char *mappings_directory(const struct config *config);

/* NULL if there is none of that name, or `mappings` is NULL. The caller holds a reference. */
struct mapping *mappings_get(struct mappings *mappings, const char *name);

/* In order of their names; false from fn ends it. */
void mappings_each(struct mappings *mappings, bool (*fn)(void *arg, const struct mapping *mapping), void *arg);

/* --- rows --- */

struct mapping_reader;

/* As parser_new, _feed, _finish, _position and _free: items have the format PARSE_MAPPED. Holds the mapping. */
struct mapping_reader *mapping_reader_new(struct mapping *mapping, const struct parse_limits *limits,
                                          parse_item_fn on_item, void *arg);
MUST_CHECK int mapping_reader_feed(struct mapping_reader *reader, const char *data, size_t len, struct error *err);
MUST_CHECK int mapping_reader_finish(struct mapping_reader *reader, struct error *err);
void mapping_reader_position(const struct mapping_reader *reader, struct parse_position *position);
bool mapping_reader_is_between(const struct mapping_reader *reader); /* no row is begun that is not complete */
void mapping_reader_free(struct mapping_reader *reader);

/* Before the first piece: this is the rest of a body, from the beginning of line `line` on, byte `byte`; `header` is its
 * header line, if the mapping has one. */
MUST_CHECK int mapping_reader_resume(struct mapping_reader *reader, struct str header, uint64_t line, uint64_t byte,
                                     struct error *err);

/* The header line that was read, or empty. */
struct str mapping_reader_header(const struct mapping_reader *reader);

/* How many rows the mapping said to skip. */
uint64_t mapping_reader_skipped(const struct mapping_reader *reader);

#endif
