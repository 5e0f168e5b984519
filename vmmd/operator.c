/* SPDX-License-Identifier: ISC */
/*
 * Operators.  Monitor: knows who they are (the vm process, in namespaces of
 * its own, could not), reads nothing that they send.  The vm process says
 * what they want, and may lie: it can have only what an operator can.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/log.h"
#include "vmmd/disk.h"
#include "vmmd/listener.h"
#include "vmmd/operator.h"
#include "vmmd/request_fault.h"

struct operators {
	const struct operator_host *host;
	struct event	*event;		/* of the listener */
	bool		 waiting;	/* in it: there is a free number */
	bool		 used[PROTO_CLIENTS_MAX];
	struct ucred	 who[PROTO_CLIENTS_MAX];
};

static const char *const verb_names[] = {
	[PROTO_VERB_THROTTLE] = "throttle",
	[PROTO_VERB_RESIZE] = "resize",
	[PROTO_VERB_PAUSE] = "pause",
	[PROTO_VERB_RESUME] = "resume",
	[PROTO_VERB_STOP] = "stop",
	[PROTO_VERB_FAULT] = "fault",
	[PROTO_VERB_UPGRADE] = "upgrade",
};

/* --- connections ------------------------------------------------------- */

static int
find_free(const struct operators *o)
{
	int i;

	for (i = 0; i < PROTO_CLIENTS_MAX; i++) {
		if (!o->used[i])
			return i;
	}
	return -1;
}

static void
wait_for_next(struct operators *o)
{
	bool wanted = find_free(o) != -1;

	if (wanted && !o->waiting)
		event_add(o->event, NULL);
	else if (!wanted && o->waiting)
		event_del(o->event);
	o->waiting = wanted;
}

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
	struct operators *o = arg;
	int client = find_free(o), fd;

	(void)listener;
	(void)what;
	if (client == -1)
		return;
	fd = listener_accept(o->host->listener, &o->who[client]);
	if (fd == -1)
		return;
	o->used[client] = true;
	o->host->client(o->host->ctx, (uint32_t)client, fd);
	close(fd);
	wait_for_next(o);
}

void
operator_gone(struct operators *o, uint32_t client)
{
	o->used[client] = false;
	wait_for_next(o);
}

/* --- questions --------------------------------------------------------- */

static void
answer(struct operators *o, uint32_t client, uint32_t sequence,
    const struct disk *disk, int error, const char *text)
{
	struct proto_vm_answer m = {
		.m_client = client, .m_errno = error,
	};

	snprintf(m.m_text, sizeof(m.m_text), "%s", text);
	if (disk != NULL) {
		disk_status(disk, &m.m_disk);
		disk_faults(disk, m.m_row);
	}
	o->host->status(o->host->ctx, &m.m_machine);
	o->host->answer(o->host->ctx, sequence, &m);
}

void
operator_disk_answered(struct operators *o, const struct disk *disk,
    const struct disk_asker *asker, int error, const char *text)
{
	if (error != 0)
		log_warning("control: %s", text);
	answer(o, asker->client, asker->sequence, disk, error, text);
}

static void
describe_limits(const struct proto_vm_ask *ask, char *text, size_t size)
{
	const struct proto_limits *l = &ask->m_limits;
	const struct {
		uint32_t	 bit;
		const char	*name;
		uint64_t	 value;
	} rows[] = {
		{ PROTO_LIMIT_OPS_RATE, "iops", l->m_ops_rate },
		{ PROTO_LIMIT_OPS_BURST, "iops-burst", l->m_ops_burst },
		{ PROTO_LIMIT_BYTES_RATE, "bps", l->m_bytes_rate },
		{ PROTO_LIMIT_BYTES_BURST, "bps-burst", l->m_bytes_burst },
		{ PROTO_LIMIT_IOPS_SIZE, "iops-size", l->m_iops_size },
	};
	size_t i, used = 0;

	snprintf(text, size, "%s", ask->m_verb == PROTO_VERB_THROTTLE &&
	    (ask->m_set & PROTO_LIMIT_OF_GROUP) != 0 ? " group" : "");
	used = strlen(text);
	for (i = 0; ask->m_verb == PROTO_VERB_THROTTLE &&
	    i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((ask->m_set & rows[i].bit) != 0 && used < size)
			used += (size_t)snprintf(text + used, size - used,
			    " %s=%llu", rows[i].name,
			    (unsigned long long)rows[i].value);
	}
}

/* Who has changed what. */
static void
log_change(const struct operators *o, const struct proto_vm_ask *ask,
    const struct disk *disk)
{
	const struct ucred *who = &o->who[ask->m_client];
	const char *action = request_fault_action(ask->m_fault.m_action);
	char limits[256];

	if (ask->m_verb == PROTO_VERB_FAULT &&
	    ask->m_fault.m_action == PROTO_FAULT_LIST)
		return;
	describe_limits(ask, limits, sizeof(limits));
	if (ask->m_verb == PROTO_VERB_FAULT)
		snprintf(limits, sizeof(limits), " %s",
		    action != NULL ? action : "?");
	log_info("control: uid %u, gid %u, pid %d: %s%s%s%s",
	    (unsigned)who->uid, (unsigned)who->gid, (int)who->pid,
	    verb_names[ask->m_verb], disk != NULL ? " " : "",
	    disk != NULL ? disk_name(disk) : "", limits);
}

void
operator_ask(struct operators *o, const struct proto_vm_ask *ask,
    uint32_t sequence)
{
	struct disk_asker asker = { ask->m_client, sequence };
	struct disk *disk = NULL;

	if (ask->m_verb != PROTO_VERB_MACHINE &&
	    ask->m_verb != PROTO_VERB_STOP) {
		if (ask->m_disk < o->host->ndisks)
			disk = o->host->disk[ask->m_disk];
		if (disk == NULL || !o->used[ask->m_client]) {
			answer(o, ask->m_client, sequence, NULL, ENOENT,
			    "there is no such disk");
			return;
		}
	}
	switch ((enum proto_verb)ask->m_verb) {
	case PROTO_VERB_MACHINE:
	case PROTO_VERB_DISK:
		answer(o, ask->m_client, sequence, disk, 0, "");
		break;
	case PROTO_VERB_STOP:
		log_change(o, ask, NULL);
		answer(o, ask->m_client, sequence, NULL, 0, "");
		o->host->stop(o->host->ctx);
		break;
	default:
		log_change(o, ask, disk);
		disk_ask(disk, ask, &asker);
		break;
	}
}

/* --- making ------------------------------------------------------------ */

struct operators *
operator_new(const struct operator_host *host)
{
	struct operators *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->host = host;
	o->event = event_new(host->base, host->listener->fd,
	    EV_READ | EV_PERSIST, on_connection, o);
	if (o->event == NULL) {
		free(o);
		return NULL;
	}
	wait_for_next(o);
	return o;
}

void
operator_free(struct operators *o)
{
	if (o == NULL)
		return;
	event_free(o->event);
	free(o);
}
