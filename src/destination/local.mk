# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/destination/destination.h \
	src/destination/destinations.c
