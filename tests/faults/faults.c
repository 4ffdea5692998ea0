/* SPDX-License-Identifier: ISC */
/*
 * faults.c: a library for LD_PRELOAD that makes system calls and allocations fail when a test says so.
 *
 * CDRD_FAULTS names a file of FAULTS_ROWS rows (struct row below), which the library maps and the test writes to while the
 * program runs: tests/blackbox/faults.py. A row that is on counts the calls that it is about, and fails those from number
 * `at`, `times` of them, with `error`.
 *
 *	call    malloc, calloc, realloc, or "memory" for any of them; write (send, too), writev (pwritev), pwrite, fdatasync, fsync,
 *	        msync, mmap, open (openat), ftruncate, rename, sendfile, accept4, socket, read (readv, pread, recv),
 *	        unlink (unlinkat), stat (lstat, fstatat, access), readdir; "dirsync" is an fsync of a directory;
 *	        "meta" is a pwrite to the first two pages of a file, LMDB's meta pages
 *	alike   0, or only so many calls from one place (the same TRACE_DEPTH callers, since the row was set) are counted, and can
 *	        be the one that fails; from it on, all fail: a password's derivation makes thousands of allocations, all alike
 *	path    a part of the file's path, or of the one that open, rename and unlink are given; empty for any, and for what
 *	        has none
 *
 * Without CDRD_FAULTS, or with a file that is too short, nothing fails. With CDRD_FAULTS_TRACE, where a call failed is written to
 * standard error, as addresses for addr2line.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
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
	int64_t alike;
	char call[16];
	char path[192];
};

#define TRACE_DEPTH 24
#define PLACES (1 << 15) /* more are counted as new ones */

static struct row *rows;
static bool traces;

/* Whence calls came since a row was set. */
static struct place {
	uint64_t hash;
	int64_t count;
} places[PLACES];

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
	void *warm_up[1];
	(void)backtrace(warm_up, 1); /* the first call allocates */
	traces = getenv("CDRD_FAULTS_TRACE") != NULL;
	if (map != MAP_FAILED)
		rows = map;
	close(fd);
}

static bool is_of(int fd, const char *name, const char *path)
{
	char link[64], target[4096];
	ssize_t len;

	if (path[0] == '\0' || (name && strstr(name, path)))
		return true;
	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	return strstr(target, path) != NULL;
}

static void trace(const char *call, int64_t number)
{
	void *frames[TRACE_DEPTH];
	int count = backtrace(frames, TRACE_DEPTH);

	if (dprintf(STDERR_FILENO, "fault: %s number %lld fails\n", call, (long long)number) > 0)
		backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

static uint64_t place_of_caller(void)
{
	void *frames[TRACE_DEPTH];
	int count = backtrace(frames, TRACE_DEPTH);
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < count; i++) {
		hash = (hash ^ (uintptr_t)frames[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash | 1; /* 0 is an empty place */
}

/* Has the row enough calls from here? */
static bool is_one_too_many(const struct row *row)
{
	if (row->alike == 0)
		return false;
	if (row->seen == 0)
		memset(places, 0, sizeof(places));
	uint64_t hash = place_of_caller();

	for (size_t i = 0; i < PLACES; i++) {
		struct place *place = &places[(hash + i) % PLACES];

		if (place->hash != 0 && place->hash != hash)
			continue;
		place->hash = hash;
		return place->count++ >= row->alike;
	}
	return false;
}

/* True, with errno set, when a call on a descriptor, or of a name unless NULL, is to fail. */
static bool fails_at(const char *call, int fd, const char *name)
{
	for (int i = 0; rows && i < FAULTS_ROWS; i++) {
		struct row *row = &rows[i];

		if (!row->on || strcmp(row->call, call) != 0 || !is_of(fd, name, row->path))
			continue;
		bool counts = !is_one_too_many(row);
		int64_t number = __atomic_add_fetch(&row->seen, counts, __ATOMIC_RELAXED);
		if (number < row->at || number - row->at >= row->times || (!counts && row->times == 1))
			continue;
		__atomic_add_fetch(&row->failed, 1, __ATOMIC_RELAXED);
		if (traces)
			trace(call, number);
		errno = (int)row->error;
		return true;
	}
	return false;
}

static bool fails(const char *call, int fd)
{
	return fails_at(call, fd, NULL);
}

#define NEXT(name) \
	static void *known; \
	__typeof__(name) *real = (__typeof__(name) *)next(&known, #name)

/* --- files --- */

/* Also as openat, and with the mode that O_CREAT has. */
#define OPENING(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list list; \
		NEXT(name); \
		va_start(list, flags); \
		mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
		va_end(list); \
		return fails_at("open", -1, path) ? -1 : real(path, flags, mode); \
	}
#define OPENING_AT(name) \
	int name(int dir, const char *path, int flags, ...) \
	{ \
		va_list list; \
		NEXT(name); \
		va_start(list, flags); \
		mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
		va_end(list); \
		return fails_at("open", -1, path) ? -1 : real(dir, path, flags, mode); \
	}

OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)

int rename(const char *from, const char *to)
{
	NEXT(rename);
	return fails_at("rename", -1, to) ? -1 : real(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	NEXT(renameat);
	return fails_at("rename", -1, to) ? -1 : real(from_dir, from, to_dir, to);
}

int unlink(const char *path)
{
	NEXT(unlink);
	return fails_at("unlink", -1, path) ? -1 : real(path);
}

int unlinkat(int dir, const char *path, int flags)
{
	NEXT(unlinkat);
	return fails_at("unlink", -1, path) ? -1 : real(dir, path, flags);
}

int ftruncate(int fd, off_t bytes)
{
	NEXT(ftruncate);
	return fails("ftruncate", fd) ? -1 : real(fd, bytes);
}

int ftruncate64(int fd, off64_t bytes)
{
	NEXT(ftruncate64);
	return fails("ftruncate", fd) ? -1 : real(fd, bytes);
}

void *mmap(void *where, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	NEXT(mmap);
	return fails("mmap", fd) ? MAP_FAILED : real(where, bytes, protection, flags, fd, offset);
}

void *mmap64(void *where, size_t bytes, int protection, int flags, int fd, off64_t offset)
{
	NEXT(mmap64);
	return fails("mmap", fd) ? MAP_FAILED : real(where, bytes, protection, flags, fd, offset);
}

/* --- writing --- */

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

ssize_t write(int fd, const void *data, size_t len)
{
	NEXT(write);
	return fails("write", fd) ? -1 : real(fd, data, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	NEXT(writev);
	return fails("writev", fd) ? -1 : real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	NEXT(pwritev);
	return fails("writev", fd) ? -1 : real(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	NEXT(pwritev64);
	return fails("writev", fd) ? -1 : real(fd, parts, count, offset);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	return fails("fdatasync", fd) ? -1 : real(fd);
}

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

int fsync(int fd)
{
	NEXT(fsync);
	return fails("fsync", fd) || (is_directory(fd) && fails("dirsync", fd)) ? -1 : real(fd);
}

int msync(void *start, size_t bytes, int flags)
{
	NEXT(msync);
	return fails("msync", -1) ? -1 : real(start, bytes, flags);
}

/* --- reading --- */

ssize_t read(int fd, void *data, size_t len)
{
	NEXT(read);
	return fails("read", fd) ? -1 : real(fd, data, len);
}

ssize_t readv(int fd, const struct iovec *parts, int count)
{
	NEXT(readv);
	return fails("read", fd) ? -1 : real(fd, parts, count);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
	NEXT(pread);
	return fails("read", fd) ? -1 : real(fd, data, len, offset);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
	NEXT(pread64);
	return fails("read", fd) ? -1 : real(fd, data, len, offset);
}

/* Also of a name in a directory, as fstatat has it. */
#define STATING(name, type) \
	int name(const char *path, type *st) \
	{ \
		NEXT(name); \
		return fails_at("stat", -1, path) ? -1 : real(path, st); \
	}
#define STATING_AT(name, type) \
	int name(int dir, const char *path, type *st, int flags) \
	{ \
		NEXT(name); \
		return fails_at("stat", dir, path) ? -1 : real(dir, path, st, flags); \
	}

STATING(stat, struct stat)
STATING(stat64, struct stat64)
STATING(lstat, struct stat)
STATING(lstat64, struct stat64)
STATING_AT(fstatat, struct stat)
STATING_AT(fstatat64, struct stat64)

int access(const char *path, int mode)
{
	NEXT(access);
	return fails_at("stat", -1, path) ? -1 : real(path, mode);
}

struct dirent *readdir(DIR *dir)
{
	NEXT(readdir);
	return fails("readdir", dirfd(dir)) ? NULL : real(dir);
}

struct dirent64 *readdir64(DIR *dir)
{
	NEXT(readdir64);
	return fails("readdir", dirfd(dir)) ? NULL : real(dir);
}

/* --- sockets --- */

ssize_t recv(int fd, void *data, size_t len, int flags)
{
	NEXT(recv);
	return fails("read", fd) ? -1 : real(fd, data, len, flags);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	NEXT(send);
	return fails("write", fd) ? -1 : real(fd, data, len, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t len)
{
	NEXT(sendfile);
	return fails("sendfile", from) ? -1 : real(to, from, offset, len);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t len)
{
	NEXT(sendfile64);
	return fails("sendfile", from) ? -1 : real(to, from, offset, len);
}

int socket(int domain, int type, int protocol)
{
	NEXT(socket);
	return fails("socket", -1) ? -1 : real(domain, type, protocol);
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	NEXT(accept4);
	return fails("accept4", fd) ? -1 : real(fd, address, len, flags);
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

static bool alloc_fails(const char *call)
{
	return fails("memory", -1) || fails(call, -1);
}

void *malloc(size_t bytes)
{
	if (!has_real())
		return early_alloc(bytes);
	return alloc_fails("malloc") ? NULL : real.malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	if (!has_real())
		return early_alloc(count * bytes);
	return alloc_fails("calloc") ? NULL : real.calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
	if (has_real() && !is_early(old))
		return alloc_fails("realloc") ? NULL : real.realloc(old, bytes);
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
