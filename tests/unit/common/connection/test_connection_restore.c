/* test_connection_restore.c - exported records and pointers are restored, unless the store has
 * newer ones. */
#include "../../setup.h"

#include "connection/connection_internal.h"
#include "store/store_paths.h"

#define USER  "app:u1"
#define KEY   "connection:1:7"
#define USUAL "refresh-usual"
#define NEWER "refresh-newer"

/* Flips a bit of a record's value. */
static void
corrupt(struct setup *s, const char *key, const char *value)
{
	const char *path;
	uint8_t *bytes;
	uint8_t *at;
	size_t len;
	int shard;

	assert_true(store_paths_shard(&s->ctx, key, &shard)
	    && store_paths_file(&s->ctx, &s->cfg.store, shard, &path));
	bytes = file_read(path, &len);
	at = memmem(bytes, len, value, strlen(value));
	assert_non_null(at);
	*at ^= 1;
	file_write(path, bytes, len, 0600);
	free(bytes);
}

static void
restores_a_pointer_unless_there_is_one(void **state)
{
	static const struct {
		const char *label, *before; /* NULL: no pointer */
		bool corrupt, stored;
		const char *expected;
	} table[] = {
		{ "no pointer", NULL, false, true, KEY },
		{ "a pointer to the same connection", KEY, false, false, KEY },
		{ "a pointer to another connection", "connection:2:8", false, false,
		    "connection:2:8" },
		{ "a corrupt pointer", "connection:2:8", true, true, KEY },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const char *key;
		struct setup s;
		bool stored;

		setup_open(&s, *state, CONNECTIONS_PER_USER);
		assert_true(store_put(&s.ctx, &s.cfg.store, USER, table[i].before, 0));
		if (table[i].corrupt)
			corrupt(&s, USER, table[i].before);
		same_fault(table[i].label, &s.ctx,
		    connection_restore_user(&s.ctx, &s.cfg, USER, KEY, &stored), FAULT_NONE);
		same_number(table[i].label, stored, table[i].stored);
		assert_true(store_get(&s.ctx, &s.cfg.store, USER, &key));
		same_text(table[i].label, key, table[i].expected);
		setup_close(&s);
	}
}

static void
fails_without_a_store(void **state)
{
	struct setup s;
	bool stored = true;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	s.cfg.store.path = "/nonexistent/store";
	same_fault("no store", &s.ctx, connection_restore_user(&s.ctx, &s.cfg, USER, KEY, &stored),
	    FAULT_STORAGE);
	DEMAND("nothing was stored", !stored);
	setup_close(&s);
}

/* A record of KEY whose tokens were refreshed at that time. */
static const char *
exported(struct setup *s, const char *refresh_token, time_t refreshed_at)
{
	const struct tokens tokens = { "access", refresh_token, 4102444800 };
	const struct connection connection = { .account_id = 1,
		.amocrm_user_id = 7,
		.host = "reforyou.amocrm.ru",
		.refreshed_at = refreshed_at };
	const char *value;

	if (!record_write(&s->ctx, s->ring, &connection, &tokens, &value))
		fail_msg("%s", s->ctx.reason);
	return value;
}

static void
restores_a_record_unless_the_store_has_tokens_as_new(void **state)
{
	static const struct {
		const char *label;
		int age_s; /* of the record, relative to the one in the store */
		bool corrupt, stored;
	} table[] = {
		{ "a newer record", -1, false, true },
		{ "a record of the same age", 0, false, false },
		{ "an older record", 1, false, false },
		{ "an older record instead of a corrupt one", 1, true, true },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const time_t now = time(NULL);
		struct connection connection;
		struct tokens tokens;
		struct setup s;
		bool found;
		bool stored;
		bool indexed;

		setup_open(&s, *state, CONNECTIONS_PER_USER);
		assert_true(connection_restore(&s.ctx, &s.cfg, s.ring, KEY,
				exported(&s, USUAL, now), NULL, &stored)
		    && stored);
		if (table[i].corrupt)
			corrupt(&s, KEY, "reforyou");
		same_fault(table[i].label, &s.ctx,
		    connection_restore(&s.ctx, &s.cfg, s.ring, KEY,
			exported(&s, NEWER, now - table[i].age_s), NULL, &stored),
		    FAULT_NONE);
		same_number(table[i].label, stored, table[i].stored);
		assert_true(connection_find(&s.ctx, &s.cfg, KEY, &found, &connection) && found
		    && record_tokens(&s.ctx, s.ring, &connection, &tokens)
		    && connection_indexed(&s.ctx, &s.cfg, 1, 7, &indexed));
		same_text(table[i].label, tokens.refresh_token, table[i].stored ? NEWER : USUAL);
		DEMAND(table[i].label, indexed);
		assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
		setup_close(&s);
	}
}

static void
refuses_the_record_of_another_key(void **state)
{
	struct setup s;
	bool stored = false;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	same_fault("another key", &s.ctx,
	    connection_restore(&s.ctx, &s.cfg, s.ring, "connection:1:8",
		exported(&s, USUAL, time(NULL)), NULL, &stored),
	    FAULT_STORAGE);
	DEMAND("nothing was stored", !stored);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(restores_a_pointer_unless_there_is_one),
		IN_FOLDER(fails_without_a_store),
		IN_FOLDER(restores_a_record_unless_the_store_has_tokens_as_new),
		IN_STORE(refuses_the_record_of_another_key),
	};

	return run_engine_tests("connection restore", tests);
}
