/* SPDX-License-Identifier: ISC */
/*
 * The control socket: the bytes of a client, in pieces, and what the monitor
 * answers.  Whatever comes, each line has one line for an answer, and the
 * next client is served.
 *
 *	input: length of a piece (1 byte; 0: hang up), the piece; and so on
 */
#include <sys/socket.h>

#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "shm/state.h"
#include "tests/fuzz/fuzz.h"
#include "vmmd/control.h"

static struct event_base *base;
static struct control *control;
static uint32_t asked;			/* sequence of the open question */
static struct proto_vm_ask question;
static bool gone;

static uint32_t
on_ask(void *ctx, struct proto_vm_ask *ask)
{
	static uint32_t sequence;

	(void)ctx;
	question = *ask;
	if (++sequence == 0)
		sequence = 1;
	return asked = sequence;
}

static void
on_gone(void *ctx, uint32_t client)
{
	(void)ctx;
	(void)client;
	gone = true;
}

static void
make(void)
{
	static struct control_host host = { .ask = on_ask, .gone = on_gone };
	struct proto_vm_disk disk = { .m_queues = 1, .m_queue_size = 64,
	    .m_name = "root" };
	int state = state_make(1, 64);

	host.base = base = event_base_new();
	control = control_new(&host);
	FUZZ_REQUIRE(base != NULL && control != NULL &&
	    control_add_disk(control, &disk, state) == 0);
	close(state);
}

static void
answer(void)
{
	struct proto_vm_answer a = { .m_client = question.m_client };
	uint32_t sequence = asked;

	asked = 0;
	if (question.m_verb == PROTO_VERB_STOP)
		a.m_errno = 5;
	memcpy(a.m_text, "no", 3);
	control_answer(control, &a, sequence);
}

static void
turn(int fd)
{
	char sink[4096];
	unsigned i;

	for (i = 0; i < 64; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		while (read(fd, sink, sizeof(sink)) > 0)
			;
		if (asked == 0)
			return;
		answer();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t piece[256], n;
	int ends[2];

	if (base == NULL)
		make();
	FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, ends) == 0);
	gone = false;
	FUZZ_REQUIRE(control_add_client(control, 0, ends[0]) == 0);
	while (in.left > 0 && !gone && (n = fuzz_u8(&in)) != 0) {
		size_t have = fuzz_take(&in, piece, n);

		if (write(ends[1], piece, have) == -1)
			break;
		turn(ends[1]);
	}
	close(ends[1]);
	while (!gone) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (asked != 0)
			answer();
	}
	return 0;
}
