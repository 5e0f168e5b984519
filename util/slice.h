/* SPDX-License-Identifier: ISC */
/*
 * How soon a thread runs that has been woken.  Both daemons.
 *
 * A short slice is not a higher priority: the share of a CPU stays the same,
 * it comes in smaller pieces, and so the first one comes sooner.
 */
#ifndef UTIL_SLICE_H
#define UTIL_SLICE_H

/*
 * Ask for short slices, for this thread and those that it will start.  Where
 * the kernel knows none (before Linux 6.12) nothing happens.  Before the
 * sandbox closes.
 */
void	slice_shorten(void);
/* The kernel's again: for a child that has inherited the short ones. */
void	slice_restore(void);

#endif /* UTIL_SLICE_H */
