/* schema.h - the tables of the database, and their version: meta.schema.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "base/ctx.h"
#include "session.h"

/* The version that schema.sql makes.  A program refuses a later one, whose tables and columns it
 * does not know.  It works with those from SCHEMA_OLDEST on, the version before at least: so the
 * programs of all hosts are upgraded one after the other, and the schema after the last. */
#define SCHEMA_VERSION 1
#define SCHEMA_OLDEST  1

/* Generated from schema.sql: its lines, without comments, and NULL. */
extern const char *const schema_lines[];

/* Checks once per session that the program works with the version.
 * Fault: FAULT_CONFIG with the cure; see session_query. */
bool schema_check(struct ctx *ctx, struct session *session);

#endif
