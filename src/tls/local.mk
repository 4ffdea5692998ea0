# SPDX-License-Identifier: ISC
# TLS for the servers.
libcdrd_a_SOURCES += \
	src/tls/tls.c src/tls/tls.h
