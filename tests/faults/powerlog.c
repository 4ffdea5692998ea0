/* SPDX-License-Identifier: ISC */
/*
 * powerlog.c: a library for LD_PRELOAD that logs what a program does to files: tests/blackbox/power.py builds from it
 * what a disk may keep when power goes.
 *
 *	CDRD_POWERLOG    the log, which is appended to; without it nothing is logged
 *	CDRD_POWERROOT   only what lies below this directory is
 *	CDRD_BOOT_ID     a file that is read in place of the kernel's boot id: after a power cut it is another one
 *	CDRD_INODES      a file of lines "real logged": stat then gives the logged number in place of the real one, as a disk
 *	                 keeps its inodes' numbers, and a copy of it does not
 *
 * An entry is a line, and the bytes written after it:
 *
 *	create INODE PATH       mkdir INODE PATH       link INODE PATH      unlink PATH      rename PATH PATH
 *	write INODE OFFSET LENGTH DURABLE              truncate INODE LENGTH
 *	sync INODE              syncfs
 *
 * A write is durable through a descriptor with O_DSYNC, and what msync finds in a map is. The pages of a map that have
 * changed are logged as writes before each entry but those of writes, as the kernel may write them at any time.
 *
 * The log is locked (flock, shared) from before each call until after its entry: who kills the program while holding the lock
 * alone leaves no call without an entry.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define MAPS_MAX 256
#define PATHS_MAX 4200

struct shared_map {
	uint8_t *map;
	uint8_t *known; /* as last logged */
	size_t len;
	uint64_t inode;
};

static struct shared_map maps[MAPS_MAX];
static int log_fd = -1;
static const char *root;

#define REAL(name) \
	static __typeof__(name) *real; \
	if (!real) \
	real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CDRD_POWERLOG");

	root = getenv("CDRD_POWERROOT");
	if (path && root)
		log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static bool hold(void)
{
	return log_fd >= 0 && syscall(SYS_flock, log_fd, LOCK_SH) == 0;
}

static void let_go(const bool *held)
{
	int number = errno;

	if (*held)
		syscall(SYS_flock, log_fd, LOCK_UN);
	errno = number;
}

#define HELD __attribute__((cleanup(let_go), unused)) bool held = hold()

static void put(const char *line, const void *data, size_t len)
{
	struct iovec parts[2] = { { (void *)(uintptr_t)line, strlen(line) }, { (void *)(uintptr_t)data, len } };

	if (syscall(SYS_writev, log_fd, parts, len ? 2 : 1) != (long)(parts[0].iov_len + len))
		abort();
}

static bool is_below(const char *path)
{
	size_t len = strlen(root);

	return strncmp(path, root, len) == 0 && path[len] == '/' && !strstr(path, "/lock.mdb");
}

/* Where an open descriptor leads to, and which inode; false if that is not of interest. */
static bool look(int fd, char path[PATH_MAX], struct stat *st)
{
	char link[64];

	if (log_fd < 0 || syscall(SYS_fstat, fd, st) != 0 || !(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	long len = syscall(SYS_readlink, link, path, PATH_MAX - 1);
	if (len < 0)
		return false;
	path[len] = '\0';
	return is_below(path) || strcmp(path, root) == 0;
}

static bool resolve(int dir, const char *name, char path[PATHS_MAX])
{
	char at[PATH_MAX];

	if (log_fd < 0)
		return false;
	if (name[0] == '/') {
		snprintf(path, PATHS_MAX, "%s", name);
		return is_below(path);
	}
	if (dir == AT_FDCWD) {
		if (!getcwd(at, sizeof(at)))
			return false;
	} else {
		char link[64];

		snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
		long len = syscall(SYS_readlink, link, at, sizeof(at) - 1);
		if (len < 0)
			return false;
		at[len] = '\0';
	}
	snprintf(path, PATHS_MAX, "%s/%s", at, name);
	return is_below(path);
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	return syscall(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* --- writes --- */

static void put_write(uint64_t inode, uint64_t offset, const void *data, size_t len, bool durable)
{
	char line[128];

	snprintf(line, sizeof(line), "write %llu %llu %zu %d\n", (unsigned long long)inode, (unsigned long long)offset,
	         len, durable);
	put(line, data, len);
}

static void put_maps(void)
{
	for (int i = 0; i < MAPS_MAX; i++)
		for (size_t at = 0; maps[i].map && at < maps[i].len; at += PAGE) {
			size_t len = maps[i].len - at < PAGE ? maps[i].len - at : PAGE;

			if (memcmp(maps[i].known + at, maps[i].map + at, len) == 0)
				continue;
			memcpy(maps[i].known + at, maps[i].map + at, len);
			put_write(maps[i].inode, at, maps[i].known + at, len, false);
		}
}

static void note(const char *format, ...)
{
	char line[2 * PATHS_MAX + 64];
	va_list arguments;

	put_maps();
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	put(line, NULL, 0);
}

static void note_write(int fd, uint64_t offset, const void *data, size_t len)
{
	char path[PATH_MAX];
	struct stat st;

	if (look(fd, path, &st))
		put_write(st.st_ino, offset, data, len, (fcntl(fd, F_GETFL) & O_DSYNC) != 0);
}

ssize_t write(int fd, const void *data, size_t len)
{
	HELD;
	REAL(write);
	ssize_t done = real(fd, data, len);
	int number = errno;
	if (done > 0 && log_fd >= 0) {
		off_t end = lseek(fd, 0, SEEK_CUR);

		if (end >= done)
			note_write(fd, (uint64_t)(end - done), data, (size_t)done);
	}
	errno = number;
	return done;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	HELD;
	REAL(pwrite);
	ssize_t done = real(fd, data, len, offset);
	if (done > 0)
		note_write(fd, (uint64_t)offset, data, (size_t)done);
	return done;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	return pwrite(fd, data, len, offset);
}

static void note_parts(int fd, uint64_t offset, const struct iovec *parts, int count, size_t done)
{
	for (int i = 0; i < count && done > 0; i++) {
		size_t len = parts[i].iov_len < done ? parts[i].iov_len : done;

		note_write(fd, offset, parts[i].iov_base, len);
		offset += len;
		done -= len;
	}
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	HELD;
	REAL(writev);
	ssize_t done = real(fd, parts, count);
	int number = errno;
	if (done > 0 && log_fd >= 0) {
		off_t end = lseek(fd, 0, SEEK_CUR);

		if (end >= done)
			note_parts(fd, (uint64_t)(end - done), parts, count, (size_t)done);
	}
	errno = number;
	return done;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	HELD;
	REAL(pwritev);
	ssize_t done = real(fd, parts, count, offset);
	if (done > 0)
		note_parts(fd, (uint64_t)offset, parts, count, (size_t)done);
	return done;
}

static void note_length(int fd, uint64_t length)
{
	char path[PATH_MAX];
	struct stat st;

	if (look(fd, path, &st))
		note("truncate %llu %llu\n", (unsigned long long)st.st_ino, (unsigned long long)length);
}

int ftruncate(int fd, off_t length)
{
	HELD;
	REAL(ftruncate);
	int result = real(fd, length);
	if (result == 0)
		note_length(fd, (uint64_t)length);
	return result;
}

int ftruncate64(int fd, off64_t length)
{
	return ftruncate(fd, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
	HELD;
	char path[PATH_MAX];
	struct stat st;

	REAL(posix_fallocate);
	bool grows = look(fd, path, &st) && st.st_size < offset + length;
	int result = real(fd, offset, length);
	if (result == 0 && grows)
		note_length(fd, (uint64_t)(offset + length));
	return result;
}

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
	return posix_fallocate(fd, offset, length);
}

/* --- names --- */

static int open_any(int dir, const char *name, int flags, mode_t mode)
{
	HELD;
	const char *boot_id = getenv("CDRD_BOOT_ID");
	char path[PATHS_MAX];
	struct stat st;

	if (boot_id && strcmp(name, "/proc/sys/kernel/random/boot_id") == 0)
		name = boot_id;
	bool noted = (flags & (O_CREAT | O_TRUNC)) && (flags & O_TMPFILE) != O_TMPFILE && resolve(dir, name, path);
	bool was_there = noted && inode_of(path) != 0;
	int fd = (int)syscall(SYS_openat, dir, name, flags, mode);
	if (fd < 0 || !noted)
		return fd;
	syscall(SYS_fstat, fd, &st);
	if (!was_there)
		note("create %llu %s\n", (unsigned long long)st.st_ino, path);
	else if (flags & O_TRUNC)
		note("truncate %llu 0\n", (unsigned long long)st.st_ino);
	return fd;
}

#define MODE_OF(flags, mode) \
	do { \
		va_list arguments; \
		va_start(arguments, flags); \
		if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) \
			mode = va_arg(arguments, mode_t); \
		va_end(arguments); \
	} while (0)

int open(const char *name, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(AT_FDCWD, name, flags, mode);
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(dir, name, flags, mode);
}

int openat64(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(dir, name, flags, mode);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	HELD;
	char path[PATHS_MAX];
	int result = (int)syscall(SYS_mkdirat, dir, name, mode);

	if (result == 0 && resolve(dir, name, path))
		note("mkdir %llu %s\n", (unsigned long long)inode_of(path), path);
	return result;
}

int mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

int unlinkat(int dir, const char *name, int flags)
{
	HELD;
	char path[PATHS_MAX];
	int result = (int)syscall(SYS_unlinkat, dir, name, flags);

	if (result == 0 && resolve(dir, name, path))
		note("unlink %s\n", path);
	return result;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
	return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

int remove(const char *name)
{
	return unlink(name) == 0 || (errno == EISDIR && rmdir(name) == 0) ? 0 : -1;
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	HELD;
	char path[PATHS_MAX];
	int result = (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);

	if (result == 0 && resolve(to_dir, to, path))
		note("link %llu %s\n", (unsigned long long)inode_of(path), path);
	return result;
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	HELD;
	char old[PATHS_MAX], fresh[PATHS_MAX];
	int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);

	if (result == 0 && resolve(from_dir, from, old) && resolve(to_dir, to, fresh))
		note("rename %s %s\n", old, fresh);
	return result;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* --- syncing --- */

static void note_sync(int fd)
{
	char path[PATH_MAX];
	struct stat st;

	if (look(fd, path, &st))
		note("sync %llu\n", (unsigned long long)st.st_ino);
}

int fsync(int fd)
{
	note_sync(fd); /* the disk itself need not wait */
	return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int syncfs(int fd)
{
	if (log_fd >= 0)
		note("syncfs\n");
	return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

void sync(void)
{
	if (log_fd >= 0)
		note("syncfs\n");
}

/* --- maps --- */

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	char path[PATH_MAX];
	struct stat st;
	void *map = (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);

	if (map == MAP_FAILED || !(flags & MAP_SHARED) || !(protection & PROT_WRITE) || fd < 0 || offset != 0 ||
	    !look(fd, path, &st))
		return map;
	for (int i = 0; i < MAPS_MAX; i++) {
		if (maps[i].map)
			continue;
		maps[i] = (struct shared_map){ map, calloc(1, len), len, st.st_ino };
		if (!maps[i].known)
			abort();
		return map;
	}
	abort();
}

void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset)
{
	return mmap(at, len, protection, flags, fd, offset);
}

static struct shared_map *map_at(const void *at)
{
	for (int i = 0; i < MAPS_MAX; i++)
		if (maps[i].map && (const uint8_t *)at >= maps[i].map &&
		    (const uint8_t *)at < maps[i].map + maps[i].len)
			return &maps[i];
	return NULL;
}

int munmap(void *at, size_t len)
{
	struct shared_map *map = log_fd >= 0 ? map_at(at) : NULL;

	if (map) {
		put_maps();
		free(map->known);
		*map = (struct shared_map){ NULL, NULL, 0, 0 };
	}
	return (int)syscall(SYS_munmap, at, len);
}

int msync(void *at, size_t len, int flags)
{
	struct shared_map *map = log_fd >= 0 ? map_at(at) : NULL;

	(void)flags;
	if (map) {
		put_maps();
		put_write(map->inode, (uint64_t)((uint8_t *)at - map->map), at, len, true);
	}
	return 0;
}

/* --- numbers of inodes --- */

static void rename_inode(struct stat *st)
{
	static unsigned long long(*known)[2];
	static size_t count;
	const char *path = getenv("CDRD_INODES");

	if (!path)
		return;
	if (!known) {
		FILE *file = fopen(path, "re");
		unsigned long long row[2];

		known = calloc(65536, sizeof(*known));
		while (file && known && count < 65536 && fscanf(file, "%llu %llu", &row[0], &row[1]) == 2)
			memcpy(known[count++], row, sizeof(row));
		if (file)
			fclose(file);
	}
	for (size_t i = 0; known && i < count; i++)
		if (known[i][0] == st->st_ino) {
			st->st_ino = (ino_t)known[i][1];
			return;
		}
}

int fstat(int fd, struct stat *st)
{
	int result = (int)syscall(SYS_fstat, fd, st);

	if (result == 0)
		rename_inode(st);
	return result;
}

int fstatat(int dir, const char *name, struct stat *st, int flags)
{
	int result = (int)syscall(SYS_newfstatat, dir, name, st, flags);

	if (result == 0)
		rename_inode(st);
	return result;
}

int stat(const char *name, struct stat *st)
{
	return fstatat(AT_FDCWD, name, st, 0);
}

int lstat(const char *name, struct stat *st)
{
	return fstatat(AT_FDCWD, name, st, AT_SYMLINK_NOFOLLOW);
}
