/* SPDX-License-Identifier: ISC */
/*
 * kafka_mock.c: a cluster of Kafka for tests, which librdkafka brings along, and a producer to it.
 *
 * Prints the address of the cluster's broker. Then takes lines:
 *	topic NAME PARTITIONS		makes a topic
 *	put TOPIC PARTITION HEX		produces a message, given in hexadecimal
 *	flush				waits until all that was put is confirmed
 *	down, up			the broker goes away, and comes again with what it had
 * and answers each with "ok", or with what is wrong. The end of the input ends it.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_ROOM ((size_t)4 << 20)
#define FLUSH_MS 60000

static int unconfirmed;

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *arg)
{
	(void)producer;
	(void)arg;
	unconfirmed -= !message->err;
}

/* In place; the number of bytes. */
static size_t decode(char *hex)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		const char byte[] = { hex[2 * i], hex[2 * i + 1], '\0' };

		hex[i] = (char)strtol(byte, NULL, 16);
	}
	return len;
}

static const char *put(rd_kafka_t *producer, const char *topic, const char *partition, char *hex)
{
	size_t len = decode(hex);
	rd_kafka_resp_err_t code =
		rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(atoi(partition)),
	                          RD_KAFKA_V_VALUE(hex, len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

	unconfirmed += !code;
	return code ? rd_kafka_err2str(code) : "ok";
}

static const char *flush(rd_kafka_t *producer)
{
	rd_kafka_resp_err_t code = rd_kafka_flush(producer, FLUSH_MS);

	return code ? rd_kafka_err2str(code) : unconfirmed ? "some were not confirmed" : "ok";
}

static const char *obey(rd_kafka_t *producer, char *line)
{
	rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(producer);
	char *rest = NULL;
	char none[] = "";
	char *words[4] = { none, none, none, none };
	char *word = strtok_r(line, " \n", &rest);
	size_t count = 0;

	for (; word && count < 4; word = strtok_r(NULL, " \n", &rest))
		words[count++] = word;
	if (strcmp(words[0], "put") == 0)
		return put(producer, words[1], words[2], words[3]);
	if (strcmp(words[0], "flush") == 0)
		return flush(producer);
	if (strcmp(words[0], "topic") == 0)
		return rd_kafka_err2str(rd_kafka_mock_topic_create(cluster, words[1], atoi(words[2]), 1));
	if (strcmp(words[0], "down") == 0)
		return rd_kafka_err2str(rd_kafka_mock_broker_set_down(cluster, 1));
	if (strcmp(words[0], "up") == 0)
		return rd_kafka_err2str(rd_kafka_mock_broker_set_up(cluster, 1));
	return "no such command";
}

int main(void)
{
	char why[256] = "";
	char *line = malloc(LINE_ROOM);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	if (!line || rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", why, sizeof(why)) != RD_KAFKA_CONF_OK)
		return EXIT_FAILURE;
	rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!producer)
		return EXIT_FAILURE;
	puts(rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(producer)));
	fflush(stdout);
	while (fgets(line, (int)LINE_ROOM, stdin)) {
		const char *answer = obey(producer, line);

		puts(strcmp(answer, "Success") == 0 ? "ok" : answer);
		fflush(stdout);
	}
	rd_kafka_destroy(producer);
	free(line);
	return EXIT_SUCCESS;
}
