/* SPDX-License-Identifier: ISC */
/* What a blkd makes of a monitor or vm process that gets it wrong. */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "proto/chan.h"
#include "shm/memfd.h"
#include "util/fd.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

static void
require_exit(struct process *p, int status)
{
	int got = process_wait(p);

	ATF_REQUIRE_MSG(WIFEXITED(got), "killed by signal %d",
	    WTERMSIG(got));
	ATF_CHECK_EQ_MSG(status, WEXITSTATUS(got), "%d", WEXITSTATUS(got));
}

/* --- descriptors that are not what they must be ------------------------ */

static int
make_null(const struct process *p)
{
	(void)p;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int
make_file(const struct process *p)
{
	int fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)p;
	ATF_REQUIRE(fd != -1 && ftruncate(fd, (off_t)RING_MEMORY) == 0);
	return fd;
}

static int
make_empty_file(const struct process *p)
{
	(void)p;
	return open("empty", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static int
make_pipe(const struct process *p)
{
	int ends[2];

	(void)p;
	ATF_REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	close(ends[0]);
	return ends[1];
}

static int
make_stream(const struct process *p)
{
	int ends[2];

	(void)p;
	ATF_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	close(ends[0]);
	return ends[1];
}

static int
make_eventfd(const struct process *p)
{
	(void)p;
	return eventfd(0, EFD_CLOEXEC);
}

static int
make_timerfd(const struct process *p)
{
	(void)p;
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static int
make_short_gmem(const struct process *p)
{
	(void)p;
	return memfd_make("short", RING_MEMORY - 4096);
}

static int
make_unsealed_gmem(const struct process *p)
{
	int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)p;
	ATF_REQUIRE(fd != -1 && ftruncate(fd, (off_t)RING_MEMORY) == 0);
	return fd;
}

static int
make_half_sealed_gmem(const struct process *p)
{
	int fd = make_unsealed_gmem(p);

	ATF_REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) == 0);
	return fd;
}

static int
make_frozen_gmem(const struct process *p)
{
	int fd = make_unsealed_gmem(p);

	ATF_REQUIRE(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK |
	    F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	return fd;
}

static int
reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static int
make_readonly_gmem(const struct process *p)
{
	return reopen(p->ring.gmemfd, O_RDONLY);
}

static int
make_path_gmem(const struct process *p)
{
	return reopen(p->ring.gmemfd, O_PATH);
}

static int
make_readonly_state(const struct process *p)
{
	return reopen(p->ring.statefd, O_RDONLY);
}

static int
make_state_of_other_shape(const struct process *p)
{
	(void)p;
	return state_make(2, PROCESS_QUEUE_SIZE);
}

static int
make_blank_state(const struct process *p)
{
	(void)p;
	return memfd_make("blank", sizeof(struct state));
}

static int
make_readonly_doorbell(const struct process *p)
{
	return reopen(p->doorbellfd, O_RDONLY);
}

static int
make_big_doorbell(const struct process *p)
{
	(void)p;
	return memfd_make("big", 2 * DOORBELL_BYTES);
}

static int
make_readonly_backing(const struct process *p)
{
	return reopen(p->ring.backingfd, O_RDONLY);
}

static int
make_writeonly_backing(const struct process *p)
{
	return reopen(p->ring.backingfd, O_WRONLY);
}

static const struct bad {
	const char	*name;
	size_t		 index;
	int		(*make)(const struct process *);
	int		 errnum;
} bads[] = {
#define GMEM	PROTO_ATTACH_GMEM
	{ "gmem: a device", GMEM, make_null, EINVAL },
	{ "gmem: a file", GMEM, make_file, EINVAL },
	{ "gmem: too short", GMEM, make_short_gmem, EINVAL },
	{ "gmem: not sealed", GMEM, make_unsealed_gmem, EPERM },
	{ "gmem: may shrink", GMEM, make_half_sealed_gmem, EPERM },
	{ "gmem: sealed against writing", GMEM, make_frozen_gmem, EPERM },
	{ "gmem: read-only", GMEM, make_readonly_gmem, EACCES },
	{ "gmem: a path", GMEM, make_path_gmem, EACCES },
	{ "state: an eventfd", PROTO_ATTACH_STATE, make_eventfd, EINVAL },
	{ "state: read-only", PROTO_ATTACH_STATE, make_readonly_state,
	    EACCES },
	{ "state: blank", PROTO_ATTACH_STATE, make_blank_state, EPROTO },
	{ "state: other shape", PROTO_ATTACH_STATE,
	    make_state_of_other_shape, EPROTO },
	{ "doorbell: read-only", PROTO_ATTACH_DOORBELL,
	    make_readonly_doorbell, EACCES },
	{ "doorbell: too big", PROTO_ATTACH_DOORBELL, make_big_doorbell,
	    EINVAL },
	{ "backing: a device that is no disk", PROTO_ATTACH_BACKING,
	    make_null, EINVAL },
	{ "backing: empty", PROTO_ATTACH_BACKING, make_empty_file, EINVAL },
	{ "backing: a pipe", PROTO_ATTACH_BACKING, make_pipe, EINVAL },
	{ "backing: read-only", PROTO_ATTACH_BACKING, make_readonly_backing,
	    EACCES },
	{ "backing: write-only", PROTO_ATTACH_BACKING,
	    make_writeonly_backing, EACCES },
	{ "channel: a stream", PROTO_ATTACH_MMIO, make_stream, EPROTOTYPE },
	{ "channel: a file", PROTO_ATTACH_MMIO, make_file, ENOTSOCK },
	{ "interrupt: a device", PROTO_ATTACH_IRQ, make_null, EINVAL },
	{ "interrupt: a timer", PROTO_ATTACH_IRQ, make_timerfd, EINVAL },
	{ "interrupt: a file", PROTO_ATTACH_IRQ, make_file, EINVAL },
	{ "kick: a pipe", PROTO_ATTACH_KICK, make_pipe, EACCES },
	{ "kick: a socket", PROTO_ATTACH_KICK, make_stream, EINVAL },
};

static void
attach_with(struct process *p, const struct bad *bad)
{
	int ends[2], fds[PROTO_FDS_MAX];
	size_t n;

	process_spawn(p);
	ATF_REQUIRE(chan_pair(ends) == 0);
	fd_close(&p->mmio);
	p->mmio = ends[0];
	p->mmio_blkd = ends[1];
	n = process_fds(p, fds);
	fds[bad->index] = bad->make(p);
	ATF_REQUIRE_MSG(fds[bad->index] != -1, "%s", bad->name);
	process_send_attach(p, fds, n);
	close(fds[bad->index]);
	fd_close(&p->mmio_blkd);
}

ATF_TC_WITHOUT_HEAD(session__wrong_descriptor_is_answered_by_fail);
ATF_TC_BODY(session__wrong_descriptor_is_answered_by_fail, tc)
{
	char where[32];
	struct process p;
	struct msg m;
	size_t i;

	process_make(&p);
	for (i = 0; i < NITEMS(bads); i++) {
		attach_with(&p, &bads[i]);
		process_expect(p.control, PROTO_BLK_FAIL, &m);
		ATF_CHECK_EQ_MSG(bads[i].errnum, m.fail.m_errno, "%s: %s",
		    bads[i].name, m.fail.m_text);
		snprintf(where, sizeof(where), "descriptor %zu (",
		    bads[i].index);
		ATF_CHECK_MSG(strstr(m.fail.m_text, where) != NULL, "%s: %s",
		    bads[i].name, m.fail.m_text);
		require_exit(&p, EX_CONFIG);
	}
	/* None of this has harmed the disk. */
	process_attach(&p, NULL);
	process_go_live(&p);
	process_free(&p);
}

ATF_TC_WITHOUT_HEAD(session__readonly_disk_takes_a_readonly_backing);
ATF_TC_BODY(session__readonly_disk_takes_a_readonly_backing, tc)
{
	struct process p;
	int fd;

	process_make(&p);
	fd = p.ring.backingfd = make_readonly_backing(&p);
	p.attach.m_flags = PROTO_DISK_READONLY;
	process_attach(&p, NULL);
	process_write(&p, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	ATF_CHECK(process_read(&p, VIRTIO_MMIO_DEVICE_FEATURES, 4) &
	    1u << VIRTIO_BLK_F_RO);
	process_tell(&p, PROTO_BLK_DETACH);
	require_exit(&p, EX_OK);
	process_free(&p);
	close(fd);
}

/* --- messages that are none, or not now -------------------------------- */

static void
send_raw(int channel, const void *bytes, size_t n)
{
	ATF_REQUIRE_EQ((ssize_t)n, send(channel, bytes, n, 0));
}

ATF_TC_WITHOUT_HEAD(session__malformed_control_message_ends_blkd);
ATF_TC_BODY(session__malformed_control_message_ends_blkd, tc)
{
	static const char garbage[64] = "this is no message of the protocol";
	struct proto_blk_attach attach;
	struct proto_empty ping;
	struct process p;

	process_make(&p);
	process_spawn(&p);
	send_raw(p.control, garbage, sizeof(garbage));
	require_exit(&p, EX_PROTOCOL);

	process_spawn(&p);
	send_raw(p.control, garbage, 3);
	require_exit(&p, EX_PROTOCOL);

	process_spawn(&p);
	chan_header(&ping.m_hdr, PROTO_BLK_PING, 1);
	ping.m_hdr.m_version++;
	send_raw(p.control, &ping, sizeof(ping));
	require_exit(&p, EX_PROTOCOL);

	/* ATTACH without its descriptors. */
	process_spawn(&p);
	attach = p.attach;
	chan_header(&attach.m_hdr, PROTO_BLK_ATTACH, 1);
	send_raw(p.control, &attach, sizeof(attach));
	require_exit(&p, EX_PROTOCOL);
	process_free(&p);
}

ATF_TC_WITHOUT_HEAD(session__message_out_of_state_ends_blkd);
ATF_TC_BODY(session__message_out_of_state_ends_blkd, tc)
{
	static const enum proto_type early[] = {
		PROTO_BLK_PAUSE, PROTO_BLK_RESUME, PROTO_BLK_RESIZE,
		PROTO_BLK_PONG, PROTO_VM_RUN,
	};
	int fds[PROTO_FDS_MAX];
	struct process p;
	size_t i;

	process_make(&p);
	for (i = 0; i < NITEMS(early); i++) {
		process_spawn(&p);
		process_tell(&p, early[i]);
		require_exit(&p, EX_PROTOCOL);
	}
	process_attach(&p, NULL);
	process_tell(&p, PROTO_BLK_RESUME);
	require_exit(&p, EX_PROTOCOL);
	/* A second ATTACH. */
	process_succeed(&p, NULL);
	p.mmio_blkd = dup(p.mmio);
	process_send_attach(&p, fds, process_fds(&p, fds));
	require_exit(&p, EX_PROTOCOL);
	process_free(&p);
}

ATF_TC_WITHOUT_HEAD(session__malformed_mmio_message_brings_a_successor);
ATF_TC_BODY(session__malformed_mmio_message_brings_a_successor, tc)
{
	struct proto_mmio_read q = { .m_offset = 4094, .m_size = 4 };
	struct process p;

	process_make(&p);
	process_attach(&p, NULL);
	process_go_live(&p);
	chan_header(&q.m_hdr, PROTO_MMIO_READ, 1);
	send_raw(p.mmio, &q, sizeof(q));
	require_exit(&p, EX_PROTOCOL);
	process_succeed(&p, NULL);
	ATF_CHECK_EQ(PROCESS_LIVE, process_read(&p, VIRTIO_MMIO_STATUS, 4));
	process_free(&p);
}

/* --- a start without vmmd ---------------------------------------------- */

static int
run_blkd(const char *argument, int control)
{
	char path[4096];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/blkd/blkd",
	    getenv("VMMD_BUILDDIR"));
	if ((pid = fork()) == 0) {
		close(3);
		if (control != -1)
			dup2(control, 3);
		execl(path, "blkd", argument, (char *)NULL);
		_exit(127);
	}
	ATF_REQUIRE(pid != -1 && waitpid(pid, &status, 0) == pid);
	ATF_REQUIRE(WIFEXITED(status));
	return WEXITSTATUS(status);
}

ATF_TC_WITHOUT_HEAD(session__start_by_hand_says_who_starts_it);
ATF_TC_BODY(session__start_by_hand_says_who_starts_it, tc)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ATF_CHECK_EQ(EX_USAGE, run_blkd(NULL, -1));
	ATF_CHECK_EQ(EX_USAGE, run_blkd("-x", -1));
	ATF_CHECK_EQ(EX_USAGE, run_blkd("what", -1));
	ATF_CHECK_EQ(EX_OK, run_blkd("-V", -1));
	ATF_CHECK(run_blkd(NULL, null) != EX_OK);
	close(null);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, session__wrong_descriptor_is_answered_by_fail);
	ATF_TP_ADD_TC(tp, session__readonly_disk_takes_a_readonly_backing);
	ATF_TP_ADD_TC(tp, session__malformed_control_message_ends_blkd);
	ATF_TP_ADD_TC(tp, session__message_out_of_state_ends_blkd);
	ATF_TP_ADD_TC(tp, session__malformed_mmio_message_brings_a_successor);
	ATF_TP_ADD_TC(tp, session__start_by_hand_says_who_starts_it);
	return atf_no_error();
}
