# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/callback/address.c src/callback/address.h \
	src/callback/attempts.c src/callback/attempts.h \
	src/callback/callback.h \
	src/callback/callbacks_private.h \
	src/callback/callbacks.c \
	src/callback/courier.c src/callback/courier.h \
	src/callback/courier_main.c \
	src/callback/courier_private.h src/callback/courier_fields.def \
	src/callback/deliver.c \
	src/callback/erasing.c \
	src/callback/hold.c \
	src/callback/hold_marker.c \
	src/callback/list.c \
	src/callback/multipart.c src/callback/multipart.h \
	src/callback/resolve.c src/callback/resolve.h \
	src/callback/row.c src/callback/row.h \
	src/callback/save.c \
	src/callback/secret.c src/callback/secret.h \
	src/callback/test_event.c \
	src/callback/transfer.c src/callback/transfer.h \
	src/callback/upload.c src/callback/upload.h \
	src/callback/url.c src/callback/url.h
