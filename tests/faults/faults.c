/* SPDX-License-Identifier: ISC */
/*
 * faults.c: a library for LD_PRELOAD that makes system calls and allocations fail when a test says so.
 *
 * CDRD_FAULTS names a file of FAULTS_ROWS rows (struct row below), which the library maps and the test writes to while the
 * program runs: tests/blackbox/faults.py. A row that is on counts the calls that it is about, and fails those from number
 * `at`, `times` of them, with `error`.
 *
 *	call    a name below; "meta" is a pwrite to the first two pages of a file, LMDB's meta pages
 *	path    a part of the file's path; empty for any file, and for allocations
 *
 * Without CDRD_FAULTS, or with a file that is too short, nothing fails.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FAULTS_ROWS 8
#define META_BYTES 8192
#define EARLY_BYTES 65536

struct row {
	int64_t on;
	int64_t at;
	int64_t times;
	int64_t error;
	int64_t seen;
	int64_t failed;
	char call[16];
	char path[192];
};

static struct row *rows;

static void *next(void **known, const char *name)
{
	if (!*known)
		*known = dlsym(RTLD_NEXT, name);
	return *known;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CDRD_FAULTS");
	size_t bytes = FAULTS_ROWS * sizeof(struct row);
	struct stat st;
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *map = fstat(fd, &st) == 0 && (size_t)st.st_size >= bytes ?
	                    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) :
	                    MAP_FAILED;
	if (map != MAP_FAILED)
		rows = map;
	close(fd);
}

static bool is_of(int fd, const char *path)
{
	char link[64], target[4096];
	ssize_t len;

	if (path[0] == '\0')
		return true;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	return strstr(target, path) != NULL;
}

/* True, with errno set, when a call is to fail. */
static bool fails(const char *call, int fd)
{
	for (int i = 0; rows && i < FAULTS_ROWS; i++) {
		struct row *row = &rows[i];

		if (!row->on || strcmp(row->call, call) != 0 || (fd >= 0 && !is_of(fd, row->path)))
			continue;
		int64_t number = ++row->seen;
		if (number < row->at || number >= row->at + row->times)
			continue;
		row->failed++;
		errno = (int)row->error;
		return true;
	}
	return false;
}

/* --- writing --- */

#define NEXT(name) \
	static void *known; \
	__typeof__(name) *real = (__typeof__(name) *)next(&known, #name)

static bool pwrite_fails(int fd, off_t offset)
{
	return (offset < META_BYTES && fails("meta", fd)) || fails("pwrite", fd);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	NEXT(pwrite);
	return pwrite_fails(fd, offset) ? -1 : real(fd, data, len, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	NEXT(pwrite64);
	return pwrite_fails(fd, offset) ? -1 : real(fd, data, len, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	NEXT(writev);
	return fails("writev", fd) ? -1 : real(fd, parts, count);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	return fails("fdatasync", fd) ? -1 : real(fd);
}

int fsync(int fd)
{
	NEXT(fsync);
	return fails("fsync", fd) ? -1 : real(fd);
}

int msync(void *start, size_t bytes, int flags)
{
	NEXT(msync);
	return fails("msync", -1) ? -1 : real(start, bytes, flags);
}

/* --- allocations --- */

/* dlsym allocates itself, before the real functions are known. That memory is never freed. */
static _Alignas(16) char early[EARLY_BYTES];
static size_t early_used;

static void *early_alloc(size_t bytes)
{
	size_t rounded = (bytes + 15) & ~(size_t)15;

	if (rounded > EARLY_BYTES - early_used)
		return NULL;
	early_used += rounded;
	return early + early_used - rounded;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + EARLY_BYTES;
}

static struct {
	void *(*malloc)(size_t bytes);
	void *(*calloc)(size_t count, size_t bytes);
	void *(*realloc)(void *old, size_t bytes);
	void (*free)(void *p);
	bool looking_up;
} real;

/* All at once: dlsym allocates, and frees what it has allocated. False while that is going on. */
static bool has_real(void)
{
	if (real.free)
		return true;
	if (real.looking_up)
		return false;
	real.looking_up = true;
	real.malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	real.calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
	real.realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
	real.free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
	real.looking_up = false;
	return true;
}

void *malloc(size_t bytes)
{
	if (!has_real())
		return early_alloc(bytes);
	return fails("malloc", -1) ? NULL : real.malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	if (!has_real())
		return early_alloc(count * bytes);
	return fails("malloc", -1) ? NULL : real.calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
	if (has_real() && !is_early(old))
		return fails("malloc", -1) ? NULL : real.realloc(old, bytes);
	void *fresh = malloc(bytes);
	size_t room = old ? (size_t)(early + EARLY_BYTES - (char *)old) : 0;
	if (fresh && old)
		memcpy(fresh, old, bytes < room ? bytes : room);
	return fresh;
}

void free(void *p)
{
	if (!is_early(p) && has_real())
		real.free(p);
}
