/* SPDX-License-Identifier: ISC */
/*
 * client.c: see client.h.
 */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/tree.h"

#define RECEIVE_BYTES ((size_t)64 << 10)

int client_open(struct client *client, const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*client = (struct client){ .fd = -1, .path = path };
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ERROR_LIMIT, "%s: the path of a socket has at most %zu bytes", path,
		                 sizeof(address.sun_path) - 1);
	str_copy(address.sun_path, sizeof(address.sun_path), path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return error_set_errno(err, errno, "cannot make a socket");
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	error_set_errno(err, errno, "cannot connect to cdrd at %s", path);
	client_close(client);
	return -1;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	tree_free(client->progress);
	client->progress = NULL;
	buf_free(&client->in);
}

void client_write_request(struct buf *out, const char *words, const struct args *args)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	json_member_text(&j, "command", words);
	json_key(&j, "args");
	args_write_json(args, &j);
	json_object_end(&j);
	buf_add_char(out, '\n');
}

/* Cuts an answer's result out unchanged; the line then ends before it. It is the last member, and no text before it can
 * contain its key, as quotes would be escaped. */
static struct str cut_result(char *line, size_t len)
{
	static const char begin[] = "{\"ok\":", key[] = ",\"result\":";
	char *end = line + len - 1;
	char *at = strncmp(line, begin, sizeof(begin) - 1) == 0 ? strstr(line, key) : NULL;
	if (!at || *end != '}')
		return (struct str){ 0 };

	*end = '\0';
	memcpy(at, "}", 2);
	at += sizeof(key) - 1;
	return (struct str){ at, (size_t)(end - at) };
}

static int take_other(struct client *client, struct str text, struct client_line *line, struct error *err)
{
	tree_free(client->progress);
	client->progress = tree_parse(text, err);
	line->progress = tree_get(client->progress, "progress");
	if (line->progress)
		return 1;
	if (client->own_lines && tree_is(client->progress, TREE_OBJECT) && !tree_get(client->progress, "ok")) {
		line->other = client->progress;
		return 1;
	}
	const char *message = tree_text(tree_get(client->progress, "error"));
	return error_set(err, ERROR_INVALID, "%s", message ? message : "cannot make sense of the daemon's answer");
}

int client_next_line(struct client *client, struct client_line *line, struct error *err)
{
	struct buf *in = &client->in;

	*line = (struct client_line){ 0 };
	buf_drain(in, client->used);
	client->scanned -= client->used;
	client->used = 0;
	char *end =
		in->len > client->scanned ? memchr(in->data + client->scanned, '\n', in->len - client->scanned) : NULL;
	client->scanned = in->len;
	if (!end)
		return 0;
	size_t len = (size_t)(end - in->data);
	*end = '\0';
	client->used = client->scanned = len + 1;
	line->result = cut_result(in->data, len);
	line->is_answer = line->result.p && strcmp(in->data, "{\"ok\":true}") == 0;
	if (line->is_answer)
		return 1;
	return take_other(client, str_from(in->data), line, err);
}

struct str client_take_bytes(struct client *client, size_t max)
{
	struct buf *in = &client->in;

	buf_drain(in, client->used);
	size_t len = in->len < max ? in->len : max;
	client->used = client->scanned = len;
	return (struct str){ in->data, len };
}

static int receive(struct client *client, struct error *err)
{
	struct buf *in = &client->in;

	if (!buf_reserve(in, RECEIVE_BYTES))
		return error_set(err, ERROR_NOMEM, "Out of memory for the answer");
	ssize_t count = recv(client->fd, in->data + in->len, RECEIVE_BYTES, MSG_DONTWAIT);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (count < 0 && errno != ECONNRESET)
		return error_set_errno(err, errno, "%s", client->path);
	if (count <= 0)
		return error_set(err, ERROR_IO, "%s: cdrd closed the connection", client->path);
	in->len += (size_t)count;
	return 0;
}

static void transmit(struct client *client, struct str *unsent)
{
	ssize_t count = send(client->fd, unsent->p, unsent->len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count < 0) {
		client->cannot_send = true;
		return;
	}
	unsent->p += count;
	unsent->len -= (size_t)count;
}

int client_pump(struct client *client, struct str *unsent, struct error *err)
{
	bool sending = unsent->len > 0 && !client->cannot_send;
	struct pollfd poller = { .fd = client->fd, .events = (short)(POLLIN | (sending ? POLLOUT : 0)) };

	if (poll(&poller, 1, -1) < 0 && errno != EINTR)
		return error_set_errno(err, errno, "poll");
	if (sending && (poller.revents & (POLLOUT | POLLERR | POLLHUP)))
		transmit(client, unsent);
	if (poller.revents & (POLLIN | POLLERR | POLLHUP))
		return receive(client, err);
	return 0;
}
