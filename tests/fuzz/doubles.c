/* SPDX-License-Identifier: ISC */
/* See doubles.h. */
#include <unistd.h>

#include "proto/chan.h"
#include "proto/peer.h"
#include "tests/fuzz/doubles.h"
#include "tests/fuzz/fuzz.h"

struct child *
child_start(struct children *cs, const struct child_kind *kind,
    const char *path, const char *const argv[], const char *name, void *owner)
{
	struct child *c = calloc(1, sizeof(*c));
	int ends[2];

	(void)path;
	(void)argv;
	(void)name;
	FUZZ_REQUIRE(c != NULL && chan_pair(ends) == 0);
	c->children = cs;
	c->kind = kind;
	c->owner = owner;
	c->theirs = ends[1];
	FUZZ_REQUIRE((c->peer = peer_new(cs->base, ends[0], &kind->role,
	    c)) != NULL);
	c->next = cs->first;
	cs->first = c;
	return c;
}

void *
child_owner(const struct child *c)
{
	return c->owner;
}

pid_t
child_pid(const struct child *c)
{
	(void)c;
	return -1;
}

struct peer *
child_peer(const struct child *c)
{
	return c->peer;
}

void
child_kill(struct child *c)
{
	c->killed = true;
}

void
child_bury(struct child *c)
{
	child_kill(c);
}

/* A priority is nothing to a double. */
void
child_give_way(struct child *c)
{
	(void)c;
}

void
child_hasten(struct child *c)
{
	(void)c;
}

void
child_look(struct child *c)
{
	(void)c;
}

void
child_raise(struct child *c)
{
	(void)c;
}

struct hurry *
children_hurry(const struct children *cs)
{
	(void)cs;
	return NULL;
}

void
child_on_ended(void *ctx, const struct peer_end *end)
{
	struct child *c = ctx;

	if (end->error != PROTO_E_EOF)
		child_kill(c);
	c->kind->closed(c->owner, c);
}

void
child_describe_status(int status, char *text, size_t size)
{
	snprintf(text, size, "status %d", status);
}

void
children_describe_layers(uint32_t layers, char *text, size_t size)
{
	snprintf(text, size, "layers %x", layers);
}

bool
children_miss_layers(uint32_t layers, char *text, size_t size)
{
	snprintf(text, size, "of layers %x", layers);
	return (layers & 1) == 0;
}

void
doubles_die(struct child *c, int status)
{
	if (c->dead)
		return;
	c->dead = true;
	c->status = status;
	if (c->theirs != -1)
		close(c->theirs);
	c->theirs = -1;
}

bool
doubles_sweep(struct children *cs)
{
	struct child **link, *c;

	for (c = cs->first; c != NULL; c = c->next)
		if (c->dead && !peer_is_open(c->peer))
			break;
	if (c == NULL)
		return false;
	c->kind->gone(c->owner, c, c->status);
	for (link = &cs->first; *link != c; link = &(*link)->next)
		;
	*link = c->next;
	peer_free(c->peer);
	free(c);
	return true;
}

struct fencewatch *
fencewatch_new(struct event_base *base, int state_fd, unsigned queues,
    unsigned queue_size, struct hurry *hurry, void (*down)(void *ctx),
    void *ctx)
{
	struct fencewatch *f = calloc(1, sizeof(*f));

	(void)base;
	(void)state_fd;
	(void)queues;
	(void)queue_size;
	(void)hurry;
	FUZZ_REQUIRE(f != NULL);
	f->down = down;
	f->ctx = ctx;
	return f;
}

void
fencewatch_free(struct fencewatch *f)
{
	free(f);
}

int
fencewatch_start(struct fencewatch *f)
{
	f->waits = true;
	return 0;
}

void
fencewatch_stop(struct fencewatch *f)
{
	f->waits = false;
}
