/* append.c - many writers append events: to a journal, to a database, or to a stream of Redis.
 *
 *   append files      STORE    ""            WRITERS EVENTS
 *   append postgresql DATABASE PASSWORD_FILE WRITERS EVENTS
 *   append redis      PORT     ""            WRITERS EVENTS
 *
 * A writer is a process, and appends its next of EVENTS events when the previous one is durable: in
 * Redis on the disk of the primary, and acknowledged by a replica.  Prints the seconds that all took,
 * and the longest time in milliseconds that one event took.
 */
#include "base/clock.h"
#include "events/event_log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARENA_SIZE    (64u << 20) /* bytes, as for a request */
#define LINE_SIZE     2600        /* bytes; a form of 2 KB as a stored event */
#define ACCOUNTS      1000        /* that the events are of */
#define PATIENCE_MS   60000       /* a database may fail over meanwhile */
#define REQUEST_SIZE  4096        /* bytes */
#define REPLY_SIZE    512         /* bytes */
#define FIRST_ACCOUNT 40000000
#define WRITERS_MAX   256

struct writer {
	const char *engine;
	const char *where;
	const char *password_file;
	int redis; /* the socket; -1: none */
};

struct sample {
	char line[LINE_SIZE + 1];
	struct event event;
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* An event that no other has the id of. */
static void
make_event(struct sample *sample)
{
	uint64_t random[4];
	int len;

	if (getrandom(random, sizeof random, 0) != sizeof random)
		exit(EXIT_FAILURE);
	sample->event = (struct event){ .account_id = FIRST_ACCOUNT + (int)(random[0] % ACCOUNTS) };
	clock_gettime(CLOCK_REALTIME, &sample->event.received_at);
	len = snprintf(sample->line, sizeof sample->line,
	    "{\"id\":\"%016llx%016llx%016llx%016llx\",\"received_at\":\"2026-11-22T04:19:00.123Z\","
	    "\"account_id\":%lld,\"subdomain\":\"reforyou\",\"events\":[\"leads.status\"],"
	    "\"payload\":{\"x\":\"",
	    (unsigned long long)random[0], (unsigned long long)random[1],
	    (unsigned long long)random[2], (unsigned long long)random[3],
	    (long long)sample->event.account_id);
	memset(sample->line + len, 'x', (size_t)(LINE_SIZE - len));
	memcpy(sample->line + LINE_SIZE - 3, "\"}}", 4);
}

static bool
connect_redis(struct writer *writer)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(writer->where, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	writer->redis = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return writer->redis >= 0
	    && connect(writer->redis, (struct sockaddr *)&address, sizeof address) == 0
	    && setsockopt(writer->redis, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

/* The replies are the id of the entry, in two lines, and how many replicas have it. */
static bool
append_to_redis(const struct writer *writer, const char *line)
{
	char request[REQUEST_SIZE];
	char reply[REPLY_SIZE];
	size_t len = 0;
	int lines = 0;
	int size = snprintf(request, sizeof request,
	    "*5\r\n$4\r\nXADD\r\n$6\r\nevents\r\n$1\r\n*\r\n$4\r\nline\r\n$%d\r\n%s\r\n"
	    "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$5\r\n%d\r\n",
	    LINE_SIZE, line, PATIENCE_MS);

	if (send(writer->redis, request, (size_t)size, MSG_NOSIGNAL) != size)
		return false;
	while (lines < 3) {
		ssize_t n = recv(writer->redis, reply + len, sizeof reply - 1 - len, 0);

		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			lines += reply[len + (size_t)i] == '\n';
		len += (size_t)n;
	}
	reply[len] = '\0';
	return reply[0] == '$' && strstr(reply, "\r\n:0\r\n") == NULL;
}

static bool
append_event(
    struct ctx *ctx, const struct writer *writer, const struct config *cfg, struct sample *sample)
{
	const struct event_log log = event_log_of(cfg);

	make_event(sample);
	if (writer->redis >= 0)
		return append_to_redis(writer, sample->line);
	ctx->database.end_ms = clock_ms() + PATIENCE_MS;
	if (event_log_append(ctx, &log, &sample->event, sample->line))
		return true;
	fprintf(stderr, "append: %s\n", ctx->reason);
	return false;
}

/* All writers begin at the same time, when the gate is closed; each is ready then: it has connected,
 * and appended a first event. */
static int
write_events(struct writer *writer, long events, int ready, int gate, double *longest_ms)
{
	struct config cfg = { .valid = true };
	struct sample sample;
	struct ctx ctx;
	char byte;

	cfg.store.engine =
	    strcmp(writer->engine, "postgresql") == 0 ? ENGINE_POSTGRESQL : ENGINE_FILES;
	cfg.store.path = writer->where;
	cfg.store.database = writer->where;
	cfg.store.password_file = writer->password_file;
	if (!ctx_open(&ctx, ARENA_SIZE)
	    || (strcmp(writer->engine, "redis") == 0 && !connect_redis(writer)))
		return EXIT_FAILURE;
	for (long i = 0; i <= events; i++) {
		double began = now_ms();

		if (!append_event(&ctx, writer, &cfg, &sample))
			return EXIT_FAILURE;
		ctx_wipe(&ctx);
		if (i == 0 && (write(ready, "", 1) != 1 || read(gate, &byte, 1) != 0))
			return EXIT_FAILURE;
		if (i > 0 && now_ms() - began > *longest_ms)
			*longest_ms = now_ms() - began;
	}
	ctx_close(&ctx);
	return EXIT_SUCCESS;
}

/* Starts a writer, and waits until it is ready: many that connect at once would all be late. */
static bool
start(struct writer *writer, long events, const int gate[2], double *longest_ms)
{
	int ready[2];
	char byte;
	bool ok;

	if (pipe(ready) != 0)
		return false;
	if (fork() == 0) {
		close(gate[1]);
		_exit(write_events(writer, events, ready[1], gate[0], longest_ms));
	}
	close(ready[1]);
	ok = read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return ok;
}

/* The seconds from the opening of the gate to the end of the last writer; below 0: one failed. */
static double
run(struct writer *writer, int writers, long events, double *longest_ms)
{
	int gate[2];
	double began;
	int status;
	bool ok = pipe(gate) == 0;

	for (int i = 0; ok && i < writers; i++)
		ok = start(writer, events, gate, &longest_ms[i]);
	began = now_ms();
	close(gate[1]);
	while (wait(&status) > 0)
		ok = ok && status == 0;
	return ok ? (now_ms() - began) / 1e3 : -1;
}

int
main(int argc, char **argv)
{
	int writers = argc == 6 ? (int)strtol(argv[4], NULL, 10) : 0;
	struct writer writer = { .redis = -1 };
	double *shared;
	double seconds;
	double longest = 0;

	if (writers < 1 || writers > WRITERS_MAX)
		return EXIT_FAILURE;
	writer.engine = argv[1];
	writer.where = argv[2];
	writer.password_file = argv[3];
	shared = mmap(NULL, WRITERS_MAX * sizeof *shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return EXIT_FAILURE;
	seconds = run(&writer, writers, strtol(argv[5], NULL, 10), shared);
	for (int i = 0; i < writers; i++)
		if (shared[i] > longest)
			longest = shared[i];
	printf("%.6f %.3f\n", seconds, longest);
	return seconds < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
