/* SPDX-License-Identifier: ISC */
/*
 * kafka_conf.h: librdkafka's properties for a consumer. Private to consumer/.
 */
#ifndef CDRD_CONSUMER_KAFKA_CONF_H
#define CDRD_CONSUMER_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "consumer/consumer_private.h"

/* What the settings say, with the lines NAME = VALUE of their file of properties. NULL with *err, which names a property
 * that is wrong, or that is cdrd's own. The caller's, to be given to rd_kafka_new. */
MUST_CHECK rd_kafka_conf_t *kafka_conf_new(const struct consumer_settings *settings, struct error *err);

#endif
