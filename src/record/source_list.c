/* SPDX-License-Identifier: ISC */
/*
 * source_list.c: the text of a setting that lists sources. See source_list.h.
 */
#include "record/source_list.h"

/* The next word of *rest, which blanks or the end follow. */
static struct str next_word(struct str *rest)
{
	struct str text = str_trim(*rest), word = { text.p, 0 };

	while (word.len < text.len && word.p[word.len] != ' ' && word.p[word.len] != '\t')
		word.len++;
	*rest = (struct str){ text.p + word.len, text.len - word.len };
	return word;
}

/* 1 if it is one of ingest's, 0 if not, -1. */
static int take_setting(struct ingest_settings *settings, struct str name, struct str value, struct error *err)
{
	struct error why;

	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++) {
		if (!str_is(name, ingest_settings_name(i)))
			continue;
		if (ingest_settings_set(settings, i, value, &why) == 0)
			return 1;
		return error_set(err, ERROR_INVALID, "%.*s: %s", STR_ARGS(name), why.message);
	}
	return 0;
}

static int take_option(const struct source_reader *reader, void *arg, struct ingest_settings *settings, struct str word,
                       struct error *err)
{
	const char *equals = memchr(word.p, '=', word.len);
	struct str name = { word.p, equals ? (size_t)(equals - word.p) : word.len };
	int taken = 0;

	if (equals) {
		struct str value = { equals + 1, word.len - name.len - 1 };

		taken = take_setting(settings, name, value, err);
		if (taken == 0 && reader->option)
			taken = reader->option(arg, name, value, err);
	}
	if (taken != 0)
		return taken > 0 ? 0 : -1;
	return error_set(err, ERROR_INVALID, "\"%.*s\": must be mapping=NAME, or another setting of a producer%s",
	                 (int)(word.len < 64 ? word.len : 64), word.p, reader->option ? " or of such a source" : "");
}

static int read_source(struct str text, const struct source_reader *reader, void *arg, struct error *err)
{
	struct ingest_settings settings = { 0 };
	struct str word = next_word(&text);

	if (reader->begin(arg, word, err) != 0)
		return -1;
	while ((word = next_word(&text)).len > 0)
		if (take_option(reader, arg, &settings, word, err) != 0)
			return -1;
	return reader->end(arg, &settings, err);
}

int sources_read(const char *text, const struct source_reader *reader, void *arg, struct error *err)
{
	struct str rest = str_trim(str_from(text));

	while (rest.len > 0) {
		const char *bar = memchr(rest.p, '|', rest.len);
		struct str one = { rest.p, bar ? (size_t)(bar - rest.p) : rest.len };

		if (read_source(one, reader, arg, err) != 0)
			return -1;
		rest = (struct str){ one.p + one.len + (bar ? 1 : 0), rest.len - one.len - (bar ? 1 : 0) };
	}
	return 0;
}
