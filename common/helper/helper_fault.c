/* helper_fault.c - see helper_fault.h. */
#include "helper/helper_fault.h"

void
helper_fault_encode(struct strbuf *sb, const struct ctx *ctx)
{
	strbuf_addch(sb, '{');
	json_add_member(sb, "fault", fault_name(ctx->kind));
	json_add_member(sb, "reason", ctx->reason);
	strbuf_addch(sb, '}');
}

bool
helper_fault_decode(struct ctx *ctx, const struct json_object *reply)
{
	const char *reason = json_get_string(reply, "reason");

	if (!json_object_object_get_ex(reply, "fault", NULL))
		return true;
	return fault(ctx, fault_by_name(json_get_string(reply, "fault")), "%s",
	    reason == NULL ? "the helper gave no reason" : reason);
}
