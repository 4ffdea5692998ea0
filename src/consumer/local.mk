# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/consumer/consumer.h src/consumer/consumer_private.h \
	src/consumer/consumer_settings.c \
	src/consumer/consumers.c \
	src/consumer/message.c
if WITH_AMQP
libcdrd_a_SOURCES += \
	src/consumer/amqp.c \
	src/consumer/amqp_link.c src/consumer/amqp_link.h
endif
if WITH_KAFKA
libcdrd_a_SOURCES += \
	src/consumer/kafka.c src/consumer/kafka_private.h \
	src/consumer/kafka_conf.c src/consumer/kafka_conf.h \
	src/consumer/kafka_leave.c \
	src/consumer/kafka_partitions.c \
	src/consumer/kafka_place.c src/consumer/kafka_place.h
endif
