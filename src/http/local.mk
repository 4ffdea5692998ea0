# SPDX-License-Identifier: ISC
# The server.
libcdrd_a_SOURCES += \
	src/http/access.c src/http/access.h \
	src/http/arrival.c \
	src/http/basic.c \
	src/http/body.c src/http/body.h \
	src/http/chunked.c \
	src/http/connection.c src/http/connection.h \
	src/http/dispatch.c \
	src/http/file.c \
	src/http/forwarded.c \
	src/http/gather.c \
	src/http/host_check.c \
	src/http/http.h \
	src/http/inflate.c src/http/inflate.h \
	src/http/intake.c \
	src/http/listen.c \
	src/http/outlet.c \
	src/http/packed.c \
	src/http/packing.c src/http/packing.h \
	src/http/parser.c src/http/parser.h \
	src/http/passes.c \
	src/http/problem.c \
	src/http/proxy.c src/http/proxy.h \
	src/http/relayed.c \
	src/http/reply.c \
	src/http/request.c \
	src/http/router.c src/http/router.h \
	src/http/send.c \
	src/http/server.c \
	src/http/shared.h \
	src/http/stats.c \
	src/http/transport.c \
	src/http/unread.c
