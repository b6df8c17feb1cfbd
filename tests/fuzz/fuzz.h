/* fuzz.h - what the fuzz targets share.
 *
 * Each target is a libFuzzer target: it is given any bytes, and aborts when what comes of them is
 * wrong.  main.c makes a plain program of it; clang -fsanitize=fuzzer makes a fuzzer.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* A NUL-terminated copy of the bytes up to the first NUL, of exactly that length, so that a
 * sanitizer sees who reads behind it; to be given back with free. */
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

#endif
