/* helper_serve.c - the loop of amo-crm-https and amo-crm-crypto; see helper.h.
 *
 * Lines are read and written without stdio, whose buffers would keep the last secrets.
 */
#include "helper.h"

#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE 16384 /* bytes; most questions are shorter */

/* One line; NULL: nobody asks any more.  What is behind it would be an answer not waited for. */
static const char *
read_line(struct work *w)
{
	char chunk[CHUNK_SIZE];
	struct text t;
	const char *line;
	ssize_t n = 0;

	text_begin(w, &t);
	while (n <= 0 || chunk[n - 1] != '\n') {
		n = read(STDIN_FILENO, chunk, sizeof chunk);
		if (n == 0 || (n < 0 && errno != EINTR))
			return NULL;
		text_add_bytes(&t, chunk, n < 0 ? 0 : (size_t)n);
	}
	explicit_bzero(chunk, sizeof chunk);
	return text_end(&t, &line) ? line : NULL;
}

static bool
write_line(const char *line, size_t left)
{
	while (left > 0) {
		ssize_t n = write(STDOUT_FILENO, line, left);

		if (n < 0 && errno != EINTR)
			return false;
		line += n < 0 ? 0 : n;
		left -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}

/* False: nobody listens any more. */
static bool
answer_line(struct work *w, const char *line, helper_answer *answer, void *context)
{
	struct json_object *question = json_read(line, strcspn(line, "\n"));
	struct text t;
	const char *text;
	bool done;

	text_begin(w, &t);
	text_add_char(&t, '{');
	done = question != NULL ? answer(w, context, question, &t)
				: fault(w, FAULT_SERVER, "a question that is no JSON");
	json_object_put(question);
	if (!done) {
		text_begin(w, &t);
		text_print(&t, "{\"fault\":%d,\"reason\":", w->kind);
		json_add_string(&t, w->reason);
	}
	text_add(&t, "}\n");
	return text_end(&t, &text) && write_line(text, t.len - 1);
}

int
helper_serve(const char *name, size_t room_size, helper_answer *answer, void *context)
{
	const char *line;
	struct work w;

	/* In a folder of CGI programs it could be called by its URL. */
	if (getenv("GATEWAY_INTERFACE") != NULL || getenv("REQUEST_METHOD") != NULL
	    || isatty(STDIN_FILENO)) {
		fprintf(stderr,
		    "%s is started by the other programs, not by hand or a web server.\n", name);
		return EXIT_FAILURE;
	}
	if (!work_open(&w, room_size))
		return EXIT_FAILURE;
	while ((line = read_line(&w)) != NULL && answer_line(&w, line, answer, context))
		work_wipe(&w);
	work_close(&w);
	return EXIT_SUCCESS;
}
