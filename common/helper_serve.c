/* helper_serve.c - the loop of amo-crm-https and amo-crm-crypto; see helper.h. */
#include "helper.h"

#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
put_line(const struct text *t, const char *line)
{
	return fwrite(line, 1, t->len - 1, stdout) == t->len - 1 && fflush(stdout) == 0;
}

/* False: nobody listens any more. */
static bool
answer_line(struct work *w, const char *line, helper_answer *answer)
{
	struct json_object *question = json_read(line, strcspn(line, "\n"));
	struct text t;
	const char *text;
	bool done;

	text_begin(w, &t);
	text_add_char(&t, '{');
	done = question != NULL ? answer(w, question, &t)
				: fault(w, FAULT_SERVER, "a question that is no JSON");
	json_object_put(question);
	if (!done) {
		text_begin(w, &t);
		text_print(&t, "{\"fault\":%d,\"reason\":", w->kind);
		json_add_string(&t, w->reason);
	}
	text_add(&t, "}\n");
	return text_end(&t, &text) && put_line(&t, text);
}

int
helper_serve(const char *name, size_t room_size, helper_answer *answer)
{
	char *line = NULL;
	size_t size = 0;
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
	while (getline(&line, &size, stdin) > 0 && answer_line(&w, line, answer)) {
		explicit_bzero(line, size);
		work_wipe(&w);
	}
	free(line);
	work_close(&w);
	return EXIT_SUCCESS;
}
