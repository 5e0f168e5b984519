/* SPDX-License-Identifier: ISC */
/*
 * The monitor's side of the machine channel: machine.c, operator.c and a
 * disk, with a vm process that sends what the input says in any state, and
 * operators who come and go.  The machine ends once and is gone once, every
 * question is answered at most once, no descriptor stays open.
 *
 *	input: steps: what (1 byte; see step), and what that needs
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/chan.h"
#include "shm/memfd.h"
#include "tests/fuzz/doubles.h"
#include "tests/fuzz/fuzz.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/listener.h"
#include "vmmd/machine.h"
#include "vmmd/operator.h"

#define MEMORY		(UINT64_C(2) << 20)
#define STEPS_MAX	200u
#define ROUNDS_MAX	64u	/* to the end of what was stopped */
#define TIMERS_MAX	16u

struct world {
	struct fuzz_input	 in;
	struct event_base	*base;
	struct children		 children;
	struct conf_vm		 conf;
	struct conf_disk	 conf_disk;
	struct disk_host	 disk_host;
	struct machine_host	 host;
	struct operator_host	 operator_host;
	struct listener		 listener;
	struct operators	*operators;
	struct machine		*machine;
	struct disk		*disk[1];
	int			 pipe[2];	/* who comes to the listener */
	unsigned		 ended, gone, asked, answered, stops;
	bool			 disk_gone;
};

/* --- a double: a byte in the pipe is a connection ------------------------ */

int
listener_accept(const struct listener *l, struct ucred *who)
{
	char byte;

	memset(who, 0, sizeof(*who));
	if (read(l->fd, &byte, 1) != 1)
		return -1;
	return fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
}

/* --- the monitor, as monitor.c is ---------------------------------------- */

static void
begin_end(struct world *w)
{
	if (w->stops++ > 0)
		return;
	if (w->machine != NULL && !machine_is_gone(w->machine))
		machine_stop(w->machine);
	else
		disk_stop(w->disk[0]);
}

static void
on_ready(void *ctx)
{
	struct world *w = ctx;

	if (w->stops == 0)
		machine_run(w->machine);
}

static void
on_ended(void *ctx, enum exitcode_reason reason, uint32_t detail)
{
	struct world *w = ctx;

	(void)detail;
	FUZZ_REQUIRE(w->ended++ == 0);
	FUZZ_REQUIRE(exitcode_row(reason) != NULL);
	begin_end(w);
}

static void
on_stuck(void *ctx, unsigned index)
{
	struct world *w = ctx;

	if (index < 1)
		disk_replace(w->disk[index], "a register access is stuck");
}

static void
on_asked(void *ctx, const struct proto_vm_ask *ask, uint32_t sequence)
{
	struct world *w = ctx;

	w->asked++;
	operator_ask(w->operators, ask, sequence);
}

static void
on_client_gone(void *ctx, uint32_t client)
{
	struct world *w = ctx;

	operator_gone(w->operators, client);
}

static void
on_gone(void *ctx)
{
	struct world *w = ctx;

	FUZZ_REQUIRE(w->gone++ == 0 && machine_is_gone(w->machine));
	disk_stop(w->disk[0]);
}

static void
send_client(void *ctx, uint32_t client, int fd)
{
	struct world *w = ctx;

	machine_send_client(w->machine, client, fd);
}

static void
send_answer(void *ctx, uint32_t sequence, struct proto_vm_answer *m)
{
	struct world *w = ctx;

	FUZZ_REQUIRE(++w->answered <= w->asked);
	FUZZ_REQUIRE(memchr(m->m_text, '\0', sizeof(m->m_text)) != NULL);
	machine_answer(w->machine, sequence, m);
}

static void
describe(void *ctx, struct proto_machine_status *status)
{
	struct world *w = ctx;

	machine_status(w->machine, status);
}

static void
stop(void *ctx)
{
	begin_end(ctx);
}

static void
on_disk_ready(void *ctx, struct disk *d)
{
	struct world *w = ctx;
	int fd;

	if (w->machine != NULL)
		machine_replace_channel(w->machine, d);
	else if ((fd = disk_take_channel(d)) != -1)
		close(fd);
}

static void
on_disk_failed(void *ctx, struct disk *d, enum exitcode_reason reason)
{
	(void)d;
	(void)reason;
	begin_end(ctx);
}

static void
on_disk_gone(void *ctx, struct disk *d)
{
	struct world *w = ctx;

	w->disk_gone = disk_is_gone(d);
}

static void
on_disk_answered(void *ctx, struct disk *d, const struct disk_asker *asker,
    int error, const char *text)
{
	struct world *w = ctx;

	operator_disk_answered(w->operators, d, asker, error, text);
}

/* --- steps --------------------------------------------------------------- */

static struct child *
vm_child(const struct world *w)
{
	struct child *c = w->children.first;

	while (c != NULL && c->owner != w->machine)
		c = c->next;
	return c;
}

static void
settle(struct world *w)
{
	do {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
	} while (doubles_sweep(&w->children));
}

static void
drain(struct child *c)
{
	struct msg m;

	while (chan_recv_nowait(c->theirs, &m) == PROTO_OK)
		msg_clear(&m);
}

static void
say(struct child *c, const void *packet, size_t size)
{
	if (c != NULL && c->theirs != -1)
		(void)send(c->theirs, packet, size,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A sound message of the vm process, and changes XORed over it. */
static void
say_message(struct world *w)
{
	static const enum proto_type types[] = {
		PROTO_VM_READY, PROTO_VM_FAIL, PROTO_VM_EXIT, PROTO_VM_STUCK,
		PROTO_VM_ASK, PROTO_VM_ASK, PROTO_VM_ASK,
		PROTO_VM_CLIENT_GONE,
	};
	uint8_t type = fuzz_u8(&w->in), a = fuzz_u8(&w->in), changes[255];
	uint8_t n = type & 0x40 ? fuzz_u8(&w->in) : 0;
	const struct proto_fact *fact = type & 0x80 ?
	    proto_fact_at(type % 24) : proto_fact(types[type % 8]);
	struct msg m;
	unsigned i;

	if (fact == NULL)
		return;
	memset(&m, 0, sizeof(m));
	chan_header(&m.hdr, (enum proto_type)fact->type, a);
	if (fact->type == PROTO_VM_READY)
		m.vm_ready.m_layers = PROTO_LAYERS;
	else if (fact->type == PROTO_VM_EXIT)
		m.vm_exit.m_reason = 1 + a % PROTO_EXIT_LAST;
	else if (fact->type == PROTO_VM_FAIL)
		m.fail.m_errno = 1 + a % 100;
	else if (fact->type == PROTO_VM_ASK) {
		m.ask.m_client = a % 4;
		m.ask.m_verb = 1 + (a >> 2) % PROTO_VERB_LAST;
		m.ask.m_disk = a >> 7;
		m.ask.m_fault.m_action = PROTO_FAULT_FIRST;
	}
	fuzz_take(&w->in, changes, n);
	for (i = 0; i < n; i++)
		m.bytes[(sizeof(m.hdr) + i) % fact->size] ^= changes[i];
	say(vm_child(w), m.bytes, fact->size);
}

/* A blkd that does as it is told: the next message of each. */
static void
obey(struct child *c)
{
	static const struct {
		uint16_t	question, answer;
	} pairs[] = {
		{ PROTO_BLK_ATTACH, PROTO_BLK_READY },
		{ PROTO_BLK_PING, PROTO_BLK_PONG },
		{ PROTO_BLK_PAUSE, PROTO_BLK_PAUSED },
		{ PROTO_BLK_RESUME, PROTO_BLK_RESUMED },
		{ PROTO_BLK_LIMITS, PROTO_BLK_LIMITED },
		{ PROTO_BLK_RESIZE, PROTO_BLK_RESIZED },
		{ PROTO_BLK_FAULT, PROTO_BLK_FAULTED },
	};
	struct msg m, answer;
	size_t i;

	while (c->theirs != -1 &&
	    chan_recv_nowait(c->theirs, &m) == PROTO_OK) {
		memset(&answer, 0, sizeof(answer));
		for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
			if (pairs[i].question != m.hdr.m_type)
				continue;
			chan_header(&answer.hdr,
			    (enum proto_type)pairs[i].answer,
			    m.hdr.m_sequence);
			if (pairs[i].answer == PROTO_BLK_READY)
				answer.ready.m_layers = PROTO_LAYERS;
			say(c, answer.bytes, answer.hdr.m_length);
		}
		if (m.hdr.m_type == PROTO_BLK_DETACH)
			doubles_die(c, 0);
		msg_clear(&m);
	}
}

struct timers {
	struct event	*event[TIMERS_MAX];
	unsigned	 n;
};

static int
collect(const struct event_base *base, const struct event *e, void *arg)
{
	struct timers *t = arg;

	(void)base;
	if (t->n < TIMERS_MAX && event_pending(e, EV_TIMEOUT, NULL))
		t->event[t->n++] = (struct event *)(uintptr_t)e;
	return 0;
}

/* The time of one of them is over. */
static void
pass_time(struct world *w, unsigned which)
{
	struct timers t = { .n = 0 };

	(void)event_base_foreach_event(w->base, collect, &t);
	if (t.n == 0)
		return;
	event_del(t.event[which % t.n]);
	event_active(t.event[which % t.n], EV_TIMEOUT, 1);
}

static void
step(struct world *w)
{
	uint8_t what = fuzz_u8(&w->in), junk[64];
	struct child *vm = vm_child(w), *c;

	if ((what & 0xf) < 8) {
		say_message(w);
	} else if ((what & 0xf) == 8) {
		fuzz_take(&w->in, junk, sizeof(junk));
		say(vm, junk, what >> 2);
	} else if ((what & 0xf) == 9) {
		pass_time(w, what >> 4);
	} else if ((what & 0xf) == 10) {
		if (vm != NULL && (vm->killed || what & 0x40))
			doubles_die(vm, vm->killed ? 9 : what << 8);
	} else if ((what & 0xf) == 11) {
		if (vm != NULL && vm->theirs != -1)
			shutdown(vm->theirs, SHUT_RDWR);
	} else if ((what & 0xf) == 12) {
		(void)!write(w->pipe[1], junk, 1);
	} else if ((what & 0xf) == 13) {
		for (c = w->children.first; c != NULL; c = c->next)
			if (c != vm)
				obey(c);
	} else if ((what & 0xf) == 14) {
		for (c = w->children.first; c != NULL; c = c->next)
			if (c != vm && (c->killed || what & 0x40))
				doubles_die(c, 9);
	} else if (what == 0xff) {
		begin_end(w);
	}
	if (vm != NULL && vm->theirs != -1)
		drain(vm);
	settle(w);
}

/* Stopped, and all that were started die: nothing is left. */
static void
end(struct world *w)
{
	unsigned round, i;
	struct child *c;

	begin_end(w);
	for (round = 0; round < ROUNDS_MAX && !(machine_is_gone(w->machine) &&
	    disk_is_gone(w->disk[0])); round++) {
		for (c = w->children.first; c != NULL; c = c->next)
			doubles_die(c, 9);
		settle(w);
		for (i = 0; i < 8; i++)
			pass_time(w, i);
		settle(w);
	}
	FUZZ_REQUIRE(machine_is_gone(w->machine) && disk_is_gone(w->disk[0]));
	FUZZ_REQUIRE(w->disk_gone && w->gone == 1 && w->ended == 1);
	FUZZ_REQUIRE(w->children.first == NULL);
	FUZZ_REQUIRE(w->answered == w->asked);
}

/* --- the world ----------------------------------------------------------- */

static void
make_hosts(struct world *w, const char *image, bool strict)
{
	w->conf.memory = MEMORY;
	w->conf.vcpus = 1;
	snprintf(w->conf.name, sizeof(w->conf.name), "vm");
	w->conf_disk = (struct conf_disk) {
		.name = "vda", .queues = 2, .queue_size = 64,
		.block_size = 512, .faults = true,
	};
	snprintf(w->conf_disk.path, sizeof(w->conf_disk.path), "%s", image);
	w->host = (struct machine_host) {
		.base = w->base, .children = &w->children, .vmmd = "vmmd",
		.conf = &w->conf, .strict = strict,
		.gmem_fd = memfd_make("gmem", MEMORY), .initrd_fd = -1,
		.ctx = w, .ready = on_ready, .ended = on_ended,
		.stuck = on_stuck, .asked = on_asked,
		.client_gone = on_client_gone, .gone = on_gone,
	};
	w->host.kvm_fd = w->host.kernel_fd = w->host.gmem_fd;
	w->host.serial_in = w->host.serial_out = w->host.gmem_fd;
	w->disk_host = (struct disk_host) {
		.base = w->base, .children = &w->children, .blkd = "blkd",
		.gmem_fd = w->host.gmem_fd, .memory = MEMORY,
		.attach_ms = 60000, .healthy_ms = 60000, .spare_ms = 60000,
		.hang_ms = 60000, .ctx = w, .ready = on_disk_ready,
		.failed = on_disk_failed, .gone = on_disk_gone,
		.answered = on_disk_answered,
	};
	FUZZ_REQUIRE(pipe2(w->pipe, O_CLOEXEC | O_NONBLOCK) == 0);
	w->listener.fd = w->pipe[0];
	w->operator_host = (struct operator_host) {
		.base = w->base, .listener = &w->listener,
		.disk = w->disk, .ndisks = 1, .ctx = w,
		.client = send_client, .answer = send_answer,
		.status = describe, .stop = stop,
	};
}

static void
run(struct event_base *base, const char *image, const uint8_t *data,
    size_t size)
{
	struct world w = { .in = { data, size }, .base = base };
	unsigned i;

	w.children.base = base;
	make_hosts(&w, image, size & 1);
	FUZZ_REQUIRE(disk_new(&w.disk_host, &w.conf_disk, 0, &w.disk[0]) ==
	    EXITCODE_NONE);
	FUZZ_REQUIRE((w.operators = operator_new(&w.operator_host)) != NULL);
	disk_start(w.disk[0]);
	w.machine = machine_start(&w.host, w.disk, 1);
	FUZZ_REQUIRE(w.machine != NULL);
	settle(&w);
	for (i = 0; i < STEPS_MAX && w.in.left > 0; i++)
		step(&w);
	end(&w);
	operator_free(w.operators);
	machine_free(w.machine);
	disk_free(w.disk[0]);
	close(w.host.gmem_fd);
	close(w.pipe[0]);
	close(w.pipe[1]);
}

static int
lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	static char image[64];
	int fd, lowest;

	if (base == NULL) {
		base = event_base_new();
		/* No name in a directory: opened again through /proc. */
		fd = memfd_make("image", 1 << 20);
		FUZZ_REQUIRE(base != NULL && fd != -1);
		snprintf(image, sizeof(image), "/proc/self/fd/%d", fd);
	}
	lowest = lowest_free();
	run(base, image, data, size);
	FUZZ_REQUIRE(lowest_free() == lowest);
	return 0;
}
