/* SPDX-License-Identifier: ISC */
/*
 * console_pages.c: GET / and GET /console/..., the files of the console.
 *
 *	/                         leads browsers to /console/; nothing for everybody else
 *	/console/                 index.html, asked for again each time, which names the files of its version
 *	/console/VERSION/FILE     never changes
 *
 * The pages read data through the API like any other client.
 */
#include <string.h>

#include "api/console_pages.h"
#include "api/routes.h"

#define FOREVER "public, max-age=31536000, immutable"

/* Of what a browser shows as a page of its own, and of every file. */
static const char *const page_headers[][2] = {
	{ "Content-Security-Policy",
	  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
	  "form-action 'none'; frame-ancestors 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Permissions-Policy", "camera=(), geolocation=(), microphone=()" },
};
static const char *const file_headers[][2] = {
	{ "X-Content-Type-Options", "nosniff" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
};

static bool has(struct str header, const char *text)
{
	return header.len > 0 && memmem(header.p, header.len, text, strlen(text)) != NULL;
}

static void reply_nothing(struct http_request *request)
{
	http_reply_problem(request, 404, "Not Found", "There is nothing at this path.");
}

/* There is no console: says why. */
static void reply_no_console(struct http_request *request)
{
	http_reply_problem(request, 404, "Not Found",
	                   console_files[0].name ?
	                           "The console is turned off (console = no)." :
	                           "This cdrd was built without the console (configure --disable-console).");
}

static void reply_elsewhere(struct http_request *request, int status, const char *location)
{
	http_reply_header(request, "Location", location);
	http_reply(request, status, NULL, NULL);
}

static bool is_part_of_a_page(const struct console_file *file)
{
	return strncmp(file->content_type, "text/javascript", 15) == 0 ||
	       strncmp(file->content_type, "text/css", 8) == 0;
}

static void add_headers(struct http_request *request, const char *const (*list)[2], size_t count)
{
	for (size_t i = 0; i < count; i++)
		http_reply_header(request, list[i][0], list[i][1]);
}

/* Answers with the file, or that the client has it. */
static void reply_file(struct http_request *request, const struct console_file *file, const char *cache)
{
	struct str gzip = { (const char *)file->gzip, file->gzip_len };
	char tag[32];

	snprintf(tag, sizeof(tag), "W/\"%s\"", console_version);
	if (!is_part_of_a_page(file))
		add_headers(request, page_headers, sizeof(page_headers) / sizeof(page_headers[0]));
	add_headers(request, file_headers, sizeof(file_headers) / sizeof(file_headers[0]));
	http_reply_header(request, "Cache-Control", cache);
	http_reply_header(request, "ETag", tag);
	if (has(http_request_header(request, "If-None-Match"), console_version)) {
		http_reply_header(request, "Vary", "Accept-Encoding");
		http_reply(request, 304, NULL, NULL);
	} else {
		http_reply_packed(request, 200, file->content_type, gzip, file->len);
	}
}

void api_console_reply(struct http_request *request, const struct console_file *page)
{
	reply_file(request, page, "no-cache");
}

void api_console_reply_versioned(struct http_request *request)
{
	const struct console_file *file = console_find(http_request_segment(request));

	if (!file || !has(http_request_path(request), console_version))
		reply_nothing(request);
	else
		reply_file(request, file, FOREVER);
}

void api_root_get(struct http_request *request, void *app)
{
	const struct api *api = app;

	if (!api->config->console || !console_files[0].name ||
	    !has(http_request_header(request, "Accept"), "text/html"))
		reply_nothing(request);
	else
		reply_elsewhere(request, 303, "console/");
}

/* What the page names is relative to the folder, so the path must end with a slash. */
void api_console_get(struct http_request *request, void *app)
{
	const struct console_file *file = console_find(STR_LITERAL("index.html"));
	struct str path = http_request_path(request);
	const struct api *api = app;

	if (!api->config->console || !file)
		reply_no_console(request);
	else if (path.p[path.len - 1] != '/')
		reply_elsewhere(request, 308, "console/");
	else
		api_console_reply(request, file);
}

void api_console_file_get(struct http_request *request, void *app)
{
	const struct api *api = app;

	if (api->config->console)
		api_console_reply_versioned(request);
	else
		reply_nothing(request);
}
