/* helper_reap.c - apart from the asking, which most programs do not link. */
#include "helper/helper.h"

#include <sys/wait.h>
#include <unistd.h>

/* Those of a program that has started again in the same process end too, and are nobody's any
 * more. */
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
