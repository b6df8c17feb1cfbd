/* schema.h - the tables of the database, and their version: meta.schema.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "base/ctx.h"
#include "session.h"

/* The version that schema.sql makes.  A program works with this one only; a later one has more
 * tables and columns. */
#define SCHEMA_VERSION 1

/* Generated from schema.sql: its lines, without comments, and NULL. */
extern const char *const schema_lines[];

/* Checks once per session that the version is SCHEMA_VERSION.
 * Fault: FAULT_CONFIG with the cure; see session_query. */
bool schema_check(struct ctx *ctx, struct session *session);

#endif
