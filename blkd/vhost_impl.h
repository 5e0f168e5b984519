/* SPDX-License-Identifier: ISC */
/*
 * The private side of a disk behind vhost-user: for vhost*.c alone.
 *
 * Everything here is private memory, of the main thread.
 */
#ifndef BLKD_VHOST_IMPL_H
#define BLKD_VHOST_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkd/vhost.h"
#include "blkd/vhost_conn.h"
#include "blkd/vhost_mem.h"
#include "blkd/vhost_wire.h"
#include "proto/proto.h"
#include "util/log.h"
#include "util/lograte.h"

struct disk;
struct gmem;
struct queue;

#define VHOST_WHY	224

struct vhost_ring {
	/* As the front-end said; checked when the ring starts. */
	uint32_t	 num;
	uint64_t	 desc;		/* addresses of the front-end */
	uint64_t	 avail;
	uint64_t	 used;
	uint16_t	 base;
	bool		 addressed;
	bool		 enabled;
	bool		 kicked;	/* SET_VRING_KICK: started */

	bool		 running;	/* the queue was started, no rest */
	bool		 started;	/* since it was stopped */
	bool		 broken;	/* and will not be, as it is */
	bool		 said;		/* that it is corrupt */
	int		 kickslot;	/* numbers that stay: see vhost_ring.c */
	int		 callslot;
	int		 errfd;		/* -1: none */
	struct queue	*queue;
};

/* What a message must find at rest. */
enum vhost_still {
	VHOST_STILL_NONE,
	VHOST_STILL_RING,	/* the one that it names */
	VHOST_STILL_ALL,
};

/* How many descriptors come with a message. */
enum vhost_fds {
	VHOST_FDS_NONE,
	VHOST_FDS_ONE,
	VHOST_FDS_ONE_OR_NONE,
	VHOST_FDS_RING,		/* as its payload says */
	VHOST_FDS_TABLE,	/* one a region */
};

/* Which ring a message names, and where. */
enum vhost_names {
	VHOST_NAMES_NONE,
	VHOST_NAMES_INDEX,	/* m_index comes first */
	VHOST_NAMES_U64,	/* in the low bits */
};

struct vhost_rule {
	const char	*name;
	/* NULL: not offered, and a mistake. */
	int		(*handle)(struct vhost *, struct vhost_msg *);
	uint32_t	 least;		/* bytes of payload */
	uint32_t	 most;
	enum vhost_fds	 fds;
	enum vhost_names names;
	enum vhost_still still;
	bool		 stopped;	/* only while the ring is not started */
	uint64_t	 needs;		/* protocol features negotiated */
};

/* So many GET_INFLIGHT_FD until the first one's is made empty again. */
#define VHOST_JOURNALS	8u

struct vhost_reply {
	bool			 wanted;	/* the message has one */
	uint32_t		 bytes;
	int			 fd;		/* -1: none; not the reply's */
	union vhost_payload	 p;
};

struct vhost {
	struct disk		*disk;
	struct vhost_conn	 conn;
	struct vhost_mem	 mem;
	struct gmem		*gmem;		/* NULL: no memory */
	uint64_t		 features;
	uint64_t		 protocol;
	int			 eventfd;
	int			 nothing;	/* an eventfd of nobody */
	int			 callfd[PROTO_QUEUES_MAX];
	struct vhost_ring	 ring[PROTO_QUEUES_MAX];
	const struct vhost_rule	*waiting;	/* for rings to rest */
	bool			 ending;
	struct vhost_reply	 reply;
	int			 journalfd[VHOST_JOURNALS];
	unsigned		 journals;	/* given so far */
	int			 newsfd;	/* for what we send; -1: none */
	bool			 capacity_read;	/* by the front-end: */
	uint64_t		 capacity;	/* so many sectors */
	struct lograte		 lograte;	/* of what is said of them */
	char			 why[VHOST_WHY];
};

/* --- vhost_log.c ------------------------------------------------------- */

/* A line that front-ends, or their guests, can bring about as they like. */
void	vhost_log_line(struct vhost *, enum log_level, const char *fmt, ...)
	    __attribute__((__format__(__printf__, 3, 4)));

/* --- vhost_messages.c -------------------------------------------------- */

/* NULL: no such message. */
const struct vhost_rule *vhost_messages_rule(uint32_t request);
/* Why a message is refused; returns -1. */
int	vhost_messages_refuse(struct vhost *, const char *fmt, ...)
	    __attribute__((__format__(__printf__, 2, 3)));

/* --- vhost_ring.c ------------------------------------------------------ */

int	vhost_ring_make(struct vhost *);	/* all; -1 and errno */
void	vhost_ring_free(struct vhost *);
/* Ask a ring to rest; does it?  Else the eventfd tells. */
bool	vhost_ring_rest(struct vhost *, unsigned index);
bool	vhost_ring_rest_all(struct vhost *);
/* Start every ring that can be. */
void	vhost_ring_start_all(struct vhost *);
/* At rest: not started any more, where it stands is its base. */
void	vhost_ring_stop(struct vhost *, unsigned index);
/* At rest: as before the front-end spoke of it. */
void	vhost_ring_reset(struct vhost *, unsigned index);
/* Rings that turned out corrupt: say so. */
void	vhost_ring_look(struct vhost *);
/* The descriptor becomes the ring's, or is -1; -1: it is no eventfd. */
int	vhost_ring_set_kick(struct vhost *, unsigned index, int fd);
int	vhost_ring_set_call(struct vhost *, unsigned index, int fd);
int	vhost_ring_set_err(struct vhost *, unsigned index, int fd);
/* A queue does not come to rest: is it an eventfd that holds it? */
void	vhost_ring_unstick(struct vhost *);

/* --- vhost_inflight.c -------------------------------------------------- */

/* Before the sandbox narrows; -1 and errno. */
int	vhost_inflight_make(struct vhost *);
void	vhost_inflight_free(struct vhost *);
int	vhost_inflight_get(struct vhost *, struct vhost_msg *);
int	vhost_inflight_set(struct vhost *, struct vhost_msg *);

/* --- vhost_resize.c ---------------------------------------------------- */

int	vhost_resize_set_channel(struct vhost *, struct vhost_msg *);
/* If the front-end last read another capacity, and wants to hear of it. */
void	vhost_resize_tell(struct vhost *);
/* The connection is over. */
void	vhost_resize_forget(struct vhost *);

/* --- vhost.c ----------------------------------------------------------- */

/* Other memory, or none: every ring rests. */
int	vhost_set_memory(struct vhost *);

#endif /* BLKD_VHOST_IMPL_H */
