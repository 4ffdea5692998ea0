/* SPDX-License-Identifier: ISC */
/*
 * problem_pages.c: GET /problems and GET /problems/{name}, the page that a problem's `type` links to: what it means and
 * what to do, from problems.def. HTML for browsers, plain text for everybody else.
 */
#include <string.h>

#include "api/routes.h"

static const struct problem_page {
	const char *title;
	const char *statuses;
	const char *meaning;
	const char *remedy;
} pages[] = {
#define PROBLEM(title, statuses, meaning, remedy) { title, statuses, meaning, remedy },
#include "api/problems.def"
#undef PROBLEM
};

#define PAGES (sizeof(pages) / sizeof(pages[0]))

static bool is_named(const struct problem_page *page, struct str name)
{
	struct buf own = { 0 };
	bool same;

	http_problem_name(&own, page->title);
	same = str_equal(buf_str(&own), name);
	buf_free(&own);
	return same;
}

/* Nothing in the table needs escaping in HTML; a test checks that. */
static void write_page(struct buf *out, const struct problem_page *page, bool html)
{
	if (!html)
		buf_addf(out, "%s (HTTP status %s)\n\n%s\n%s\n", page->title, page->statuses, page->meaning,
		         page->remedy);
	else
		buf_addf(
			out,
			"<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>%s</title>\n<h1>%s</h1>\n"
			"<p>HTTP status %s</p>\n<p>%s</p>\n<p>%s</p>\n</html>\n",
			page->title, page->title, page->statuses, page->meaning, page->remedy);
}

static void write_list(struct buf *out, bool html)
{
	buf_add_text(out,
	             html ? "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Problems</title>\n"
	                    "<h1>Problems</h1>\n<ul>\n" :
	                    "");
	for (size_t i = 0; i < PAGES; i++) {
		if (html)
			buf_add_text(out, "<li>");
		buf_addf(out, "%s ", pages[i].statuses);
		if (html)
			buf_add_text(out, "<a href=\"/problems/");
		http_problem_name(out, pages[i].title);
		buf_addf(out, html ? "\">%s</a></li>\n" : "\n", pages[i].title);
	}
	if (html)
		buf_add_text(out, "</ul>\n</html>\n");
}

static bool wants_html(const struct http_request *request)
{
	struct str accept = http_request_header(request, "Accept");

	return accept.len > 0 && memmem(accept.p, accept.len, "text/html", 9) != NULL;
}

static void reply_text(struct http_request *request, struct buf *body, bool html)
{
	http_reply_header(request, "Vary", "Accept");
	http_reply_header(request, "Cache-Control", "public, max-age=86400");
	http_reply_header(request, "X-Content-Type-Options", "nosniff");
	http_reply(request, 200, html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8", body);
}

void api_problems_get(struct http_request *request, void *app)
{
	struct buf body = { 0 };
	bool html = wants_html(request);

	(void)app;
	write_list(&body, html);
	reply_text(request, &body, html);
}

void api_problem_get(struct http_request *request, void *app)
{
	struct str name = http_request_segment(request);
	struct buf body = { 0 };
	bool html = wants_html(request);

	(void)app;
	for (size_t i = 0; i < PAGES && body.len == 0; i++)
		if (is_named(&pages[i], name))
			write_page(&body, &pages[i], html);
	if (body.len > 0)
		reply_text(request, &body, html);
	else
		http_reply_problem(request, 404, "Not Found", "There is no such problem; /problems lists them.");
}
