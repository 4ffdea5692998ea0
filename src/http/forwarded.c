/* SPDX-License-Identifier: ISC */
/*
 * forwarded.c: the header fields in which proxies name their clients. Declared in proxy.h.
 *
 *	X-Forwarded-For: 203.0.113.7, 10.0.0.2
 *	Forwarded: for=203.0.113.7;proto=https;host=reports.example.com, for="[2001:db8::1]:4711"
 *
 * Each proxy appends the address from which the request came to it, to the last field or in another one. So they are
 * read from their end: what stands before an address that is no proxy's was said by somebody else.
 */
#include <string.h>
#include <strings.h>

#include "http/proxy.h"

/* --- lists over several fields, from their end --- */

struct list {
	const struct http_head *head;
	const char *name;
	size_t field;    /* those from here on have been read */
	struct str rest; /* of the field being read; p NULL: none is */
};

/* Does it begin or end a quoted text, rather than stand within one? */
static bool is_quote(struct str text, size_t at)
{
	size_t slashes = 0;

	while (slashes < at && text.p[at - slashes - 1] == '\\')
		slashes++;
	return text.p[at] == '"' && slashes % 2 == 0;
}

/* Where the last comma outside of quotes is; NULL if there is none. From the end, as what a client has written comes
 * before what its proxy has: a quote that it leaves open must not hide the proxy's address. */
static const char *last_comma(struct str text)
{
	bool quoted = false;

	for (size_t i = text.len; i-- > 0;) {
		if (is_quote(text, i))
			quoted = !quoted;
		else if (text.p[i] == ',' && !quoted)
			return text.p + i;
	}
	return NULL;
}

static bool next_field(struct list *list)
{
	while (list->field > 0) {
		const struct http_field *field = &list->head->fields[--list->field];

		if (field->name.len == strlen(list->name) &&
		    strncasecmp(field->name.p, list->name, field->name.len) == 0) {
			list->rest = field->value;
			return true;
		}
	}
	return false;
}

/* The element before those that were read; false at the beginning of the list. */
static bool previous(struct list *list, struct str *element)
{
	const char *comma;

	if (!list->rest.p && !next_field(list))
		return false;
	comma = last_comma(list->rest);
	*element = list->rest;
	list->rest.p = NULL;
	if (comma) {
		size_t before = (size_t)(comma - element->p);

		list->rest = (struct str){ element->p, before };
		*element = (struct str){ comma + 1, element->len - before - 1 };
	}
	*element = str_trim(*element);
	return true;
}

static struct list list_of(const struct http_head *head, const char *name)
{
	return (struct list){ .head = head, .name = name, .field = head->fields_count };
}

/* --- addresses --- */

/* "203.0.113.7", "203.0.113.7:51111", "2001:db8::1", "[2001:db8::1]:51111". */
static bool parse_node(struct ip *ip, struct str text)
{
	char copy[IP_TEXT_LEN];

	if (text.len > 0 && text.p[0] == '[') {
		const char *end = memchr(text.p, ']', text.len);

		text = (struct str){ text.p + 1, end ? (size_t)(end - text.p) - 1 : text.len - 1 };
	} else {
		const char *colon = memchr(text.p, ':', text.len);

		if (colon && colon == memrchr(text.p, ':', text.len))
			text.len = (size_t)(colon - text.p); /* an IPv6 address has several */
	}
	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	return strlen(copy) == text.len && ip_parse(ip, copy);
}

/* Takes over an address of the list. True if the one before it counts as well: this one is a proxy. */
static bool take_node(struct http_client *client, struct str text, const char *proxies)
{
	struct ip ip;

	if (!parse_node(&ip, text))
		return false;
	client->ip = ip;
	return network_listed(proxies, &ip);
}

/* --- the fields --- */

static void set_scheme(struct http_client *client, struct str text)
{
	if (str_equal_nocase(text, STR_LITERAL("https")))
		client->is_https = true;
	else if (str_equal_nocase(text, STR_LITERAL("http")))
		client->is_https = false;
}

/* A name and maybe a port; it goes into links. */
static void set_host(struct http_client *client, struct str text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]";

	for (size_t i = 0; i < text.len; i++)
		if (!text.p[i] || !strchr(allowed, text.p[i]))
			return;
	if (text.len > 0)
		client->host = text;
}

static void apply_x_forwarded(struct http_client *client, const struct http_head *head, const char *proxies)
{
	struct list nodes = list_of(head, "X-Forwarded-For");
	struct list schemes = list_of(head, "X-Forwarded-Proto");
	struct list hosts = list_of(head, "X-Forwarded-Host");
	struct str element;

	while (previous(&nodes, &element) && take_node(client, element, proxies))
		continue;
	if (previous(&schemes, &element))
		set_scheme(client, element);
	if (previous(&hosts, &element))
		set_host(client, element);
}

/* Where the first semicolon outside of quotes is; NULL if there is none. A client may have one in the name that its
 * proxy passes on as host. */
static const char *first_semicolon(struct str text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		if (is_quote(text, i))
			quoted = !quoted;
		else if (text.p[i] == ';' && !quoted)
			return text.p + i;
	}
	return NULL;
}

/* The value of a pair of a Forwarded element, without its quotes; p NULL if there is none of that name. */
static struct str pair_value(struct str element, const char *name)
{
	size_t name_len = strlen(name);

	while (element.len > 0) {
		const char *end = first_semicolon(element);
		struct str pair = str_trim((struct str){ element.p, end ? (size_t)(end - element.p) : element.len });

		element = end ? (struct str){ end + 1, element.len - (size_t)(end - element.p) - 1 } : STR_LITERAL("");
		if (pair.len <= name_len || pair.p[name_len] != '=' || strncasecmp(pair.p, name, name_len) != 0)
			continue;
		pair = (struct str){ pair.p + name_len + 1, pair.len - name_len - 1 };
		if (pair.len >= 2 && pair.p[0] == '"' && pair.p[pair.len - 1] == '"')
			pair = (struct str){ pair.p + 1, pair.len - 2 };
		return pair;
	}
	return (struct str){ NULL, 0 };
}

static void apply_forwarded(struct http_client *client, const struct http_head *head, const char *proxies)
{
	struct list elements = list_of(head, "Forwarded");
	struct str element;

	for (bool is_last = true; previous(&elements, &element); is_last = false) {
		struct str node = pair_value(element, "for");

		if (is_last) {
			struct str scheme = pair_value(element, "proto"), host = pair_value(element, "host");

			set_scheme(client, scheme.p ? scheme : STR_LITERAL(""));
			set_host(client, host.p ? host : STR_LITERAL(""));
		}
		if (!node.p || !take_node(client, node, proxies))
			return;
	}
}

void http_forwarded_apply(struct http_client *client, const struct http_head *head, const char *fields,
                          const char *proxies)
{
	if (strcmp(fields, "x-forwarded") == 0)
		apply_x_forwarded(client, head, proxies);
	else if (strcmp(fields, "forwarded") == 0)
		apply_forwarded(client, head, proxies);
}
