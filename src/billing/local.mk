# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/billing/billing.c src/billing/billing.h src/billing/billing_private.h \
	src/billing/charge.c \
	src/billing/fees.c src/billing/fees.h \
	src/billing/plans.c src/billing/plans.h \
	src/billing/plans_in_use.c \
	src/billing/statement.c src/billing/statement.h \
	src/billing/tenants.c \
	src/billing/usage.c \
	src/billing/volume.c
