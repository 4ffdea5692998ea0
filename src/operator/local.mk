# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/operator/listener.c \
	src/operator/operator.h src/operator/operator_private.h \
	src/operator/endpoint.c
