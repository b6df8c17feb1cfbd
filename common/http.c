/* http.c - hands a call to amo-crm-https and takes its answer.
 *
 *   -> {"method":…,"url":…,"host":…,"headers":[…],"body":…,"deadline_ms":…,"ca_file":…,…}
 *   <- {"status":200,"is_json":1,"retry_after_s":0,"body":"…"}, or {"fault":…,"reason":…}
 *
 * Each is one line.
 */
#include "http.h"

#include "clock.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef LIBEXEC_PATH
#define LIBEXEC_PATH "/usr/local/lib/amo-crm/libexec"
#endif

#define WORKER         "amo-crm-https"
#define WORKER_LATE_MS 1000 /* what it may take beyond the deadline, to load and to answer */
#define LINE_MAX_SIZE  (6 * HTTP_ANSWER_MAX + 1024) /* bytes; a byte may be escaped as six */

/* Where amo-crm-https may be: beside the programs' folder, as built and installed; in it, as
 * unpacked by hand; where it was installed. */
static bool
find_worker(struct work *w, const char **path)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	const char *name = NULL;

	self[len > 0 ? len : 0] = '\0';
	if (len > 0)
		name = strrchr(self, '/');
	if (name != NULL) {
		int folder_len = (int)(name - self);

		if (!work_print(w, path, "%.*s/../libexec/" WORKER, folder_len, self))
			return false;
		if (access(*path, X_OK) == 0)
			return true;
		if (!work_print(w, path, "%.*s/" WORKER, folder_len, self))
			return false;
		if (access(*path, X_OK) == 0)
			return true;
	}
	*path = LIBEXEC_PATH "/" WORKER;
	return access(*path, X_OK) == 0
	    || fault(w, FAULT_CONFIG, "%s: %s; run make install again", *path, strerror(errno));
}

static void
add_member(struct text *t, const char *name, const char *value)
{
	text_print(t, ",\"%s\":", name);
	json_add_string(t, value);
}

static bool
write_call(struct work *w, const struct amocrm_config *cfg, const struct http_call *call,
    const char **line)
{
	struct text t;

	text_begin(w, &t);
	text_print(&t, "{\"deadline_ms\":%lld,\"plain_allowed\":%d,\"public_only\":%d",
	    (long long)call->deadline_ms, call->plain_allowed, call->public_only);
	add_member(&t, "method", call->method);
	add_member(&t, "url", call->url);
	add_member(&t, "host", call->host);
	text_add(&t, ",\"headers\":[");
	for (size_t i = 0; i < HTTP_HEADERS_MAX && call->headers[i] != NULL; i++) {
		text_add(&t, i > 0 ? "," : "");
		json_add_string(&t, call->headers[i]);
	}
	text_add_char(&t, ']');
	add_member(&t, "body", call->body);
	add_member(&t, "ca_file", cfg->ca_file);
	add_member(&t, "connect_to", cfg->connect_to);
	add_member(&t, "proxy", cfg->proxy);
	text_add(&t, "}\n");
	return text_end(&t, line);
}

struct worker {
	pid_t pid;
	int to;
	int from;
};

/* With an empty environment: libcurl takes proxies, certificates and key logs from there. */
static bool
start_worker(struct work *w, const char *path, struct worker *worker)
{
	char *const argv[] = { (char[]){ WORKER }, NULL };
	char *const envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	int to[2];
	int from[2];
	int error;

	if (pipe2(to, O_CLOEXEC) != 0)
		return fault(w, FAULT_SERVER, "no pipe: %s", strerror(errno));
	if (pipe2(from, O_CLOEXEC) != 0) {
		close(to[0]);
		close(to[1]);
		return fault(w, FAULT_SERVER, "no pipe: %s", strerror(errno));
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
	error = posix_spawn(&worker->pid, path, &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	worker->to = to[1];
	worker->from = from[0];
	if (error == 0)
		return true;
	close(to[1]);
	close(from[0]);
	return fault(w, FAULT_SERVER, "%s cannot be started: %s", path, strerror(error));
}

/* Its input ends, so it ends; one that is late is killed. */
static void
stop_worker(struct worker *worker, bool late)
{
	close(worker->to);
	close(worker->from);
	if (late)
		kill(worker->pid, SIGKILL);
	while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The signals that would say otherwise are held back, see signals.h. */
static bool
write_line(struct work *w, int fd, const char *line)
{
	size_t left = strlen(line);

	while (left > 0) {
		ssize_t n = write(fd, line, left);

		if (n < 0 && errno != EINTR)
			return fault(
			    w, FAULT_SERVER, WORKER " does not listen: %s", strerror(errno));
		line += n < 0 ? 0 : n;
		left -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}

/* The one line of the answer; never waits past until_ms. */
static bool
read_line(struct work *w, int fd, int64_t until_ms, const char **line)
{
	size_t len = 0;
	char *at;

	if (!work_alloc(w, LINE_MAX_SIZE, &at))
		return false;
	while (len == 0 || at[len - 1] != '\n') {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int64_t left_ms = until_ms - clock_ms();
		ssize_t n;

		if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) == 0)
			return fault(w, FAULT_REPLY_LOST, WORKER " did not answer in time");
		n = read(fd, at + len, LINE_MAX_SIZE - 1 - len);
		if (n == 0 || (n < 0 && errno != EINTR))
			return fault(w, FAULT_SERVER, WORKER " ended without an answer");
		len += n < 0 ? 0 : (size_t)n;
	}
	*line = at;
	return true;
}

static bool
take_answer(struct work *w, const struct json_object *doc, struct http_answer *answer)
{
	const char *reason = json_string(doc, "reason");
	const char *body = json_string(doc, "body");
	int64_t kind;
	int64_t status;
	int64_t is_json;
	int64_t retry_after_s;

	if (reason != NULL && json_integer(doc, "fault", &kind) && kind > 0 && kind < FAULT_KINDS)
		return fault(w, (enum fault_kind)kind, "%s", reason);
	if (body == NULL || !json_integer(doc, "status", &status)
	    || !json_integer(doc, "is_json", &is_json)
	    || !json_integer(doc, "retry_after_s", &retry_after_s))
		return fault(w, FAULT_SERVER, WORKER " sent a line that is none of its own");
	answer->status = (long)status;
	answer->is_json = is_json != 0;
	answer->retry_after_s = (long)retry_after_s;
	return work_copy(w, body, strlen(body), &answer->body);
}

static bool
read_answer(struct work *w, int fd, int64_t until_ms, struct http_answer *answer)
{
	struct json_object *doc;
	const char *line;
	bool done;

	if (!read_line(w, fd, until_ms, &line))
		return false;
	doc = json_read(line, strlen(line));
	done = take_answer(w, doc, answer);
	json_object_put(doc);
	return done;
}

bool
http_send(struct work *w, const struct amocrm_config *cfg, const struct http_call *call,
    struct http_answer *answer)
{
	struct worker worker;
	const char *path;
	const char *line;
	bool done;

	if (!find_worker(w, &path) || !write_call(w, cfg, call, &line)
	    || !start_worker(w, path, &worker))
		return false;
	done = write_line(w, worker.to, line)
	    && read_answer(w, worker.from, call->deadline_ms + WORKER_LATE_MS, answer);
	stop_worker(&worker, !done);
	return done;
}
