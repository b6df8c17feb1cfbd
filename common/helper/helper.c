/* helper.c - asking; see helper.h.  The other side is helper_server.c. */
#include "helper/helper.h"

#include "base/clock.h"
#include "base/signals.h"
#include "helper/helper_fault.h"
#include "text/json.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef LIBEXEC_PATH
#define LIBEXEC_PATH "/usr/local/lib/amo-crm/libexec"
#endif

#define CHUNK_SIZE 16384        /* bytes; most answers are shorter */
#define REPLY_MAX  (512 * 1024) /* bytes; 64 KiB of body, each byte at worst a \u escape of six */

static const char *const names[HELPERS] = {
	[HELPER_HTTPS] = "amo-crm-https",
	[HELPER_CRYPTO] = "amo-crm-crypto",
};

/* Where it may be: beside the programs' folder, as built and installed; in it, as unpacked by hand;
 * where it was installed. */
static bool
find_helper(struct ctx *ctx, enum helper which, const char **path)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	const char *const places[][2] = {
		{ self, "/../libexec" },
		{ self, "" },
		{ LIBEXEC_PATH, "" },
	};
	char *slash;

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL)
		*slash = '\0';
	for (size_t i = slash == NULL ? 2 : 0; i < sizeof places / sizeof *places; i++) {
		if (!ctx_printf(ctx, path, "%s%s/%s", places[i][0], places[i][1], names[which]))
			return false;
		if (access(*path, X_OK) == 0)
			return true;
	}
	return fault(ctx, FAULT_CONFIG,
	    "%s is not beside the programs, nor at %s, or its mode is not 0755: install or upload "
	    "it again",
	    names[which], *path);
}

/* What is sent to a whole group of processes, as Ctrl-C, is the asker's to obey: a helper that
 * ended with tokens in hand would lose them.  It ends when nobody asks any more, and then by its
 * alarm at the latest (see helper_server.c). */
static void
hold_signals(posix_spawnattr_t *attributes)
{
	sigset_t held;
	sigset_t own;

	signals_blocked_set(&held);
	sigemptyset(&own);
	sigaddset(&own, SIGALRM);
	posix_spawnattr_setsigmask(attributes, &held);
	posix_spawnattr_setsigdefault(attributes, &own);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int
spawn(int *pid, const char *path, int end, char *const *argv, char *const *envp)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, end, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, end, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	hold_signals(&attributes);
	error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* With no environment but what makes malloc overwrite all that is freed (see ctx_open): libcurl
 * takes proxies, certificates and key logs from there. */
static bool
start(struct ctx *ctx, enum helper which)
{
	struct helper_process *helper = &ctx->helpers[which];
	char name[] = "amo-crm-https or amo-crm-crypto";
	char *const argv[] = { name, NULL };
	char tunables[] = CTX_TUNABLES;
	char *const envp[] = { tunables, NULL };
	const char *path;
	int ends[2];
	int error;

	if (!find_helper(ctx, which, &path))
		return false;
	memcpy(name, names[which], strlen(names[which]) + 1);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return fault(ctx, FAULT_SERVER, "no socket pair: %s", strerror(errno));
	error = spawn(&helper->pid, path, ends[1], argv, envp);
	close(ends[1]);
	if (error != 0) {
		close(ends[0]);
		return fault(ctx, FAULT_SERVER, "%s cannot be started: %s", path, strerror(error));
	}
	helper->fd = ends[0];
	helper->running = true;
	return true;
}

void
helper_start(struct ctx *ctx, enum helper which)
{
	bool faulty = ctx->kind != FAULT_NONE;

	if (!ctx->helpers[which].running && !start(ctx, which) && !faulty)
		ctx_clear_fault(ctx);
}

static void
stop(struct helper_process *helper)
{
	close(helper->fd);
	kill(helper->pid, SIGKILL);
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	helper->running = false;
}

/* A helper that has gone away since it was last asked shows here; nothing was done then. */
static bool
send_line(int fd, const char *line)
{
	size_t left = strlen(line);

	while (left > 0) {
		ssize_t n = send(fd, line, left, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		line += n < 0 ? 0 : n;
		left -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}

static bool
send_request(struct ctx *ctx, enum helper which, const char *line)
{
	struct helper_process *helper = &ctx->helpers[which];

	if (helper->running && send_line(helper->fd, line))
		return true;
	if (helper->running)
		stop(helper);
	if (!start(ctx, which))
		return false;
	return send_line(helper->fd, line)
	    || fault(ctx, FAULT_SERVER, "%s does not listen: %s", names[which], strerror(errno));
}

/* The one line of the answer. */
static bool
read_line(struct ctx *ctx, enum helper which, int64_t deadline_ms, const char **line)
{
	char buffer[CHUNK_SIZE];
	struct strbuf sb;
	ssize_t n = 0;

	strbuf_init(ctx, &sb);
	while (n == 0 || buffer[n - 1] != '\n') {
		struct pollfd ready = { .fd = ctx->helpers[which].fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - clock_ms();

		if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) == 0)
			return fault(
			    ctx, FAULT_REPLY_LOST, "%s did not answer in time", names[which]);
		n = read(ready.fd, buffer, sizeof buffer);
		if (n <= 0 || sb.len + (size_t)n > REPLY_MAX)
			return fault(
			    ctx, FAULT_REPLY_LOST, "%s ended without an answer", names[which]);
		strbuf_add(&sb, buffer, (size_t)n);
	}
	explicit_bzero(buffer, sizeof buffer);
	return strbuf_finish(&sb, line);
}

static bool
check_reply(struct ctx *ctx, enum helper which, const struct json_object *reply)
{
	if (reply == NULL)
		return fault(
		    ctx, FAULT_SERVER, "%s sent a line that is none of its own", names[which]);
	return helper_fault_decode(ctx, reply);
}

struct json_object *
helper_request(struct ctx *ctx, enum helper which, const char *line, int64_t deadline_ms)
{
	struct json_object *reply;
	const char *reply_line;
	size_t mark;

	if (!send_request(ctx, which, line))
		return NULL;
	mark = arena_mark(ctx);
	if (!read_line(ctx, which, deadline_ms, &reply_line)) {
		stop(&ctx->helpers[which]); /* its answer would be taken for the next one's */
		return NULL;
	}
	reply = json_parse(reply_line, strlen(reply_line));
	arena_rewind(ctx, mark);
	if (check_reply(ctx, which, reply))
		return reply;
	json_object_put(reply);
	return NULL;
}

void
helper_reap(struct ctx *ctx)
{
	pid_t ended;

	while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
		for (int i = 0; i < HELPERS; i++)
			if (ctx->helpers[i].running && ctx->helpers[i].pid == ended) {
				close(ctx->helpers[i].fd);
				ctx->helpers[i].running = false;
			}
}
