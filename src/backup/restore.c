/* SPDX-License-Identifier: ISC */
/*
 * restore.c: see restore.h.
 */
#include "backup/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "callback/callback.h"
#include "backup/backup_dir.h"
#include "backup/sums.h"
#include "backup/folder.h"
#include "store/hot_backup.h"

#define LIST_BYTES_MAX ((size_t)256 << 20)
#define SLICE_US 50000 /* between two progress lines */

struct restore {
	const char *backup;
	const char *data_dir; /* NULL: only checked */
	bool has_owner;
	uid_t uid;
	gid_t gid;
	struct buf sums;
	struct buf from, to;
	struct restore_counts *counts;
	restore_fn fn;
	void *arg;
	struct error *err;
};

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "restore: out of memory");
}

int restore_find(const char *from, struct buf *path, struct error *err)
{
	struct buf name = { 0 };

	buf_clear(path);
	buf_addf(path, "%s/" SUMS_NAME, from);
	if (!buf_cstr(path))
		return no_memory(err);
	bool is_backup = access(path->data, F_OK) == 0;
	if (!is_backup && errno != ENOENT && errno != ENOTDIR)
		return error_set_errno(err, errno, "%s", path->data);
	buf_clear(path);
	buf_add_text(path, from);
	while (path->len > 1 && path->data[path->len - 1] == '/')
		path->len--;
	int found = is_backup ? 1 : folder_newest(from, &name, err);
	if (!is_backup && found > 0)
		buf_addf(path, "/%s", name.data);
	buf_free(&name);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "%s: neither a complete backup nor a directory that holds one",
		                 from);
	if (found < 0)
		return -1;
	return buf_cstr(path) ? 0 : no_memory(err);
}

/* --- one file --- */

static bool begins(struct str text, const char *start)
{
	return text.len >= strlen(start) && memcmp(text.p, start, strlen(start)) == 0;
}

static bool ends(struct str text, const char *end)
{
	return text.len >= strlen(end) && memcmp(text.p + text.len - strlen(end), end, strlen(end)) == 0;
}

static void tell(const struct restore *restore)
{
	if (restore->fn)
		restore->fn(restore->arg, restore->counts);
}

/* Files that describe the backup are not laid out. */
static bool is_laid_out(const struct restore *restore, struct str path)
{
	return restore->data_dir && !str_is(path, BACKUP_NAME);
}

static int give_to_owner(const struct restore *restore, const char *path)
{
	if (restore->has_owner && chown(path, restore->uid, restore->gid) != 0)
		return error_set_errno(restore->err, errno, "%s: change owner", path);
	return 0;
}

/* The directories that lead to restore->to, below data_dir. */
static int make_parents(struct restore *restore)
{
	char *path = restore->to.data;

	for (char *slash = strchr(path + strlen(restore->data_dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool made = mkdir(path, 0750) == 0;
		int result =
			made || errno == EEXIST ? 0 : error_set_errno(restore->err, errno, "%s: make directory", path);
		if (result == 0 && made)
			result = give_to_owner(restore, path);
		*slash = '/';
		if (result != 0)
			return -1;
	}
	return 0;
}

static int read_file(struct restore *restore, struct str path, struct sums_file *file)
{
	bool out = is_laid_out(restore, path), done = false;
	unsigned mode = ends(path, ".key") ? 0600 : 0640;

	buf_clear(&restore->from);
	buf_clear(&restore->to);
	buf_addf(&restore->from, "%s/%.*s", restore->backup, STR_ARGS(path));
	buf_addf(&restore->to, "%s/%.*s", out ? restore->data_dir : "", STR_ARGS(path));
	if (!buf_cstr(&restore->from) || !buf_cstr(&restore->to))
		return no_memory(restore->err);
	if ((out && make_parents(restore) != 0) ||
	    sums_file_begin(file, restore->from.data, out ? restore->to.data : NULL, mode, restore->err) != 0)
		return -1;
	uint64_t before = restore->counts->bytes;
	while (!done) {
		if (sums_file_step(file, restore->from.data, clock_monotonic_us() + SLICE_US, &done, restore->err) != 0)
			return -1;
		restore->counts->bytes = before + file->bytes;
		tell(restore);
	}
	return out ? give_to_owner(restore, restore->to.data) : 0;
}

/* Is the environment, in the backup or where it was laid out, sound? */
static int check_environment(struct restore *restore, struct str path)
{
	uint64_t entries;
	struct buf *at = is_laid_out(restore, path) ? &restore->to : &restore->from;

	at->len -= sizeof("/data.mdb") - 1;
	if (!buf_cstr(at))
		return no_memory(restore->err);
	if (hot_backup_check(at->data, begins(path, "catalog/"), &entries, restore->err) != 0)
		return -1;
	restore->counts->entries += entries;
	return 0;
}

static int take_file(struct restore *restore, struct str hex, struct str path)
{
	struct sums_file file;

	if (read_file(restore, path, &file) != 0)
		return -1;
	if (memcmp(file.hex, hex.p, SUMS_HEX_LEN) != 0)
		return error_set(restore->err, ERROR_CORRUPT, "%s: its SHA-256 is not that of the list",
		                 restore->from.data);
	if (ends(path, "/data.mdb") && check_environment(restore, path) != 0)
		return -1;
	restore->counts->files++;
	restore->counts->days += begins(path, "days/");
	restore->counts->report_files += begins(path, "reports/");
	tell(restore);
	return 0;
}

/* --- the list --- */

static int load_list(struct restore *restore)
{
	struct str hex, path;
	int more;

	if (!folder_path(&restore->from, restore->backup, SUMS_NAME, restore->err) ||
	    folder_read(restore->from.data, LIST_BYTES_MAX, &restore->sums, restore->err) != 0)
		return -1;
	struct str rest = buf_str(&restore->sums);
	while ((more = sums_next(&rest, &hex, &path)) > 0)
		restore->counts->files_total++;
	if (more < 0)
		return error_set(restore->err, ERROR_CORRUPT, "%s: line %llu cannot be read", restore->from.data,
		                 (unsigned long long)restore->counts->files_total + 1);
	if (!sums_find(buf_str(&restore->sums), STR_LITERAL("catalog/data.mdb")).p)
		return error_set(restore->err, ERROR_CORRUPT, "%s: has no catalog", restore->from.data);
	return 0;
}

/* All files, the catalog's last: without it the copy does not count as complete. */
static int take_all(struct restore *restore)
{
	for (int last = 0; last < 2; last++) {
		struct str rest = buf_str(&restore->sums), hex, path;

		while (sums_next(&rest, &hex, &path) > 0)
			if (begins(path, "catalog/") == (last == 1) && take_file(restore, hex, path) != 0)
				return -1;
	}
	return 0;
}

struct listing {
	struct restore *restore;
	struct buf below; /* the directory's path below the backup, with a slash after it unless it is empty */
};

/* Is it in the list? For a directory, checks its entries. */
static int check_listed(void *arg, const char *name, struct error *err)
{
	struct listing *listing = arg;
	struct restore *restore = listing->restore;
	struct listing inner = { .restore = restore };
	struct stat st;
	struct buf path = { 0 };

	buf_add_str(&inner.below, buf_str(&listing->below));
	buf_add_text(&inner.below, name);
	buf_addf(&path, "%s/%.*s", restore->backup, STR_ARGS(buf_str(&inner.below)));
	int result = 0;
	if (inner.below.failed || !buf_cstr(&path)) {
		result = no_memory(err);
	} else if (lstat(path.data, &st) != 0) {
		result = error_set_errno(err, errno, "%s", path.data);
	} else if (S_ISDIR(st.st_mode)) {
		buf_add_char(&inner.below, '/');
		result = inner.below.failed ? no_memory(err) : folder_each(path.data, check_listed, &inner, err);
	} else if (!str_is(buf_str(&inner.below), SUMS_NAME) &&
	           !sums_find(buf_str(&restore->sums), buf_str(&inner.below)).p) {
		result = error_set(err, ERROR_CORRUPT, "%s: is not in the list", path.data);
	}
	buf_free(&inner.below);
	buf_free(&path);
	return result;
}

static int run(struct restore *restore)
{
	struct listing listing = { .restore = restore };

	*restore->counts = (struct restore_counts){ 0 };
	int result = load_list(restore);
	if (result == 0)
		result = folder_each(restore->backup, check_listed, &listing, restore->err);
	if (result == 0)
		result = take_all(restore);
	buf_free(&restore->sums);
	buf_free(&restore->from);
	buf_free(&restore->to);
	return result;
}

int restore_check(const char *backup, struct restore_counts *counts, restore_fn fn, void *arg, struct error *err)
{
	struct restore restore = { .backup = backup, .counts = counts, .fn = fn, .arg = arg, .err = err };

	return run(&restore);
}

/* --- laying out --- */

static int refuse_entry(void *arg, const char *name, struct error *err)
{
	const char *data_dir = arg;

	/* New file systems have it. */
	if (strcmp(name, "lost+found") == 0)
		return 0;
	return error_set(err, ERROR_CONFLICT, "%s: must be empty, but \"%s\" is there", data_dir, name);
}

/* The daemon's lock: none can start before everything is laid out. */
static int take_lock(struct restore *restore)
{
	const char *path = folder_path(&restore->to, restore->data_dir, "lock", restore->err);
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640) : -1;

	if (!path)
		return -1;
	if (fd < 0)
		return error_set_errno(restore->err, errno, "%s: make", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && give_to_owner(restore, path) == 0)
		return fd;
	close(fd);
	return error_set(restore->err, ERROR_CONFLICT, "%s: somebody has it", path);
}

static int prepare(struct restore *restore)
{
	const char *data_dir = restore->data_dir;
	struct stat st;
	bool made = mkdir(data_dir, 0750) == 0;

	if (!made && errno != EEXIST)
		return error_set_errno(restore->err, errno, "%s: make directory", data_dir);
	if (made)
		return 0;
	if (folder_each(data_dir, refuse_entry, (void *)(uintptr_t)data_dir, restore->err) != 0)
		return -1;
	if (stat(data_dir, &st) != 0)
		return error_set_errno(restore->err, errno, "%s", data_dir);
	restore->has_owner = geteuid() == 0;
	restore->uid = st.st_uid;
	restore->gid = st.st_gid;
	return 0;
}

/* What a daemon would make at its start, if the backup has none. */
static int make_directories(struct restore *restore)
{
	static const char *const names[] = { "days", "reports" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = folder_path(&restore->to, restore->data_dir, names[i], restore->err);

		if (!path || folder_make(path, true, restore->err) != 0 || give_to_owner(restore, path) != 0)
			return -1;
	}
	return 0;
}

/* A copy must not send the original's callbacks to customers. */
static int hold_callbacks(struct restore *restore)
{
	const char *path = folder_path(&restore->to, restore->data_dir, CALLBACK_HELD_NAME, restore->err);

	return path && callback_hold_mark(restore->data_dir, restore->err) == 0 ? give_to_owner(restore, path) : -1;
}

int restore_lay_out(const char *backup, const char *data_dir, struct restore_counts *counts, restore_fn fn, void *arg,
                    struct error *err)
{
	struct restore restore = {
		.backup = backup, .data_dir = data_dir, .counts = counts, .fn = fn, .arg = arg, .err = err
	};
	int lock_fd = prepare(&restore) == 0 ? take_lock(&restore) : -1;

	if (lock_fd < 0) {
		buf_free(&restore.to);
		return -1;
	}
	int result = make_directories(&restore) == 0 && hold_callbacks(&restore) == 0 ? run(&restore) : -1;
	sync();
	close(lock_fd);
	return result;
}
