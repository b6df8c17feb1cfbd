/* store_op.h - what the engines of the store ask of an operation of store_commit.
 */
#ifndef STORE_OP_H
#define STORE_OP_H

#include "store/store.h"

/* Whether it is one of store_op_put, which needs no old value. */
bool store_op_is_put(const struct store_op *op);

/* Whether the value that it has chosen is to be written.  Either may be NULL.  Writing an equal
 * value is only worth it if that extends the record's life. */
bool store_op_differs(const struct store_op *op, const char *old, const char *value);

#endif
