/* nested_form.h - application/x-www-form-urlencoded text whose keys nest by brackets,
 * as PHP reads it and amoCRM's webhooks are written.
 *
 *   leads[status][0][id]=1&leads[status][0][name]=A+B&account[id]=2
 *   {"leads":{"status":[{"id":"1","name":"A B"}]},"account":{"id":"2"}}
 *
 * A level whose names are exactly 0 to n-1, in any order, is an array;
 * any other is an object, whose members stand in the order in which they were first named.
 * Values are strings.  As in PHP
 *
 *   a[]=1       takes the index above the highest the level has had, from 0
 *   a=1&a=2     the last one counts, and so it does between a value and a level: a=1&a[b]=2
 *
 * Unlike in PHP nothing is left out or renamed: what cannot be split, a[b or a[b]c, is a name as it
 * stands, dots and blanks stay, and a pair may have an empty name.  A pair without '=' has an empty
 * value.  Bytes that are not UTF-8 become U+FFFD.
 *
 * The cost grows as n log n with the body, whatever the names are.
 */
#ifndef NESTED_FORM_H
#define NESTED_FORM_H

#include "base/ctx.h"

#define NESTED_FORM_PAIRS_MAX 20000 /* twice the largest body that amoCRM was seen to send */
#define NESTED_FORM_KEY_MAX   1024  /* bytes, decoded; real ones have under 200 */
#define NESTED_FORM_DEPTH_MAX 16    /* names in a key; real ones have under 10 */

/* The len bytes at form as one line of JSON, an object.
 * Fault: FAULT_REQUEST for a bad escape, a NUL, no pair at all, or more than the limits above. */
bool nested_form_to_json(struct ctx *ctx, const char *form, size_t len, const char **line);

#endif
