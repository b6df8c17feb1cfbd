/* fcgi_restart.c - see fcgi_restart.h. */
#include "web/fcgi_restart.h"

#include "base/ctx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
fcgi_restart(void)
{
	static const char deleted[] =
	    " (deleted)"; /* Linux appends it when the file was replaced */
	char *const argv[] = { program_invocation_name, NULL };
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	char *end;

	if (len <= 0)
		return;
	self[len] = '\0';
	end = strstr(self, deleted);
	if (end != NULL && end[sizeof deleted - 1] == '\0')
		*end = '\0';
	execv(self, argv);
}

void
fcgi_restart_with_tunables(void)
{
	const char *given = getenv("GLIBC_TUNABLES");
	char tunables[1024];
	int len;

	if (given != NULL && strstr(given, CTX_TUNABLE) != NULL)
		return;
	len = snprintf(tunables, sizeof tunables, "%s%s%s", given == NULL ? "" : given,
	    given == NULL ? "" : ":", CTX_TUNABLE);
	if (len < (int)sizeof tunables && setenv("GLIBC_TUNABLES", tunables, 1) == 0)
		fcgi_restart();
}
