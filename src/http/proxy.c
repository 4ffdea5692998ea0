/* SPDX-License-Identifier: ISC */
/*
 * proxy.c: the PROXY protocol, versions 1 and 2. See proxy.h.
 *
 *	PROXY TCP4 203.0.113.7 192.0.2.1 51111 443\r\n
 *
 * or, in binary: a signature, version and command, family, the length of what follows in two bytes, the addresses and
 * what else the proxy has to say.
 */
#include "http/proxy.h"

#include <string.h>

#define TEXT_MAX 107 /* of version 1, with its CRLF */
#define BINARY_HEAD 16

static const char text_signature[] = "PROXY ";
static const uint8_t binary_signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

enum { VERSION_2 = 0x20, COMMAND_LOCAL = 0, COMMAND_PROXY = 1, FAMILY_4 = 1, FAMILY_6 = 2 };

/* Does the line begin as one of the signatures does? */
static bool begins_as(const struct http_proxy_line *line, const void *signature, size_t len)
{
	return memcmp(line->bytes, signature, line->len < len ? line->len : len) == 0;
}

/* --- version 1 --- */

static struct str next_word(struct str *rest)
{
	const char *space = memchr(rest->p, ' ', rest->len);
	struct str word = { rest->p, space ? (size_t)(space - rest->p) : rest->len };

	*rest = space ? (struct str){ space + 1, rest->len - word.len - 1 } : (struct str){ rest->p + rest->len, 0 };
	return word;
}

static bool parse_ip(struct ip *ip, struct str text, size_t len)
{
	char copy[IP_TEXT_LEN];

	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	return strlen(copy) == text.len && (strchr(copy, ':') ? 16 : 4) == len && ip_parse(ip, copy);
}

static enum http_proxy_state parse_text(const struct http_proxy_line *line, struct ip *client)
{
	const size_t before = sizeof(text_signature) - 1;
	struct str rest = { (const char *)line->bytes + before, line->len - before - 2 };
	struct str family = next_word(&rest);
	struct ip ip;

	if (str_is(family, "UNKNOWN"))
		return HTTP_PROXY_DONE;
	if (!str_is(family, "TCP4") && !str_is(family, "TCP6"))
		return HTTP_PROXY_FAULT;
	if (!parse_ip(&ip, next_word(&rest), str_is(family, "TCP6") ? 16 : 4))
		return HTTP_PROXY_FAULT;
	*client = ip;
	return HTTP_PROXY_DONE;
}

static enum http_proxy_state step_text(const struct http_proxy_line *line, struct ip *client)
{
	if (line->len > sizeof(text_signature) && line->bytes[line->len - 1] == '\n')
		return line->bytes[line->len - 2] == '\r' ? parse_text(line, client) : HTTP_PROXY_FAULT;
	return line->len < TEXT_MAX ? HTTP_PROXY_MORE : HTTP_PROXY_FAULT;
}

/* --- version 2 --- */

static void set_four(struct ip *ip, const uint8_t *bytes)
{
	*ip = (struct ip){ .len = 4 };
	memcpy(ip->bytes, bytes, 4);
}

static void set_six(struct ip *ip, const uint8_t bytes[16])
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };

	memcpy(&address.sin6_addr, bytes, 16);
	*ip = ip_from((const struct sockaddr *)&address); /* which may be an IPv4 one */
}

static enum http_proxy_state parse_binary(const struct http_proxy_line *line, struct ip *client)
{
	unsigned command = line->bytes[12], family = line->bytes[13] >> 4;
	size_t len = line->len - BINARY_HEAD;

	if (command == (VERSION_2 | COMMAND_LOCAL))
		return HTTP_PROXY_DONE;
	if (command != (VERSION_2 | COMMAND_PROXY) || (family == FAMILY_4 && len < 12) ||
	    (family == FAMILY_6 && len < 36))
		return HTTP_PROXY_FAULT;
	if (family == FAMILY_4)
		set_four(client, line->bytes + BINARY_HEAD);
	else if (family == FAMILY_6)
		set_six(client, line->bytes + BINARY_HEAD);
	return HTTP_PROXY_DONE;
}

static enum http_proxy_state step_binary(const struct http_proxy_line *line, struct ip *client)
{
	size_t whole;

	if (line->len < BINARY_HEAD)
		return HTTP_PROXY_MORE;
	whole = BINARY_HEAD + ((size_t)line->bytes[14] << 8 | line->bytes[15]);
	if (whole > HTTP_PROXY_BYTES_MAX)
		return HTTP_PROXY_FAULT;
	return line->len < whole ? HTTP_PROXY_MORE : parse_binary(line, client);
}

enum http_proxy_state http_proxy_take(struct http_proxy_line *line, struct str data, size_t *taken, struct ip *client)
{
	enum http_proxy_state state = HTTP_PROXY_MORE;

	for (*taken = 0; *taken < data.len && state == HTTP_PROXY_MORE; ++*taken) {
		line->bytes[line->len++] = (uint8_t)data.p[*taken];
		if (begins_as(line, text_signature, sizeof(text_signature) - 1))
			state = step_text(line, client);
		else if (begins_as(line, binary_signature, sizeof(binary_signature)))
			state = step_binary(line, client);
		else
			state = HTTP_PROXY_FAULT;
	}
	return state;
}
