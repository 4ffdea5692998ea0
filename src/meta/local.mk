# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/meta/account_family.c \
	src/meta/account_import.c src/meta/account_import.h \
	src/meta/account_keys.c \
	src/meta/account.h \
	src/meta/account_row.c src/meta/account_row.h \
	src/meta/accounts.c src/meta/accounts.h \
	src/meta/api_keys.c src/meta/api_keys.h \
	src/meta/change.c src/meta/change.h \
	src/meta/credential_text.c \
	src/meta/credentials.c src/meta/credentials.h \
	src/meta/meta.c src/meta/meta.h \
	src/meta/meta_dbs.c \
	src/meta/meta_env.h \
	src/meta/pass.h \
	src/meta/pass_check.c src/meta/pass_check.h \
	src/meta/producers.c \
	src/meta/quarantine.c src/meta/quarantine.h \
	src/meta/rows.c src/meta/rows.h \
	src/meta/shared_catalog.c src/meta/shared_catalog.h \
	src/meta/shared_changes.c src/meta/shared_copy.c src/meta/shared_catalog_private.h src/meta/shared_follow.c src/meta/shared_holder.c src/meta/shared_holder.h src/meta/shared_key.c src/meta/shared_lease.c
