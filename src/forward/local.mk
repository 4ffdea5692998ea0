# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/forward/answer_head.c src/forward/answer_head.h \
	src/forward/forward.h \
	src/forward/forwarder.c \
	src/forward/forwarder_private.h \
	src/forward/handing_on.c \
	src/forward/own_request.c \
	src/forward/reached.c
