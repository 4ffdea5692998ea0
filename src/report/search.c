/* SPDX-License-Identifier: ISC */
/*
 * search.c: see search.h.
 *
 * The last bytes of each piece (the longest number and a byte before it) are kept before the next one. A possible
 * number at the end of the text is left to the next round, which sees what follows; one at its first byte was checked
 * in the previous round.
 */
#include "report/search.h"

#include <string.h>

#include "base/clock.h"
#include "report/archive_reader.h"
#include "store/erase.h"

#define WORD 'x' /* a letter stands for the unknown byte: a number next to it does not count yet */

int report_search_begin(struct report_search *search, const char *path, enum archive_kind kind, struct error *err)
{
	report_search_end(search);
	search->reader = archive_reader_new(path, kind, err);
	return search->reader ? 0 : -1;
}

void report_search_end(struct report_search *search)
{
	archive_reader_free(search->reader);
	buf_free(&search->text);
	*search = (struct report_search){ 0 };
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Keeps the end of the text, with a byte before the longest possible number. */
static void keep_end(struct buf *text)
{
	const size_t keep = ERASE_NUMBER_MAX + 1;

	if (text->len > keep)
		buf_drain(text, text->len - keep);
	if (text->len > 0 && is_word(text->data[0]))
		text->data[0] = WORD;
}

static int end(struct report_search *search, int result)
{
	report_search_end(search);
	return result;
}

int report_search_step(struct report_search *search, const struct erase *erase, int64_t deadline_us, bool *found,
                       struct error *err)
{
	struct buf *text = &search->text;

	do {
		struct str piece;
		int more = archive_reader_next(search->reader, &piece, err);

		if (more < 0)
			return end(search, -1);
		if (more == 0) {
			*found = erase_is_in(erase, buf_str(text));
			return end(search, 1);
		}
		buf_add_str(text, piece);
		buf_add_char(text, WORD);
		if (text->failed) {
			error_set(err, ERROR_NOMEM, "search of a report's file: out of memory");
			return end(search, -1);
		}
		*found = erase_is_in(erase, buf_str(text));
		if (*found)
			return end(search, 1);
		text->len--;
		keep_end(text);
	} while (clock_monotonic_us() < deadline_us);
	return 0;
}
