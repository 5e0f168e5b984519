/* SPDX-License-Identifier: ISC */
/*
 * Carry out a request that has passed the gates.  Knows the request and the
 * engine; no ring, no message, no configuration but the serial.
 */
#ifndef BLKD_EXEC_H
#define BLKD_EXEC_H

#include <stdbool.h>

struct disk;
struct engine;
struct engine_ops;
struct request;

/*
 * Start it.  Returns true if it was finished on the spot: answer and
 * used_len are set.  Else the engine has it, and exec_finish follows when
 * the engine gives its operation back.
 */
bool	exec_start(struct request *, const struct disk *,
	    const struct engine_ops *, struct engine *);
void	exec_finish(struct request *);

/* Answer without running: `status` is one of VIRTIO_BLK_S_*. */
void	exec_answer(struct request *, int status);

/* Is this I/O so long that finished requests should not wait behind it? */
bool	exec_is_long(const struct request *);

/* What it does, for messages. */
const char *exec_name(const struct request *);

/* Does it change the backing? */
bool	exec_is_write(const struct request *);

/* Do they touch the same bytes, and one of them changes them? */
bool	exec_overlaps(const struct request *, const struct request *);

#endif /* BLKD_EXEC_H */
