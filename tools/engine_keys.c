/* engine_keys.c - see engine_keys.h. */
#include "engine_keys.h"

#include "base/sha2.h"
#include "helper/postgresql.h"
#include "text/json.h"

#include <json-c/json_object_iterator.h>
#include <string.h>

static void
digest_of(const struct key *key, char digest[SHA256_HEX_SIZE])
{
	sha256_hex(key->secret, KEY_SIZE, digest);
}

/* Sets *what to the id if it is not in the ring with that digest. */
static bool
compare_key(struct ctx *ctx, const struct keyring *ring, const char *kid, const char *recorded,
    struct engine_keys *found)
{
	const struct key *key = keyring_find(ring, kid, strlen(kid));
	char digest[SHA256_HEX_SIZE] = "";

	if (key != NULL)
		digest_of(key, digest);
	if (strcmp(recorded, digest) == 0)
		return true;
	found->first |= key == &ring->keys[0];
	return ctx_strndup(ctx, kid, strlen(kid), key == NULL ? &found->missing : &found->other);
}

bool
engine_keys_compare(struct ctx *ctx, const struct keyring *ring, const struct json_object *reply,
    struct engine_keys *found)
{
	struct json_object *keys = NULL;
	struct json_object_iterator at;
	struct json_object_iterator end;
	bool ok = true;

	*found = (struct engine_keys){ .first = false };
	json_object_object_get_ex(reply, "keys", &keys);
	for (size_t i = 0; i < ring->count; i++)
		if (!json_object_object_get_ex(keys, ring->keys[i].kid, NULL))
			found->added = ring->keys[i].kid;
	if (keys == NULL)
		return true;
	at = json_object_iter_begin(keys);
	end = json_object_iter_end(keys);
	for (; ok && !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
		ok = compare_key(ctx, ring, json_object_iter_peek_name(&at),
		    json_object_get_string(json_object_iter_peek_value(&at)), found);
	return ok;
}

struct change {
	const struct store_config *store;
	const struct keyring *ring;
	const char *verb;
	struct engine_keys *found;
};

static bool
change(struct ctx *ctx, void *arg)
{
	struct change *change = arg;
	char digest[SHA256_HEX_SIZE];
	struct json_object *reply;
	struct strbuf sb;
	bool ok;

	postgresql_request(ctx, change->store, change->verb, &sb);
	strbuf_addstr(&sb, ",\"keys\":{");
	for (size_t i = 0; i < change->ring->count; i++) {
		digest_of(&change->ring->keys[i], digest);
		json_add_member(&sb, change->ring->keys[i].kid, digest);
	}
	strbuf_addch(&sb, '}');
	reply = postgresql_send(ctx, &sb);
	ok = reply != NULL && engine_keys_compare(ctx, change->ring, reply, change->found);
	json_object_put(reply);
	return ok;
}

bool
engine_keys_add(struct ctx *ctx, const struct store_config *store, const struct keyring *ring,
    struct engine_keys *found)
{
	struct change read = { store, ring, "keys", found };
	struct change add = { store, ring, "add_keys", found };

	return postgresql_retry(ctx, change, &read)
	    && (found->missing != NULL || found->other != NULL
		|| postgresql_retry(ctx, change, &add));
}

bool
engine_keys_set(struct ctx *ctx, const struct store_config *store, const struct keyring *ring)
{
	struct engine_keys found;
	struct change set = { store, ring, "set_keys", &found };

	return postgresql_retry(ctx, change, &set);
}
