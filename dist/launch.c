/* launch.c - starts the amo-crm-https beside it, with the dynamic loader and libraries beside it.
 *
 *   libexec/amo-crm-https          this program, static
 *   libexec/https/amo-crm-https    the real one
 *   libexec/https/ld-linux-….so    its loader, and its libraries
 *
 * A host's own libc may be older than the one amo-crm-https was built with.  A program names its
 * loader by an absolute path, for which there is no $ORIGIN, and loader and libc must be of one
 * build; so the loader is named here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef LOADER
#define LOADER "ld-linux-x86-64.so.2"
#endif

#define PATH_SIZE 4096

/* By the name this program was started by, which needs no /proc. */
static int
beside(char *path, const char *name)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	const char *slash = self == NULL ? NULL : strrchr(self, '/');
	int len = slash == NULL ? 0 : (int)(slash - self);

	len = snprintf(path, PATH_SIZE, "%.*s/https%s%s", len, slash == NULL ? "." : self,
	    *name ? "/" : "", name);
	return len > 0 && len < PATH_SIZE;
}

int
main(void)
{
	char inhibit_cache[] = "--inhibit-cache";
	char library_path[] = "--library-path";
	char loader[PATH_SIZE];
	char folder[PATH_SIZE];
	char program[PATH_SIZE];
	char *const argv[] = { loader, inhibit_cache, library_path, folder, program, NULL };

	if (!beside(loader, LOADER) || !beside(folder, "") || !beside(program, "amo-crm-https"))
		return EXIT_FAILURE;
	execve(loader, argv, environ);
	perror(loader);
	return EXIT_FAILURE;
}
