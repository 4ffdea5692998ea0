/* SPDX-License-Identifier: ISC */
/*
 * top_screen.c: `top` on a terminal. The keys are those of htop, as far as they mean something here; see top.h.
 *
 * The screen is drawn anew after each key and each overview, which is once a second. It needs no colours: what calls for
 * somebody is bold, with a mark at its beginning.
 */
#include <config.h>

#include "ctl/top.h"

#ifdef HAVE_NCURSES

#include <ctype.h>
#include <curses.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/text.h"

#define OTHER_COLUMNS 55 /* what the table takes beside the ids */
#define ID_COLUMNS_LEAST 12
#define REFRESH_US CLOCK_US_PER_SECOND
#define KEY_ESCAPE 27
#define KEY_ENTER_TYPED '\n'
#define KEY_DELETE_TYPED 127

enum mode { SHOWS_TABLE, SHOWS_HELP, ASKS_FILTER };

struct view {
	struct top *top;
	enum mode mode;
	size_t first;       /* account at the top of the table */
	size_t rows;        /* that the table had room for */
	struct error error; /* why there is no newer overview */
	bool ended;
};

static const char *const help[] = {
	"Keys",
	"",
	"  up, down, page up, page down, home, end   scroll the accounts",
	"  a, r, c, n   order by account, records, charged, requests; again: reversed",
	"  I            reverse the order",
	"  /            show only accounts whose ids contain a text; escape: all",
	"  h, F1, ?     this help",
	"  q, F10       end",
	"",
	"A line that begins with ! calls for somebody: callbacks that failed, records in",
	"quarantine, too little disk, sealing that lags, a backup of more than two days",
	"ago, faults. Accounts are those with the most records and charges since midnight",
	"UTC, or since the daemon has started.",
	"",
	"Any key returns.",
};

/* --- drawing --- */

/* Writes what the line has room for. */
static void put_line(int row, const char *text, attr_t attributes)
{
	if (row < 0 || row >= LINES || COLS < 1)
		return;
	attron(attributes);
	mvaddnstr(row, 0, text, (int)text_fit(text, COLS));
	if (attributes & A_REVERSE)
		hline(' ' | A_REVERSE, COLS);
	attroff(attributes);
}

static void put_buf(int row, struct buf *line, attr_t attributes)
{
	put_line(row, buf_cstr(line) ? line->data : "?", attributes);
	buf_clear(line);
}

static int draw_facts(const struct top *top)
{
	struct buf line = { 0 };
	int count = (int)top_facts_count(top);

	for (int i = 0; i < count; i++) {
		top_write_fact(&line, top, (size_t)i);
		put_buf(i, &line, line.len > 0 && line.data[0] == '!' ? A_BOLD : A_NORMAL);
	}
	buf_free(&line);
	return count;
}

static void keep_in_range(struct view *view)
{
	size_t count = view->top->count;
	size_t last = count > view->rows ? count - view->rows : 0;

	if (view->first > last)
		view->first = last;
}

static void draw_accounts(struct view *view, int row)
{
	const struct top *top = view->top;
	struct buf line = { 0 };

	view->top->id_columns_max = COLS - OTHER_COLUMNS > ID_COLUMNS_LEAST ? COLS - OTHER_COLUMNS : ID_COLUMNS_LEAST;
	view->rows = LINES - row - 2 > 0 ? (size_t)(LINES - row - 2) : 0;
	keep_in_range(view);
	top_write_header(&line, top);
	put_buf(row, &line, A_REVERSE);
	for (size_t i = 0; i < view->rows && view->first + i < top->count; i++) {
		top_write_account(&line, top, &top->accounts[view->first + i]);
		put_buf(row + 1 + (int)i, &line, A_NORMAL);
	}
	buf_free(&line);
}

static void draw_footer(const struct view *view)
{
	const struct top *top = view->top;
	struct buf line = { 0 };

	if (view->mode == ASKS_FILTER)
		buf_addf(&line, "Filter: %s_", top->filter);
	else if (view->error.code != ERROR_NONE)
		buf_addf(&line, "Not up to date: %s", view->error.message);
	else
		buf_addf(&line, "q End  h Help  a r c n Order  I Reverse  / Filter%s%s  %zu accounts",
		         top->filter[0] ? ": " : "", top->filter, top->count);
	put_buf(LINES - 1, &line, A_REVERSE);
	buf_free(&line);
}

static void draw_help(void)
{
	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
		put_line((int)i, help[i], i == 0 ? A_BOLD : A_NORMAL);
}

static void draw(struct view *view)
{
	erase();
	if (view->mode == SHOWS_HELP) {
		draw_help();
	} else {
		draw_accounts(view, draw_facts(view->top) + 1);
		draw_footer(view);
	}
	refresh();
}

/* --- keys --- */

/* What the daemon last said stays. */
static void arrange(struct view *view)
{
	MAY_FAIL(top_arrange(view->top, &view->error));
}

static void take_filter_key(struct view *view, int key)
{
	char *filter = view->top->filter;
	size_t len = strlen(filter);

	if (key == KEY_ENTER_TYPED || key == KEY_ENTER || key == KEY_ESCAPE)
		view->mode = SHOWS_TABLE;
	if (key == KEY_ESCAPE)
		filter[0] = '\0';
	else if ((key == KEY_BACKSPACE || key == KEY_DELETE_TYPED || key == '\b') && len > 0)
		filter[len - 1] = '\0';
	else if (key < 128 && isprint(key) && len < TOP_ID_MAX)
		memcpy(filter + len, (char[]){ (char)key, '\0' }, 2);
	arrange(view);
}

static void scroll_by(struct view *view, int64_t rows)
{
	int64_t first = (int64_t)view->first + rows;

	view->first = first > 0 ? (size_t)first : 0;
	keep_in_range(view);
}

static bool take_scroll_key(struct view *view, int key)
{
	const struct {
		int key;
		int64_t rows;
	} moves[] = {
		{ KEY_UP, -1 },
		{ KEY_DOWN, 1 },
		{ KEY_PPAGE, -(int64_t)view->rows },
		{ KEY_NPAGE, (int64_t)view->rows },
		{ KEY_HOME, -(int64_t)view->top->count },
		{ KEY_END, (int64_t)view->top->count },
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if (moves[i].key != key)
			continue;
		scroll_by(view, moves[i].rows);
		return true;
	}
	return false;
}

static bool take_order_key(struct view *view, int key)
{
	struct top *top = view->top;

	for (size_t i = 0; i < top_columns_count; i++) {
		if (top_columns[i].key != key)
			continue;
		top->reversed = top->column == i && !top->reversed;
		top->column = i;
		arrange(view);
		return true;
	}
	return false;
}

static void take_key(struct view *view, int key)
{
	if (view->mode == ASKS_FILTER) {
		take_filter_key(view, key);
	} else if (view->mode == SHOWS_HELP) {
		view->mode = SHOWS_TABLE;
	} else if (key == 'q' || key == KEY_F(10)) {
		view->ended = true;
	} else if (key == 'h' || key == '?' || key == KEY_F(1)) {
		view->mode = SHOWS_HELP;
	} else if (key == '/') {
		view->mode = ASKS_FILTER;
	} else if (key == 'I') {
		view->top->reversed = !view->top->reversed;
		arrange(view);
	} else if (key == KEY_ESCAPE) {
		view->top->filter[0] = '\0';
		arrange(view);
	} else if (!take_scroll_key(view, key)) {
		(void)take_order_key(view, key);
	}
}

/* Takes keys until the next overview is due. A new size of the terminal comes as a key, too. */
static void wait_for_keys(struct view *view)
{
	int64_t due_us = clock_monotonic_us() + REFRESH_US;
	int64_t left_us;

	while (!view->ended && (left_us = due_us - clock_monotonic_us()) > 0) {
		timeout((int)(left_us / 1000) + 1);
		int key = getch();

		if (key != ERR && key != KEY_RESIZE)
			take_key(view, key);
		if (key != ERR)
			draw(view);
	}
}

int top_screen(struct top *top, struct error *err)
{
	struct view view = { .top = top };
	struct screen *terminal = newterm(NULL, stdout, stdin);

	if (!terminal)
		return error_set(err, ERROR_INVALID, "top: this terminal (TERM) is not known; --once needs none");
	set_term(terminal);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	while (!view.ended) {
		draw(&view);
		wait_for_keys(&view);
		if (!view.ended && top_fetch(top, &view.error) == 0)
			view.error.code = ERROR_NONE;
	}
	endwin();
	delscreen(terminal);
	return 0;
}

#else

int top_screen(struct top *top, struct error *err)
{
	(void)top;
	return error_set(err, ERROR_INVALID, "top: built without ncurses; --once writes what it would show");
}

#endif
