/* SPDX-License-Identifier: ISC */
/* A received packet as an owner of descriptors.  Runs in every process. */
#include <unistd.h>

#include "proto/msg.h"

void
msg_init(struct msg *m)
{
	m->length = 0;
	m->nfds = 0;
}

int
msg_take_fd(struct msg *m, size_t index)
{
	int fd;

	if (index >= m->nfds)
		return -1;
	fd = m->fd[index];
	m->fd[index] = -1;
	return fd;
}

void
msg_clear(struct msg *m)
{
	size_t i;

	for (i = 0; i < m->nfds; i++) {
		if (m->fd[i] != -1)
			close(m->fd[i]);
	}
	msg_init(m);
}
