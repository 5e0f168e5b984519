/* SPDX-License-Identifier: ISC */
/*
 * A gate that threads wait at.  Runs in the vm process.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "vmmd/gate.h"

struct gate {
	pthread_mutex_t	lock;
	pthread_cond_t	changed;
	size_t		came;
	bool		open;
};

struct gate *
gate_new(void)
{
	struct gate *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	return g;
}

void
gate_free(struct gate *g)
{
	if (g == NULL)
		return;
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void
gate_pass(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->came++;
	pthread_cond_broadcast(&g->changed);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void
gate_wait(struct gate *g, size_t n)
{
	pthread_mutex_lock(&g->lock);
	while (g->came < n)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void
gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}
