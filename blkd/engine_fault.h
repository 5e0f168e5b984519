/* SPDX-License-Identifier: ISC */
/*
 * The engine of a disk with faults on purpose: what faults.h says befalls
 * each operation; the rest goes through the synchronous engine.
 */
#ifndef BLKD_ENGINE_FAULT_H
#define BLKD_ENGINE_FAULT_H

struct disk;
struct engine;
struct engine_ops;

/* `make` of these is engine_fault_make, which needs more. */
extern const struct engine_ops engine_fault;

/* For queue `index`, before the sandbox narrows.  NULL and errno. */
struct engine	*engine_fault_make(const struct disk *, unsigned index);

/* An orderly end: what is held goes to the file.  0, or -1 and errno. */
int		 engine_fault_settle(const struct disk *);

#endif /* BLKD_ENGINE_FAULT_H */
