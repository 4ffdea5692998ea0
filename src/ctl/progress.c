/* SPDX-License-Identifier: ISC */
/*
 * progress.c: see progress.h.
 */
#include "ctl/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "admin/tree.h"
#include "base/clock.h"
#include "ctl/text.h"

#define DRAW_EVERY_US 100000
#define DRAW_AFTER_US 300000 /* shorter work needs no bar */
#define BAR_MAX 30
#define BAR_MIN 10
#define WIDTH_DEFAULT 80
#define SHARE_PARTS 10000

void progress_begin(struct progress *progress)
{
	*progress = (struct progress){ .wanted = isatty(STDERR_FILENO) == 1, .started_us = clock_monotonic_us() };
}

int64_t progress_elapsed_us(const struct progress *progress)
{
	int64_t elapsed_us = clock_monotonic_us() - progress->started_us;

	return elapsed_us > 0 ? elapsed_us : 1;
}

static size_t terminal_width(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return WIDTH_DEFAULT;
	return size.ws_col;
}

static bool is_due(struct progress *progress)
{
	int64_t now_us = clock_monotonic_us();

	if (!progress->wanted || now_us - progress->started_us < DRAW_AFTER_US ||
	    now_us - progress->drawn_us < DRAW_EVERY_US)
		return false;
	progress->drawn_us = now_us;
	progress->drawn = true;
	return true;
}

/* "[=====>    ]  42%" */
static void add_bar(struct buf *out, const struct progress_view *view, size_t columns)
{
	double share = view->done >= view->total ? 1 : (double)view->done / (double)view->total;
	size_t filled = (size_t)(share * (double)columns);

	buf_add_char(out, '[');
	for (size_t i = 0; i < columns; i++)
		buf_add_char(out, i < filled ? '=' : (i == filled ? '>' : ' '));
	buf_addf(out, "] %3d%%  ", (int)(share * 100));
}

static void add_amount(struct buf *out, const struct progress_view *view, double amount)
{
	if (view->bytes)
		text_add_bytes(out, amount);
	else
		text_add_count(out, (uint64_t)amount);
}

/* For a job that began before it was watched: rates count from the start of watching. */
static void add_share_figures(struct buf *out, struct progress *progress, const struct progress_view *view)
{
	double seconds = (double)progress_elapsed_us(progress) / (double)CLOCK_US_PER_SECOND;

	if (!progress->begun) {
		progress->begun = true;
		progress->first_done = view->done;
		progress->first_records = view->records;
	}
	text_add_count(out, view->records);
	buf_add_text(out, " rows  ");
	if (view->records > progress->first_records) {
		text_add_count(out, (uint64_t)((double)(view->records - progress->first_records) / seconds));
		buf_add_text(out, "/s  ");
	}
	text_add_bytes(out, (double)view->size_bytes);
	if (view->done > progress->first_done && view->done < view->total) {
		double rate = (double)(view->done - progress->first_done) / seconds;

		buf_add_text(out, "  ");
		text_add_clock(out, (uint64_t)((double)(view->total - view->done) / rate));
		buf_add_text(out, " left");
	}
}

static void add_figures(struct buf *out, const struct progress *progress, const struct progress_view *view)
{
	double seconds = (double)progress_elapsed_us(progress) / (double)CLOCK_US_PER_SECOND;
	double rate = (double)view->done / seconds;

	add_amount(out, view, (double)view->done);
	buf_add_text(out, "  ");
	add_amount(out, view, rate);
	buf_add_text(out, "/s");
	if (view->has_records) {
		buf_add_text(out, "  ");
		text_add_count(out, view->records);
		buf_add_text(out, " records  ");
		text_add_count(out, (uint64_t)((double)view->records / seconds));
		buf_add_text(out, "/s");
	}
	if (view->rejected > 0) {
		buf_add_text(out, "  ");
		text_add_count(out, view->rejected);
		buf_add_text(out, " rejected");
	}
	if (view->total > 0 && view->done > 0) {
		uint64_t left = view->done < view->total ? view->total - view->done : 0;

		buf_add_text(out, "  ");
		text_add_clock(out, (uint64_t)((double)left / rate));
		buf_add_text(out, " left");
	}
}

/* All of it is ASCII. */
static void put_line(struct buf *line)
{
	size_t width = terminal_width() - 1;

	fprintf(stderr, "\r\033[K%.*s", (int)(line->len < width ? line->len : width), line->data ? line->data : "");
	fflush(stderr);
}

void progress_draw(struct progress *progress, const struct progress_view *view)
{
	struct buf figures = { 0 }, line = { 0 };

	if (!is_due(progress))
		return;
	if (view->share)
		add_share_figures(&figures, progress, view);
	else
		add_figures(&figures, progress, view);
	size_t width = terminal_width(), rest = figures.len + sizeof("[] 100%  ");
	size_t columns = rest < width ? width - rest : 0;
	if (view->total > 0 && columns >= BAR_MIN)
		add_bar(&line, view, columns < BAR_MAX ? columns : BAR_MAX);
	buf_add_str(&line, buf_str(&figures));
	put_line(&line);
	buf_free(&figures);
	buf_free(&line);
}

static uint64_t number_of(const struct tree *line, const char *key)
{
	return tree_uint(tree_get(line, key));
}

static void draw_share(struct progress *progress, const struct tree *line, double share)
{
	struct progress_view view = {
		.done = (uint64_t)(share * SHARE_PARTS),
		.total = SHARE_PARTS,
		.share = true,
		.records = number_of(line, "rows"),
		.size_bytes = number_of(line, "file_bytes"),
	};

	progress_draw(progress, &view);
}

static void draw_others(struct progress *progress, const struct tree *line)
{
	struct buf text = { 0 };

	if (!is_due(progress))
		return;
	TREE_EACH(member, line)
	{
		if (member != line->first)
			buf_add_text(&text, "  ");
		text_add_label(&text, member->name, true);
		buf_add_char(&text, ' ');
		text_add_value(&text, member->name, member);
	}
	put_line(&text);
	buf_free(&text);
}

void progress_draw_line(struct progress *progress, const struct tree *line)
{
	bool bytes = tree_get(line, "done_bytes") != NULL;
	struct progress_view view = {
		.done = number_of(line, bytes ? "done_bytes" : "done"),
		.total = number_of(line, bytes ? "total_bytes" : "total"),
		.bytes = bytes,
		.rejected = number_of(line, "rejected"),
	};
	const struct tree *share = tree_get(line, "share");

	if (!tree_is(line, TREE_OBJECT))
		return;
	if (tree_is(share, TREE_NUMBER)) {
		draw_share(progress, line, strtod(share->text, NULL));
		return;
	}
	if (bytes || tree_get(line, "done"))
		progress_draw(progress, &view);
	else
		draw_others(progress, line);
}

void progress_clear(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = false;
}
