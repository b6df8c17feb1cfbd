/* fcgi_listener.c - see fcgi_listener.h. */
#include "web/fcgi_listener.h"

#include "helper/helper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
is_ignored(int signal)
{
	struct sigaction action;

	return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* What was ignored when we were started stays so: nohup. */
static bool
hold_signals(struct fcgi_listener *l)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (!is_ignored(ends[i]))
			sigaddset(&held, ends[i]);
	sigaddset(&held, SIGCHLD);
	sigaction(SIGCHLD, &usual, NULL);
	l->signals = signalfd(-1, &held, SFD_NONBLOCK | SFD_CLOEXEC);
	return l->signals >= 0 && sigprocmask(SIG_BLOCK, &held, NULL) == 0;
}

/* Another process may have taken the connection that woke this one: accept must not wait then. */
static bool
never_wait_in_accept(int socket)
{
	int flags = fcntl(socket, F_GETFL);

	return flags >= 0 && fcntl(socket, F_SETFL, flags | O_NONBLOCK) == 0;
}

bool
fcgi_listener_open(struct ctx *ctx, struct fcgi_listener *l, int socket)
{
	*l = (struct fcgi_listener){ .socket = socket, .signals = -1 };
	if (hold_signals(l) && never_wait_in_accept(socket)) {
		helper_reap(
		    ctx); /* those of before, whose end may have been told before we listened */
		return true;
	}
	ctx_fault(ctx, FAULT_SERVER, "cannot listen: %s", strerror(errno));
	fcgi_listener_close(l);
	return false;
}

void
fcgi_listener_close(struct fcgi_listener *l)
{
	if (l->signals >= 0)
		close(l->signals);
}

/* Which hosts may connect (FastCGI specification, section 3.2); all, if it is not set. */
static bool
is_web_server(const struct sockaddr_storage *peer)
{
	const char *allowed = getenv("FCGI_WEB_SERVER_ADDRS");
	struct sockaddr_in v4;
	char address[INET_ADDRSTRLEN];

	if (allowed == NULL || peer->ss_family != AF_INET)
		return true;
	memcpy(&v4, peer, sizeof v4);
	if (inet_ntop(AF_INET, &v4.sin_addr, address, sizeof address) == NULL)
		return false;
	for (size_t len = strlen(address); *allowed != '\0'; allowed += *allowed == ',') {
		size_t item = strcspn(allowed, ",");

		if (item == len && strncmp(allowed, address, len) == 0)
			return true;
		allowed += item;
	}
	return false;
}

static void
set_up(int connection, const struct sockaddr_storage *peer)
{
	const struct timeval stall = { .tv_sec = LISTENER_STALL_S };
	const int on = 1;

	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
	setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall);
	if (peer->ss_family == AF_INET || peer->ss_family == AF_INET6)
		setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* -1: nobody is there any more.  False: nobody will be. */
static bool
take_connection(const struct fcgi_listener *l, int *connection)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof peer;

	*connection = accept4(l->socket, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	if (*connection < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
		    || errno == EPROTO;
	if (!is_web_server(&peer)) {
		close(*connection);
		*connection = -1;
	} else
		set_up(*connection, &peer);
	return true;
}

static void
take_signals(struct fcgi_listener *l, struct ctx *ctx)
{
	struct signalfd_siginfo told;

	while (read(l->signals, &told, sizeof told) == sizeof told)
		if (told.ssi_signo == SIGCHLD)
			helper_reap(ctx);
		else
			l->ending = true;
}

bool
fcgi_listener_wait(struct fcgi_listener *l, struct ctx *ctx, int *connection)
{
	bool is_new = false;

	for (;;) {
		struct pollfd ready[] = {
			{ .fd = l->signals, .events = POLLIN },
			{ .fd = *connection < 0 ? l->socket : *connection, .events = POLLIN },
		};
		int timeout_ms = is_new ? FCGI_LISTENER_SILENT_MS : l->ending ? 0 : -1;
		int found = poll(ready, 2, timeout_ms);

		if (found < 0 && errno != EINTR)
			return false;
		if (ready[0].revents != 0)
			take_signals(l, ctx);
		if (*connection >= 0 && ready[1].revents != 0)
			return true;
		if (l->ending && !is_new)
			return false;
		if (is_new && found == 0) {
			close(*connection);
			*connection = -1;
			is_new = false;
		} else if (*connection < 0 && ready[1].revents != 0) {
			if (!take_connection(l, connection))
				return false;
			is_new = *connection >= 0;
		}
	}
}
