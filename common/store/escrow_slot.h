/* escrow_slot.h - the file of one slot of the escrow, which holds: 8 bytes magic, zero while it is
 * free · 4 bytes length, big-endian · the SHA-256 of the text · the text. */
#ifndef ESCROW_SLOT_H
#define ESCROW_SLOT_H

#include "base/ctx.h"

/* *text is NULL if the slot is free.  So is one that ends early, or that a killed writer has left
 * half written.  Fault: FAULT_STORAGE when it cannot be read: it may hold a text then. */
bool escrow_slot_read(struct ctx *ctx, int fd, const char *path, const char **text);

/* Writes a text of at most ESCROW_TEXT_MAX bytes.  Fault: FAULT_STORAGE. */
bool escrow_slot_write(struct ctx *ctx, int fd, const char *text, bool sync);

/* Makes it free, without waiting for the disk. */
bool escrow_slot_clear(int fd);

/* Overwrites a text of that length, which holds secrets, if sealed ones, and syncs the file.
 * Fault: FAULT_STORAGE. */
bool escrow_slot_free(struct ctx *ctx, int fd, size_t len);

#endif
