/* main.c - a fuzz target as a plain program.
 *
 *   fuzz_form CORPUS [SECONDS]
 *
 * Runs the target with every file of the folder CORPUS, then with mutated inputs for SECONDS, by
 * default 1.  The n-th mutated input is the same in every run.  An input for which the target
 * aborts is printed as a string literal of C.
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX  64
#define SIZE_LIMIT 8192 /* bytes of an input */

/* Sets what a sanitizer calls before it terminates the process; NULL without a sanitizer. */
void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

struct input {
	uint8_t *bytes;
	size_t size;
};

static struct input current;

static void
show_input(void)
{
	fputs("the input was: \"", stderr);
	for (size_t i = 0; i < current.size; i++)
		fprintf(stderr,
		    current.bytes[i] >= ' ' && current.bytes[i] <= '~' && current.bytes[i] != '"'
			    && current.bytes[i] != '\\'
			? "%c"
			: "\\%03o",
		    current.bytes[i]);
	fputs("\"\n", stderr);
}

static void
on_abort(int number)
{
	show_input();
	signal(number, SIG_DFL);
	raise(number);
}

static void
run(const uint8_t *bytes, size_t size)
{
	current.size = size;
	current.bytes = malloc(size == 0 ? 1 : size); /* exact, to detect reads past the end */
	MUST(current.bytes != NULL);
	if (size > 0)
		memcpy(current.bytes, bytes, size);
	LLVMFuzzerTestOneInput(current.bytes, size);
	free(current.bytes);
	current.size = 0; /* a leak is found at the end, after all inputs */
}

/* xorshift64 */
static size_t
below(uint64_t *random, size_t limit)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (size_t)((*random >> 16) % limit);
}

static void
mutate(struct input *input, const struct input *other, uint64_t *random)
{
	static const uint8_t special[] = "%&=+[]{}\":,.;#\\/-_ \t\r\n09afAFu\0\x01\x7f\x80\xc0\xff";
	size_t at = below(random, input->size + 1);
	size_t n = 1 + below(random, 1 + input->size / 4);

	switch (below(random, 6)) {
	case 0:
		if (at < input->size)
			input->bytes[at] ^= (uint8_t)(1 << below(random, 8));
		break;
	case 1:
		if (at < input->size)
			input->bytes[at] = special[below(random, sizeof special)];
		break;
	case 2: /* delete a part */
		n = n > input->size - at ? input->size - at : n;
		memmove(input->bytes + at, input->bytes + at + n, input->size - at - n);
		input->size -= n;
		break;
	case 3: /* insert a character */
		if (input->size == SIZE_LIMIT)
			break;
		memmove(input->bytes + at + 1, input->bytes + at, input->size - at);
		input->bytes[at] = special[below(random, sizeof special)];
		input->size++;
		break;
	case 4: /* repeat a part */
		n = n > input->size - at ? input->size - at : n;
		n = n > SIZE_LIMIT - input->size ? SIZE_LIMIT - input->size : n;
		memmove(input->bytes + at + n, input->bytes + at, input->size - at);
		input->size += n;
		break;
	default: /* replace the end by that of another file */
		if (other->size == 0)
			break;
		n = below(random, other->size);
		at = below(random, input->size + 1);
		input->size = at;
		n = n > SIZE_LIMIT - at ? SIZE_LIMIT - at : n;
		memcpy(input->bytes + at, other->bytes + other->size - n, n);
		input->size += n;
	}
}

static void
run_mutated(const struct input *files, size_t count, uint64_t round)
{
	uint64_t random = (round + 1) * UINT64_C(0x9e3779b97f4a7c15);
	const struct input *from = &files[below(&random, count)];
	uint8_t bytes[SIZE_LIMIT];
	struct input input = { bytes, from->size };

	memcpy(bytes, from->bytes, from->size);
	for (size_t times = 1 + below(&random, 6); times > 0; times--)
		mutate(&input, &files[below(&random, count)], &random);
	run(input.bytes, input.size);
}

/* An empty input, then the files in the order of their names. */
static size_t
read_corpus(const char *path, struct input files[FILES_MAX])
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	size_t count = 1;

	files[0] = (struct input){ malloc(1), 0 };
	for (int i = 0; i < n; i++) {
		char name[512];
		FILE *file;

		snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
		file = entries[i]->d_name[0] == '.' ? NULL : fopen(name, "rb");
		if (file != NULL && count < FILES_MAX) {
			struct input *input = &files[count++];

			input->bytes = malloc(SIZE_LIMIT);
			MUST(input->bytes != NULL);
			input->size = fread(input->bytes, 1, SIZE_LIMIT, file);
		}
		if (file != NULL)
			fclose(file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return n < 0 ? 0 : count;
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	static struct input files[FILES_MAX];
	double end = seconds_now() + (argc > 2 ? strtod(argv[2], NULL) : 1);
	size_t count = argc > 1 ? read_corpus(argv[1], files) : 0;
	uint64_t rounds = 0;

	if (count < 2) {
		fprintf(stderr, "%s CORPUS [SECONDS]: there is nothing to begin with\n", argv[0]);
		return 2;
	}
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(show_input);
	signal(SIGABRT, on_abort);
	for (size_t i = 0; i < count; i++)
		run(files[i].bytes, files[i].size);
	while (seconds_now() < end)
		run_mutated(files, count, rounds++);
	printf("%s: %zu files, %llu changed\n", argv[0], count - 1, (unsigned long long)rounds);
	for (size_t i = 0; i < count; i++)
		free(files[i].bytes);
	return 0;
}
