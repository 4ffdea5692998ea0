/* SPDX-License-Identifier: ISC */
/*
 * mapfile.h: the lines of a mapping's file.
 *
 *	# a comment, as also after a blank; so is what follows a ;
 *	key = value
 *	[section name from FILE]
 *	"a key" = "a # that is none of a comment"
 *
 * Keys are without their quotes; values are as they stand in the file, quotes included: what they mean depends on the
 * key. Within quotes, \" is a quote, \\ a backslash, \t a tab and \n a line end.
 */
#ifndef CDRD_MAPPING_MAPFILE_H
#define CDRD_MAPPING_MAPFILE_H

#include "base/config.h"
#include "mapping/pool.h"

#define MAPFILE_LINE_MAX 8190       /* bytes of a line */
#define MAPFILE_FILE_MAX (64 << 20) /* of a file: a rate table is long */
#define MAPFILE_SECTIONS_MAX 200

struct mapfile_line {
	struct mapfile_line *next;
	const char *path;
	int number;
	bool quoted; /* the key was */
	struct str key;
	struct str value;
};

struct mapfile_section {
	const char *path;
	int number;      /* of the line that begins it; 0 for what comes before the first */
	struct str kind; /* "record"; empty before the first */
	struct str name; /* or empty */
	struct mapfile_line *lines;
};

struct mapfile {
	struct pool *pool;
	struct config_faults *faults;
	const char *directory; /* of FILEs; NULL: there are none */
	struct mapfile_section sections[MAPFILE_SECTIONS_MAX];
	size_t sections_count;
};

/* Reads the text of the file `path`, and the files that its sections are from. What is wrong is added to the faults. */
void mapfile_read(struct mapfile *source, const char *path, struct str text);

/* Reads a whole file into *out. */
MUST_CHECK int mapfile_load(const char *path, struct buf *out, struct error *err);

/* Adds a fault, "PATH:NUMBER: ..." */
void mapfile_fault(struct mapfile *source, const char *path, int number, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Printf arguments for "%.*s" of a text that may be long. */
#define MAPFILE_SHOWN_MAX 64
#define MAPFILE_SHOWN(text) \
	(int)((text).len < MAPFILE_SHOWN_MAX ? (text).len : MAPFILE_SHOWN_MAX), ((text).p ? (text).p : "")

/*
 * Takes the next word of *rest: a quoted text, without its quotes, or what stands before a blank; *quoted says which.
 * False at the end. A quote that is not closed is a word up to the end, with *rest.p NULL.
 */
bool mapfile_word(struct pool *pool, struct str *rest, struct str *word, bool *quoted);

/* The one text that a value is, quoted or not; false if there is more to it. */
bool mapfile_text(struct pool *pool, struct str value, struct str *text);

/* The text between quotes, from after the opening one: without them and the escapes. NULL if there is no closing one;
 * else after it. */
const char *mapfile_unquote(struct pool *pool, const char *p, const char *end, struct str *text);

#endif
