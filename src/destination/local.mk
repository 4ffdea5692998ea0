# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/destination/destination.h \
	src/destination/destination_check.c src/destination/destination_check.h \
	src/destination/destinations.c
