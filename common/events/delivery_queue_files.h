/* delivery_queue_files.h - the queue of ENGINE_FILES: a position in the journal (cursor.h), and
 * dead letters in a file.  Each function does what delivery_queue.h says of the function of its
 * name.  Only one process delivers at a time: it holds <store path>/deliver.lock.
 */
#ifndef DELIVERY_QUEUE_FILES_H
#define DELIVERY_QUEUE_FILES_H

#include "events/delivery_queue_state.h"

bool delivery_queue_files_open(struct ctx *ctx, struct delivery_queue *queue);
void delivery_queue_files_close(struct delivery_queue *queue);
bool delivery_queue_files_run(struct ctx *ctx, struct delivery_queue *queue);
bool delivery_queue_files_status(
    struct ctx *ctx, const struct config *cfg, time_t since, struct delivery_status *status);

/* Saves the cursor.  Fault: as cursor_write. */
bool queue_save(struct ctx *ctx, struct delivery_queue *queue);

/* Adds the events to the deduplication window that were delivered by an earlier process.
 * Fault: FAULT_STORAGE. */
bool queue_load_window(struct ctx *ctx, struct delivery_queue *queue);

/* Makes the common position fit the journal.  *repaired: it did not, or the cursor's file is
 * corrupt; the cursor is saved again, and the window has to be loaded.  Fault: FAULT_STORAGE. */
bool queue_repair(struct ctx *ctx, struct delivery_queue *queue, bool *repaired);

/* Makes the position of a blocked account fit the journal, saves it, and loads the window again.
 * Fault: FAULT_STORAGE. */
bool queue_fit_account(
    struct ctx *ctx, struct delivery_queue *queue, struct blocked_account *account);

#endif
