/* SPDX-License-Identifier: ISC */
/*
 * A blkd for tests of the monitor: says what it was given, and does as its
 * disk's serial number tells it.
 *
 *	fail	answers ATTACH with FAIL
 *	mute	never answers
 *	slow	is ready 1.5 s after ATTACH
 *	die	exits at ATTACH
 *	replace	is ready, then asks to be replaced (its first time)
 *	garbage	is ready, then sends what is no message (its first time)
 *	stay	is ready, and does not obey DETACH
 *	deaf	is ready, and answers no command
 *	busy	is ready, and answers any but PAUSE
 *	numb	is ready, has a request in flight, and answers no PING
 *	spin	is ready, and its queue 1 runs without a step
 *	wait	is ready, and its queue 1 is in I/O without a step
 *	bare	is ready, and lacks a layer of the sandbox
 *	shed	is ready, and lacks one its second time
 *
 * Anything else: is ready, and exits 0 at DETACH.  As a vm process it is
 * ready at MACHINE, and lacks a layer where the machine is named "bare".  With
 * an argument "fds" it prints its descriptors and environment on stderr and
 * exits; with "lock" and a file, it takes the file's owner lock, says so, and
 * waits for the end of its input; with "share" and a process, it does so with
 * the sockets on which that listens.
 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/chan.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/imagelock.h"
#include "vmmd/spawn.h"

static void
print_inheritance(void)
{
	char path[300], target[256];
	struct dirent *entry;
	ssize_t n;
	DIR *dir;

	if ((dir = opendir("/proc/self/fd")) == NULL)
		exit(1);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s",
		    entry->d_name);
		if ((n = readlink(path, target, sizeof(target) - 1)) == -1)
			exit(1);
		target[n] = '\0';
		fprintf(stderr, "fd %s %s\n", entry->d_name, target);
	}
	closedir(dir);
	fprintf(stderr, "environment %s\n",
	    environ[0] == NULL ? "empty" : environ[0]);
	fprintf(stderr, "group %s\n",
	    getpgrp() == getpid() ? "own" : "another's");
	fprintf(stderr, "terminal %s\n",
	    open("/dev/tty", O_RDWR | O_CLOEXEC) == -1 ? "none" : "there");
}

static void
answer_attach(const struct proto_blk_attach *attach)
{
	struct proto_blk_ready ready = { .m_layers = PROTO_LAYERS };
	struct proto_fail fail = { .m_errno = EIO,
	    .m_text = "the double was told to fail" };
	struct proto_blk_replace replace = {
		.m_reason = PROTO_REPLACE_RESET };
	const char *what = (const char *)attach->m_serial;
	bool first = attach->m_incarnation == 0;

	fprintf(stderr, "attach %u\n", attach->m_incarnation);
	if (strcmp(what, "die") == 0)
		exit(9);
	if (strcmp(what, "mute") == 0)
		return;
	if (strcmp(what, "bare") == 0 ||
	    (strcmp(what, "shed") == 0 && attach->m_incarnation == 1))
		ready.m_layers &= ~(uint32_t)PROTO_LAYER_LANDLOCK;
	if (strcmp(what, "slow") == 0)
		poll(NULL, 0, 1500);
	if (strcmp(what, "fail") == 0) {
		chan_header(&fail.m_hdr, PROTO_BLK_FAIL, 1);
		chan_send(SPAWN_CHANNEL_FD, &fail, NULL, 0);
		exit(1);
	}
	chan_header(&ready.m_hdr, PROTO_BLK_READY, 1);
	chan_send(SPAWN_CHANNEL_FD, &ready, NULL, 0);
	if (strcmp(what, "replace") == 0 && first) {
		chan_header(&replace.m_hdr, PROTO_BLK_REPLACE, 2);
		chan_send(SPAWN_CHANNEL_FD, &replace, NULL, 0);
	}
	if (strcmp(what, "garbage") == 0 && first)
		send(SPAWN_CHANNEL_FD, "garbage", 7, 0);
}

/* What queue threads would write; the successor's are well. */
static void
write_state(struct msg *m, const char *what)
{
	unsigned queues = m->attach.m_queues, size = m->attach.m_queue_size;
	int fd = msg_take_fd(m, PROTO_ATTACH_STATE);
	struct state *state = state_map(fd, queues, size);
	bool first = m->attach.m_incarnation == 0;
	enum state_beat beat = STATE_BEAT_ASLEEP;

	close(fd);
	if (state == NULL)
		exit(4);
	if (first && strcmp(what, "spin") == 0)
		beat = STATE_BEAT_RUNS;
	else if (first && strcmp(what, "wait") == 0)
		beat = STATE_BEAT_IN_IO;
	shared_store(&state->queue[queues - 1].s_beat,
	    UINT64_C(1) << STATE_BEAT_BITS | beat);
	beat = STATE_BEAT_ASLEEP;
	if (first && strcmp(what, "poolspin") == 0)
		beat = STATE_BEAT_RUNS;
	else if (first && strcmp(what, "poolwait") == 0)
		beat = STATE_BEAT_IN_IO;
	shared_store(&state->thread_fence[queues - 1]
	    [STATE_THREADS_MAX - 1].s_beat,
	    UINT64_C(1) << STATE_BEAT_BITS | beat);
	counter_set(&state->queue[0].s_counters, COUNTER_IN_FLIGHT,
	    first && strcmp(what, "numb") == 0);
	state_unmap(state);
}

/* As a spare: all but the disk is there. */
static void
stand_by(const struct msg *m)
{
	struct proto_empty empty;

	fprintf(stderr, "stand by\n");
	chan_header(&empty.m_hdr, PROTO_BLK_STANDING, m->hdr.m_sequence);
	chan_send(SPAWN_CHANNEL_FD, &empty, NULL, 0);
}

static void
take_over(const struct msg *m)
{
	struct proto_blk_ready ready = { .m_layers = PROTO_LAYERS };

	fprintf(stderr, "take over %u\n", m->take_over.m_incarnation);
	chan_header(&ready.m_hdr, PROTO_BLK_READY, m->hdr.m_sequence);
	chan_send(SPAWN_CHANNEL_FD, &ready, NULL, 0);
}

static void
answer_machine(const struct proto_vm_machine *machine)
{
	struct proto_vm_ready ready = { .m_layers = PROTO_LAYERS };

	if (strcmp((const char *)machine->m_name, "bare") == 0)
		ready.m_layers &= ~(uint32_t)PROTO_LAYER_LANDLOCK;
	chan_header(&ready.m_hdr, PROTO_VM_READY, 1);
	chan_send(SPAWN_CHANNEL_FD, &ready, NULL, 0);
}

static int
hold_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char byte;

	if (fd == -1 || imagelock_take(fd, IMAGELOCK_OWNER, false) == -1 ||
	    imagelock_take(fd, IMAGELOCK_FENCE, false) == -1)
		return 1;
	puts("locked");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return 0;
}

static void
answer_command(const struct msg *m)
{
	struct proto_blk_resized resized = { .m_capacity = 4711 };
	struct proto_blk_faulted faulted = { .m_errno = 0 };
	struct proto_empty empty;

	switch (m->hdr.m_type) {
	case PROTO_BLK_FAULT:
		if (m->fault.m_fault.m_action < PROTO_FAULT_FIRST)
			faulted.m_errno = ENOENT;
		else
			faulted.m_row[0].m_fault = m->fault.m_fault;
		chan_header(&faulted.m_hdr, PROTO_BLK_FAULTED,
		    m->hdr.m_sequence);
		chan_send(SPAWN_CHANNEL_FD, &faulted, NULL, 0);
		return;
	case PROTO_BLK_RESIZE:
		chan_header(&resized.m_hdr, PROTO_BLK_RESIZED,
		    m->hdr.m_sequence);
		chan_send(SPAWN_CHANNEL_FD, &resized, NULL, 0);
		return;
	case PROTO_BLK_PING:
		chan_header(&empty.m_hdr, PROTO_BLK_PONG,
		    m->hdr.m_sequence);
		break;
	case PROTO_BLK_PAUSE:
		chan_header(&empty.m_hdr, PROTO_BLK_PAUSED,
		    m->hdr.m_sequence);
		break;
	case PROTO_BLK_RESUME:
		chan_header(&empty.m_hdr, PROTO_BLK_RESUMED,
		    m->hdr.m_sequence);
		break;
	case PROTO_BLK_LIMITS:
		chan_header(&empty.m_hdr, PROTO_BLK_LIMITED,
		    m->hdr.m_sequence);
		break;
	default:
		return;
	}
	chan_send(SPAWN_CHANNEL_FD, &empty, NULL, 0);
}

/* As a child that was just forked: what it listens on is open twice. */
static int
share_listeners(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int i, fd, on, held = 0;
	socklen_t size;
	char c;

	for (i = 0; i < 256; i++) {
		size = sizeof(on);
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, i, 0);
		if (fd == -1)
			continue;
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on,
		    &size) == 0 && on)
			held++;
		else
			close(fd);
	}
	printf("shared %d\n", held);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return held > 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	bool stay = false, deaf = false, busy = false, numb = false;
	struct msg m;
	int backing = -1;

	if (argc > 1 && strcmp(argv[1], "fds") == 0) {
		print_inheritance();
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "lock") == 0)
		return hold_lock(argv[2]);
	if (argc > 2 && strcmp(argv[1], "share") == 0)
		return share_listeners((pid_t)atoi(argv[2]));
	while (chan_recv(SPAWN_CHANNEL_FD, &m) == PROTO_OK) {
		switch (m.hdr.m_type) {
		case PROTO_BLK_ATTACH:
			/* Held, as a blkd would: the fence is on it. */
			backing = msg_take_fd(&m, PROTO_ATTACH_BACKING);
			stay = strcmp((char *)m.attach.m_serial, "stay") == 0;
			deaf = strcmp((char *)m.attach.m_serial, "deaf") == 0;
			busy = strcmp((char *)m.attach.m_serial, "busy") == 0;
			numb = m.attach.m_incarnation == 0 && strcmp(
			    (char *)m.attach.m_serial, "numb") == 0;
			if (m.attach.m_flags & PROTO_DISK_STANDBY) {
				stand_by(&m);
				break;
			}
			write_state(&m, (char *)m.attach.m_serial);
			answer_attach(&m.attach);
			break;
		case PROTO_BLK_TAKE_OVER:
			take_over(&m);
			break;
		case PROTO_VM_MACHINE:
			answer_machine(&m.machine);
			break;
		case PROTO_BLK_DETACH:
			if (!stay)
				return 0;
			break;
		default:
			if (numb && m.hdr.m_type == PROTO_BLK_PING)
				break;
			if (!deaf &&
			    (!busy || m.hdr.m_type != PROTO_BLK_PAUSE))
				answer_command(&m);
			break;
		}
		msg_clear(&m);
	}
	close(backing);
	return 3;
}
