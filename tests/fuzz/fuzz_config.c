/* fuzz_config.c - configuration files are read completely, or refused with a reason. */
#include "fuzz.h"

#include "config/config.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("amo-crm.conf", MFD_CLOEXEC);
	struct config cfg;
	struct ctx ctx;
	char path[64];
	bool ok;

	MUST(fd >= 0 && fchmod(fd, 0600) == 0);
	MUST(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	MUST(ctx_open(&ctx, 4 << 20));
	ok = config_read(&ctx, path, &cfg);
	MUST(ok == cfg.valid);
	MUST(ctx.kind == (ok ? FAULT_NONE : FAULT_CONFIG));
	MUST(strlen(ctx.reason) < sizeof ctx.reason && (ctx.reason[0] != '\0') == !ok);
	MUST(cfg.app.deep_link != NULL);
	MUST(!ok || (cfg.amocrm.client_secret[0] != '\0' && cfg.store.keys[0] != '\0'));
	MUST(!ok || (cfg.amocrm.timeout >= 1 && cfg.webhook.max_body >= 1024));
	ctx_close(&ctx);
	close(fd);
	return 0;
}
