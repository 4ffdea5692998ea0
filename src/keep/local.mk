# SPDX-License-Identifier: ISC
# Keeping data and getting rid of it: backups, restoring, erasing a person's number.
libcdrd_a_SOURCES += \
	src/keep/backup.c src/keep/backup.h src/keep/backup_private.h \
	src/keep/backup_files.c \
	src/keep/closing.c src/keep/closing.h \
	src/keep/backup_dir.c src/keep/backup_dir.h src/keep/backup_dir_private.h \
	src/keep/backup_dir_files.c \
	src/keep/finding.c src/keep/finding.h \
	src/keep/erasure.c src/keep/erasure.h \
	src/keep/restore.c src/keep/restore.h \
	src/keep/sums.c src/keep/sums.h \
	src/keep/folder.c src/keep/folder.h
