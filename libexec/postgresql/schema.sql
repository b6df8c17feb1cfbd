-- schema.sql - the tables of amo-crm's database, made by `amocrmctl engine init`.  Table meta, with
-- the version of the schema and the keys of the hosts, is made by schema.c.
--
-- Everything is made only where it is missing.  A later version adds tables and columns, and
-- changes or drops none, so that sessions of an older version's programs go on until they end.

CREATE TABLE IF NOT EXISTS record (
	key text COLLATE "C" PRIMARY KEY,
	value bytea NOT NULL,
	expires timestamptz
);
CREATE INDEX IF NOT EXISTS record_expires ON record (expires) WHERE expires IS NOT NULL;

-- Rows to lock, for milliseconds.
CREATE TABLE IF NOT EXISTS turn (
	name text COLLATE "C" PRIMARY KEY
);

-- until: 'epoch' once the holder has let go.  abandoned_at: when a holder was killed, or its host,
-- since a holder last did what the lease is for.  Tokens are of a sequence, so that they grow although
-- rows of past leases are deleted.
CREATE SEQUENCE IF NOT EXISTS lease_seq AS bigint CACHE 1;
CREATE TABLE IF NOT EXISTS lease (
	name text COLLATE "C" PRIMARY KEY,
	holder text NOT NULL,
	token bigint NOT NULL,
	until timestamptz NOT NULL,
	abandoned_at timestamptz
);

-- id: the first half of the SHA-256 that identifies an event.  to_deliver: it waits, or was delivered
-- or given up, so that a later event with its id is a repetition; false where no receiver was
-- configured, and for a repetition itself.
CREATE SEQUENCE IF NOT EXISTS event_seq AS bigint CACHE 1;
CREATE TABLE IF NOT EXISTS event (
	account_id bigint NOT NULL,
	seq bigint NOT NULL DEFAULT nextval('event_seq'),
	id uuid NOT NULL,
	received_at timestamptz NOT NULL,
	line bytea NOT NULL,
	to_deliver boolean NOT NULL DEFAULT false,
	PRIMARY KEY (account_id, seq)
);
CREATE UNIQUE INDEX IF NOT EXISTS event_by_seq ON event (seq);
CREATE INDEX IF NOT EXISTS event_id ON event (account_id, id);
CREATE INDEX IF NOT EXISTS event_received_at ON event (received_at);

-- The events that are not delivered yet.
CREATE TABLE IF NOT EXISTS pending (
	account_id bigint NOT NULL,
	seq bigint NOT NULL,
	PRIMARY KEY (account_id, seq)
);

-- Who delivers an account's events.
CREATE TABLE IF NOT EXISTS delivery (
	account_id bigint PRIMARY KEY,
	holder text NOT NULL,
	token bigint NOT NULL,
	until timestamptz NOT NULL,
	attempts int NOT NULL DEFAULT 0,
	rejections int NOT NULL DEFAULT 0,
	next_at timestamptz NOT NULL DEFAULT 'epoch'
);

-- The events that were given up.
CREATE TABLE IF NOT EXISTS dead (
	account_id bigint NOT NULL,
	seq bigint NOT NULL,
	died_at timestamptz NOT NULL,
	reason text NOT NULL,
	line bytea NOT NULL,
	PRIMARY KEY (account_id, seq)
);

-- Calls to amoCRM, for the budget of each account, by its host; '' is all together.  Times are in
-- milliseconds since 1970: of each slot from when on it may be free, and is; of each share of
-- exchanges when it is full again.
CREATE TABLE IF NOT EXISTS call (
	account text COLLATE "C" PRIMARY KEY,
	slots bigint[] NOT NULL DEFAULT '{}',
	full_at bigint[] NOT NULL DEFAULT '{}',
	used_on date NOT NULL DEFAULT current_date
);
CREATE INDEX IF NOT EXISTS call_used_on ON call (used_on);
