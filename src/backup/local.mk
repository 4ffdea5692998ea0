# SPDX-License-Identifier: ISC
# Backups, and restoring them.
libcdrd_a_SOURCES += \
	src/backup/backup.c src/backup/backup.h src/backup/backup_private.h \
	src/backup/backup_dir.c src/backup/backup_dir.h src/backup/backup_dir_private.h \
	src/backup/backup_dir_files.c \
	src/backup/backup_files.c \
	src/backup/folder.c src/backup/folder.h \
	src/backup/restore.c src/backup/restore.h \
	src/backup/sums.c src/backup/sums.h
