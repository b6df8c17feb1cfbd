/* fuzz.h - what the fuzz targets share.
 *
 * Each target is a libFuzzer target: it takes any bytes, and aborts when their result is wrong.
 * With main.c it is a plain program, with clang's -fsanitize=fuzzer a fuzzer.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: false: %s\n", __FILE__, __LINE__, #condition);     \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A NUL-terminated copy of the bytes up to the first NUL.  No more than that is allocated, so that
 * a sanitizer detects a read past its end.  The caller frees it. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
	size_t len = size == 0 ? 0 : strnlen((const char *)data, size);
	char *text = malloc(len + 1);

	MUST(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

/* What is left of an input that has several parts, one on each line. */
struct fuzz_parts {
	const uint8_t *at;
	size_t left;
};

/* The next line, or all that is left, as fuzz_text; "" when there is no more. */
static inline char *
fuzz_line(struct fuzz_parts *parts)
{
	const uint8_t *end = parts->left == 0 ? NULL : memchr(parts->at, '\n', parts->left);
	size_t len = end == NULL ? parts->left : (size_t)(end - parts->at);
	char *line = fuzz_text(parts->at, len);

	parts->at += end == NULL ? len : len + 1;
	parts->left -= end == NULL ? len : len + 1;
	return line;
}

#endif
