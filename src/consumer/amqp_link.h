/* SPDX-License-Identifier: ISC */
/*
 * amqp_link.h: a connection to a broker of AMQP 0-9-1: frames in and out, on the event loop. Private to consumer/.
 *
 * librabbitmq makes and reads what is in frames; its own input and output, which blocks during the handshake and when the
 * socket is full, is not used. A frame is: type (1 byte), channel (2), size (4), payload, 0xCE; a method's payload begins
 * with its number (4 bytes), RabbitMQ's AMQP 0-9-1 reference.
 */
#ifndef CDRD_CONSUMER_AMQP_LINK_H
#define CDRD_CONSUMER_AMQP_LINK_H

#include <amqp.h>
#include <amqp_framing.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "callback/resolve.h"

struct amqp_link;

struct amqp_link_options {
	struct event_base *base;
	struct resolver *resolver;
	const char *host; /* a name or an address; copied */
	uint16_t port;
	bool tls;
	const char *ca_file; /* whom the broker's certificate must be from; "": whom the system trusts */
	void (*on_event)(
		void *arg); /* something has come, or it is connected, or has failed; call the functions below */
	void *arg;
};

/* Begins to connect, to one address of the host after the other. NULL with *err. */
MUST_CHECK struct amqp_link *amqp_link_new(const struct amqp_link_options *options, struct error *err);

/* Does nothing on NULL. What was sent a moment ago may not arrive. */
void amqp_link_free(struct amqp_link *link);

/* 1 when it is connected (and the protocol's header sent), 0 not yet, -1 when it failed, or was closed. */
MUST_CHECK int amqp_link_state(const struct amqp_link *link, struct error *err);

/* The next frame: 1 with it, 0 if it has not arrived, -1. It dies with the next call. */
MUST_CHECK int amqp_link_receive(struct amqp_link *link, amqp_frame_t *frame, struct error *err);

/* Sends; `method` is a struct of amqp_framing.h for its number. What does not fit into the socket is kept until it does. */
MUST_CHECK int amqp_link_send(struct amqp_link *link, amqp_channel_t channel, amqp_method_number_t number, void *method,
                              struct error *err);
void amqp_link_send_heartbeat(struct amqp_link *link);

/* Frames of up to so many bytes may come. */
MUST_CHECK int amqp_link_set_frame_max(struct amqp_link *link, uint32_t frame_max, struct error *err);

/* When something was last received or sent, by clock_monotonic_us. */
int64_t amqp_link_received_us(const struct amqp_link *link);
int64_t amqp_link_sent_us(const struct amqp_link *link);

#endif
