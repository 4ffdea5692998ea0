/* SPDX-License-Identifier: ISC */
/*
 * replay.c: drives a fuzzer without a fuzzing engine, so that `make check` needs none.
 *
 * `fuzz_NAME [FILE|DIRECTORY...]` runs every file once as it is; without arguments those of corpus/NAME. Of each it
 * then runs MUTATIONS copies with bytes changed, cut, doubled or mixed in from another file. The mutations come from a
 * generator with a fixed seed: a failure comes again. The input at work is in fuzz_NAME.crash, for a closer look.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUTATIONS_DEFAULT 200
#define FILES_MAX 4096
#define INPUT_MAX (1 << 20)
#define STEPS_MAX 6 /* changes made to one mutation */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *bytes;
	size_t len;
};

static struct input inputs[FILES_MAX];
static size_t inputs_count;
static char crash_path[4096];

_Noreturn static void die(const char *what, const char *name)
{
	fprintf(stderr, "replay: %s: %s: %s\n", name, what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void take_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct input *input = &inputs[inputs_count];

	if (!file)
		die("open", path);
	input->bytes = malloc(INPUT_MAX);
	if (!input->bytes || inputs_count + 1 == FILES_MAX)
		die("too many inputs", path);
	input->len = fread(input->bytes, 1, INPUT_MAX, file);
	(void)fclose(file);
	/* As long as the input and no longer: a read behind it is seen by AddressSanitizer. */
	uint8_t *fitted = realloc(input->bytes, input->len > 0 ? input->len : 1);
	if (fitted)
		input->bytes = fitted;
	inputs_count++;
}

static void take(const char *path)
{
	struct stat status;
	struct dirent **entries;
	int count;

	if (stat(path, &status) != 0)
		die("no such file", path);
	if (!S_ISDIR(status.st_mode)) {
		take_file(path);
		return;
	}
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		die("read directory", path);
	for (int i = 0; i < count; i++) {
		char name[4096];

		(void)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			take(name);
		free(entries[i]);
	}
	free(entries);
}

/* --- mutations --- */

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

/* xorshift64*, below `bound`. */
static size_t random_below(size_t bound)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return bound == 0 ? 0 : (size_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % bound;
}

/* Puts a run of another input at a random place, over what is there or between. */
static size_t mix_in(uint8_t *bytes, size_t len, size_t room)
{
	const struct input *other = &inputs[random_below(inputs_count)];
	size_t from = random_below(other->len), run = random_below(other->len - from + 1);
	size_t at = random_below(len + 1);
	size_t end = at + run;

	if (end > room)
		return len;
	if (random_below(2) == 0 && len + run <= room) {
		memmove(bytes + end, bytes + at, len - at);
		end = len + run;
	}
	memcpy(bytes + at, other->bytes + from, run);
	return end > len ? end : len;
}

static size_t mutate_once(uint8_t *bytes, size_t len, size_t room)
{
	static const uint8_t telling[] = { 0, 1, '\n', '\r', ' ', '"', '%', ',', '0', '9', '[', '{', 0x7f, 0x80, 0xff };
	size_t at = random_below(len);

	switch (random_below(6)) {
	case 0:
		if (len > 0)
			bytes[at] ^= (uint8_t)(1u << random_below(8));
		return len;
	case 1:
		if (len > 0)
			bytes[at] = telling[random_below(sizeof(telling))];
		return len;
	case 2:
		if (len > 0)
			bytes[at] = (uint8_t)random_below(256);
		return len;
	case 3: /* cut the end off */
		return at;
	case 4: /* cut a run out */
		if (len > 0) {
			size_t run = 1 + random_below(len - at);

			memmove(bytes + at, bytes + at + run, len - at - run);
			return len - run;
		}
		return len;
	default:
		return mix_in(bytes, len, room);
	}
}

/* --- running --- */

static void keep(const uint8_t *bytes, size_t len)
{
	FILE *file = fopen(crash_path, "wb");

	if (!file)
		return;
	(void)fwrite(bytes, 1, len, file);
	(void)fclose(file);
}

static void run(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);

	if (!exact)
		die("out of memory", "mutation");
	memcpy(exact, bytes, len);
	keep(exact, len);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static void run_mutations(const struct input *input, size_t count)
{
	size_t room = 2 * input->len + 256;
	uint8_t *bytes = malloc(room);

	if (!bytes)
		die("out of memory", "mutation");
	for (size_t i = 0; i < count; i++) {
		size_t len = input->len;

		memcpy(bytes, input->bytes, len);
		for (size_t steps = 1 + random_below(STEPS_MAX); steps > 0; steps--)
			len = mutate_once(bytes, len, room);
		run(bytes, len);
	}
	free(bytes);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *top = getenv("srcdir") ? getenv("srcdir") : ".";
	const char *wanted = getenv("FUZZ_MUTATIONS");
	size_t mutations = wanted ? strtoul(wanted, NULL, 10) : MUTATIONS_DEFAULT;
	char corpus[4096];

	(void)snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", top, name + strcspn(name, "_") + 1);
	(void)snprintf(crash_path, sizeof(crash_path), "%s.crash", name);
	if (argc < 2)
		take(corpus);
	for (int i = 1; i < argc; i++)
		take(argv[i]);
	for (size_t i = 0; i < inputs_count; i++) {
		run(inputs[i].bytes, inputs[i].len);
		run_mutations(&inputs[i], mutations);
	}
	for (size_t i = 0; i < inputs_count; i++)
		free(inputs[i].bytes);
	(void)unlink(crash_path);
	printf("%s: %zu inputs, %zu mutations of each\n", name, inputs_count, mutations);
	return inputs_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
