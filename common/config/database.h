/* database.h - [store] database: the connection string of a PostgreSQL database, as libpq has it
 * (https://www.postgresql.org/docs/15/libpq-connect.html).
 */
#ifndef DATABASE_H
#define DATABASE_H

/* What is wrong with a value; NULL: nothing.  It consists of pairs "keyword=value".  Only keywords
 * that tell where the database is, and how the connection is secured, are accepted: no password,
 * which belongs into a file of its own, and nothing that amo-crm-postgresql sets itself. */
const char *database_problem(const char *value);

#endif
