/* SPDX-License-Identifier: ISC */
/*
 * The connections of operators.  Runs in the vm process, main thread; what
 * comes in is whoever's may connect.  Touches the sockets and the state
 * pages, which it has read-only.
 *
 *	READING -> ASKING -> WRITING -> READING
 *
 * A request is a run over disks, one question to the monitor at a time;
 * nothing is read while it lasts, so that one client costs one line of
 * memory, one question and one reply.
 */
#include <sys/random.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "shm/state.h"
#include "util/log.h"
#include "vmmd/control.h"
#include "vmmd/reply.h"
#include "vmmd/request.h"
#include "vmmd/request_fault.h"

enum client_state {
	CLIENT_FREE,
	CLIENT_READING,		/* waits for a whole line */
	CLIENT_ASKING,		/* the monitor has a question */
	CLIENT_WRITING,		/* the reply goes out */
};

struct client {
	struct control		*control;
	uint32_t		 number;
	enum client_state	 state;
	int			 fd;
	struct event		*readable;
	struct event		*writable;

	char			 line[REQUEST_LINE_MAX];
	size_t			 used;

	struct request		 request;
	json_t			*reply;		/* what there is so far */
	uint32_t		 next_disk;	/* of the run */
	uint32_t		 end_disk;
	uint32_t		 sequence;	/* of the question */

	char			*out;
	size_t			 out_size;
	size_t			 written;
	bool			 last;		/* then the connection ends */
};

struct control_disk {
	char			 name[PROTO_NAME_MAX];
	uint32_t		 queues;
	const struct state	*state;		/* NULL: no such disk */
};

struct control {
	const struct control_host *host;
	struct control_disk	 disk[PROTO_DISKS_MAX];
	uint32_t		 ndisks;
	struct client		 client[PROTO_CLIENTS_MAX];
};

static const struct timeval idle = { CONTROL_IDLE_S, 0 };

static void	client_go_on(struct client *);

/* --- a connection ------------------------------------------------------ */

static void
client_close(struct client *c)
{
	struct control *control = c->control;
	uint32_t number = c->number;

	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	json_decref(c->reply);
	free(c->out);
	close(c->fd);
	*c = (struct client) {
		.control = control, .number = number, .fd = -1,
	};
	control->host->gone(control->host->ctx, number);
}

static void
client_set_state(struct client *c, enum client_state state)
{
	c->state = state;
	event_del(c->readable);
	event_del(c->writable);
	if (state == CLIENT_READING)
		event_add(c->readable, &idle);
	else if (state == CLIENT_WRITING)
		event_add(c->writable, &idle);
}

/* --- the reply --------------------------------------------------------- */

/* Write what the socket takes now; the rest when it takes more. */
static void
client_write(struct client *c)
{
	ssize_t n;

	while (c->written < c->out_size) {
		n = write(c->fd, c->out + c->written,
		    c->out_size - c->written);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			client_set_state(c, CLIENT_WRITING);
			return;
		}
		if (n <= 0) {
			client_close(c);
			return;
		}
		c->written += (size_t)n;
	}
	if (c->last) {
		client_close(c);
		return;
	}
	free(c->out);
	c->out = NULL;
	client_set_state(c, CLIENT_READING);
	/* More was sent already: from the loop, so that this does not nest. */
	if (memchr(c->line, '\n', c->used) != NULL)
		event_active(c->readable, 0, 0);
}

/* Send the reply, which is used up. */
static void
client_reply(struct client *c, json_t *reply)
{
	char *text = reply == NULL ? NULL : json_dumps(reply,
	    JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(reply);
	if (text == NULL) {
		client_close(c);
		return;
	}
	c->out_size = strlen(text);
	c->out = text;
	/* The newline takes the place of the NUL. */
	c->out[c->out_size++] = '\n';
	c->written = 0;
	client_write(c);
}

static void
client_refuse(struct client *c, int error, const char *text)
{
	json_decref(c->reply);
	c->reply = NULL;
	client_reply(c, reply_error(error, text));
}

static void
client_finish(struct client *c)
{
	json_t *reply = c->reply;

	c->reply = NULL;
	client_reply(c, reply);
}

/* --- the run over the disks -------------------------------------------- */

static int
client_ask(struct client *c, enum proto_verb verb, uint32_t disk)
{
	struct proto_vm_ask ask = {
		.m_client = c->number, .m_verb = verb, .m_disk = disk,
		.m_set = c->request.set, .m_limits = c->request.limits,
		.m_fault = c->request.fault,
	};
	const struct control_host *host = c->control->host;

	client_set_state(c, CLIENT_ASKING);
	c->sequence = host->ask(host->ctx, &ask);
	return c->sequence == 0 ? -1 : 0;
}

static void
add_disk(struct client *c, json_t *disk)
{
	json_array_append_new(json_object_get(c->reply, "disks"), disk);
}

/* Statistics need no monitor. */
static void
add_all_stats(struct client *c)
{
	const struct control_disk *d;
	struct stats stats;

	for (; c->next_disk < c->end_disk; c->next_disk++) {
		d = &c->control->disk[c->next_disk];
		stats_read(d->state, d->queues, &stats);
		add_disk(c, reply_stats(d->name, &stats));
	}
}

/* The next question, or the reply. */
static void
client_go_on(struct client *c)
{
	const struct request_row *row = request_row(c->request.command);

	if (c->request.command == REQUEST_STATS)
		add_all_stats(c);
	if (row->disk == REQUEST_NO_DISK || c->next_disk == c->end_disk)
		client_finish(c);
	else if (client_ask(c, row->verb, c->next_disk) == -1)
		client_refuse(c, EIO, "the monitor does not listen");
}

void
control_answer(struct control *control, const struct proto_vm_answer *m,
    uint32_t sequence)
{
	struct client *c = &control->client[m->m_client];
	json_t *disk;

	/* Its client may be gone, and its number somebody else's. */
	if (c->state != CLIENT_ASKING || c->sequence != sequence)
		return;
	if (m->m_errno != 0) {
		client_refuse(c, m->m_errno, m->m_text);
		return;
	}
	if (json_object_get(c->reply, "machine") == NULL) {
		/* The first answer, whatever it was to, has the machine. */
		json_object_set_new(c->reply, "machine",
		    reply_machine(&m->m_machine));
		json_object_set_new(c->reply, "disks", json_array());
	} else {
		disk = reply_disk(control->disk[c->next_disk].name,
		    &m->m_disk);
		if (c->request.command == REQUEST_FAULT)
			json_object_set_new(disk, "faults",
			    request_fault_rows(m->m_row));
		add_disk(c, disk);
		c->next_disk++;
	}
	client_go_on(c);
}

/* --- a request --------------------------------------------------------- */

/* Which disks?  -1: there is none of that name. */
static int
find_disks(struct client *c)
{
	const struct control *control = c->control;
	uint32_t i;

	c->next_disk = 0;
	c->end_disk = control->ndisks;
	if (c->request.disk[0] == '\0')
		return 0;
	for (i = 0; i < control->ndisks; i++) {
		if (strcmp(control->disk[i].name, c->request.disk) == 0) {
			c->next_disk = i;
			c->end_disk = i + 1;
			return 0;
		}
	}
	return -1;
}

static void
client_request(struct client *c, const char *line, size_t length)
{
	char why[PROTO_TEXT_MAX];

	if (request_parse(line, length, &c->request, why) == -1) {
		client_refuse(c, EINVAL, why);
		return;
	}
	if (find_disks(c) == -1) {
		client_refuse(c, ENOENT, "there is no such disk");
		return;
	}
	c->reply = json_pack("{s:b}", "ok", 1);
	if (client_ask(c, c->request.command == REQUEST_STOP ?
	    PROTO_VERB_STOP : PROTO_VERB_MACHINE, 0) == -1)
		client_refuse(c, EIO, "the monitor does not listen");
}

/* Take the first line out of the buffer and begin with it. */
static void
client_take_line(struct client *c)
{
	char line[REQUEST_LINE_MAX];
	char *end = memchr(c->line, '\n', c->used);
	size_t length;

	if (end == NULL) {
		if (c->used < sizeof(c->line))
			return;
		c->last = true;
		client_refuse(c, EMSGSIZE,
		    "the request is longer than 4096 bytes");
		return;
	}
	length = (size_t)(end - c->line);
	memcpy(line, c->line, length);
	c->used -= length + 1;
	memmove(c->line, end + 1, c->used);
	client_request(c, line, length);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	ssize_t n;

	if (what & EV_TIMEOUT) {
		client_close(c);
		return;
	}
	if (what == 0) {
		client_take_line(c);
		return;
	}
	n = read(fd, c->line + c->used, sizeof(c->line) - c->used);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		client_set_state(c, CLIENT_READING);
		return;
	}
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->used += (size_t)n;
	client_set_state(c, CLIENT_READING);
	client_take_line(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		client_close(c);
	else
		client_write(c);
}

/* --- for vm.c ---------------------------------------------------------- */

struct control *
control_new(const struct control_host *host)
{
	struct control *control = calloc(1, sizeof(*control));
	size_t seed;
	uint32_t i;

	if (control == NULL)
		return NULL;
	/* jansson would open /dev/urandom, or take the time. */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		free(control);
		return NULL;
	}
	json_object_seed(seed | 1);
	/* Who does not wait for the reply must not end the machine. */
	signal(SIGPIPE, SIG_IGN);
	control->host = host;
	for (i = 0; i < PROTO_CLIENTS_MAX; i++)
		control->client[i] = (struct client) {
			.control = control, .number = i, .fd = -1,
		};
	return control;
}

void
control_free(struct control *control)
{
	uint32_t i;

	if (control == NULL)
		return;
	for (i = 0; i < PROTO_CLIENTS_MAX; i++) {
		if (control->client[i].state != CLIENT_FREE)
			client_close(&control->client[i]);
	}
	for (i = 0; i < control->ndisks; i++)
		state_unmap(control->disk[i].state);
	free(control);
}

int
control_add_disk(struct control *control, const struct proto_vm_disk *m,
    int state_fd)
{
	struct control_disk *d = &control->disk[m->m_index];

	if (m->m_index != control->ndisks) {
		errno = EINVAL;
		return -1;
	}
	d->state = state_map_readonly(state_fd, m->m_queues, m->m_queue_size);
	if (d->state == NULL)
		return -1;
	d->queues = m->m_queues;
	memcpy(d->name, m->m_name, sizeof(d->name));
	control->ndisks++;
	return 0;
}

int
control_add_client(struct control *control, uint32_t client, int fd)
{
	struct event_base *base = control->host->base;
	struct client *c;

	if (client >= PROTO_CLIENTS_MAX ||
	    control->client[client].state != CLIENT_FREE) {
		close(fd);
		return -1;
	}
	c = &control->client[client];
	c->fd = fd;
	c->readable = event_new(base, fd, EV_READ, on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
	if (c->readable == NULL || c->writable == NULL)
		client_close(c);
	else
		client_set_state(c, CLIENT_READING);
	return 0;
}
