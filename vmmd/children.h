/* SPDX-License-Identifier: ISC */
/*
 * The monitor's children: process, channel and log as one thing, from spawn
 * to reaping.  A child belongs to nobody (a spare) or to an owner, a disk or
 * the machine, and is freed after its `gone`.
 */
#ifndef VMMD_CHILDREN_H
#define VMMD_CHILDREN_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/peer.h"

struct child;
struct children;
struct event_base;
struct hurry;

/* A kind of child; outlives all of that kind. */
struct child_kind {
	/*
	 * The handlers' ctx is the struct child.  `ended` must be
	 * child_on_ended.
	 */
	struct peer_role	role;
	/* The channel is closed, by whichever side; the process may live. */
	void	(*closed)(void *owner, struct child *);
	/* Reaped, channel closed, all messages handled; freed on return. */
	void	(*gone)(void *owner, struct child *, int status);
};

/* Watches SIGCHLD on the loop.  NULL and errno. */
struct children	*children_new(struct event_base *);
/* Kills and reaps what is left; NULL is fine. */
void		 children_free(struct children *);
void		 children_kill_all(struct children *);
/* Theirs and their loop's, until children_free. */
struct hurry	*children_hurry(const struct children *);

/*
 * Start a program with argv; `name` is for the log.  NULL and errno.
 */
struct child	*child_start(struct children *, const struct child_kind *,
		    const char *path, const char *const argv[], const char *name,
		    void *owner);
void		*child_owner(const struct child *);
pid_t		 child_pid(const struct child *);
/* The peer: to send, and to set its state. */
struct peer	*child_peer(const struct child *);
/* SIGKILL; `gone` follows. */
void		 child_kill(struct child *);
/*
 * The same, of one with a successor: what is left of it gives way to others;
 * its main thread at once, all of them by child_give_way, which takes longer.
 * Until child_hasten: on a busy host it would not be reaped for long.
 */
void		 child_bury(struct child *);
void		 child_give_way(struct child *);
void		 child_hasten(struct child *);
/*
 * What threads it has now, for child_raise: their turn of a hurry (hurry.h).
 */
void		 child_look(struct child *);
void		 child_raise(struct child *);
void		 child_on_ended(void *child, const struct peer_end *);

/* "signal 9 (Killed)" or "exit code 1". */
void		 child_describe_status(int status, char *text, size_t size);

/*
 * The layers of a sandbox as a child claims them, and what is missing, for
 * the log.  All of them fit CHILDREN_LAYERS_MAX.
 */
#define CHILDREN_LAYERS_MAX	512
void		 children_describe_layers(uint32_t layers, char *text,
		    size_t size);

/*
 * Whether what `strict` wants is missing by the child's own account, and
 * what that is.  A child may lie; one that does not is not believed to be
 * shut in.
 */
bool		 children_miss_layers(uint32_t layers, char *text,
		    size_t size);

#endif /* VMMD_CHILDREN_H */
