/* SPDX-License-Identifier: ISC */
/*
 * The listening socket of a blkd behind vhost-user: made, given with --fd,
 * given by socket activation, and what will not do.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/virtio_blk.h>
#include <netinet/in.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/options.h"
#include "blkd/vhost_harness.h"
#include "blkd/vhost_listen.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* --- what is served ----------------------------------------------------- */

static void
read_one(struct vhost_harness *h)
{
	ring_harness_request(&h->ring, 0, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h->ring, 0, NULL));
}

/* Serve, end in order: the socket is not blkd's to remove. */
static void
serve_given(bool activated)
{
	struct vhost_harness h;
	int i, status;

	harness_make(&h);
	harness_listen(&h, activated);
	for (i = 0; i < 2; i++) {
		harness_spawn(&h, NULL);
		harness_connect(&h);
		harness_negotiate(&h, HARNESS_FEATURES,
		    VHOST_PROTOCOL_OFFERED);
		harness_memory(&h);
		harness_ring(&h, 0, h.ring.used_idx);
		read_one(&h);
		kill(h.pid, SIGTERM);
		status = harness_wait(&h);
		ATF_CHECK(WIFEXITED(status));
		ATF_CHECK_EQ(EX_OK, WEXITSTATUS(status));
		ATF_CHECK(access(HARNESS_SOCKET, F_OK) == 0);
	}
	harness_free(&h);
}

CASE(activated__is_served_and_kept)
{
	(void)tc;
	serve_given(true);
}

CASE(fd__is_served_and_kept)
{
	(void)tc;
	serve_given(false);
}

/* --- the environment ---------------------------------------------------- */

static int
make_socket(int domain, int type, bool listens)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	ATF_REQUIRE(fd != -1);
	if (listens && domain == AF_UNIX) {
		/* An abstract name that the kernel chooses. */
		const struct sockaddr_un sun = { .sun_family = AF_UNIX };

		ATF_REQUIRE(bind(fd, (const struct sockaddr *)&sun,
		    sizeof(sa_family_t)) == 0);
	}
	ATF_REQUIRE(!listens || listen(fd, 1) == 0);
	return fd;
}

/* By any way, the environment says nothing any more when the child starts. */
static void
check_forgotten(const struct options *o)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_FDS",
	    "LISTEN_FDNAMES", "LISTEN_PIDFDID" };
	struct vhost_listen l;
	size_t i;

	for (i = 0; i < 4; i++)
		ATF_REQUIRE(setenv(names[i], "7", 1) == 0);
	(void)vhost_listen_open(&l, o);
	for (i = 0; i < 4; i++)
		ATF_CHECK_MSG(getenv(names[i]) == NULL, "%s is handed on",
		    names[i]);
	vhost_listen_close(&l);
	ATF_CHECK_EQ(-1, l.fd);
}

CASE(environment__is_forgotten)
{
	const struct options made = { .socket = "made", .fd = -1,
	    .mode = 0600 };
	const struct options found = { .fd = -1 };
	struct options given = { .fd = -1 };

	(void)tc;
	given.fd = make_socket(AF_UNIX, SOCK_STREAM, true);
	check_forgotten(&made);
	ATF_CHECK(access("made", F_OK) == -1);
	check_forgotten(&found);
	check_forgotten(&given);
}

/* --- what is refused ---------------------------------------------------- */

enum given { NOTHING, CLOSED, A_FILE, TCP, DATAGRAM, SEQPACKET, DEAF, GOOD };

/* In a child, so that numbers can be chosen; returns blkd's exit status. */
static int
start_with(enum given what, const char *pid, const char *fds, const char *arg)
{
	struct vhost_harness h;
	const char *argv[] = { arg, NULL };
	char self[16];
	int fd = -1, status;

	harness_make(&h);
	h.pid = fork();
	ATF_REQUIRE(h.pid != -1);
	if (h.pid != 0) {
		status = harness_wait(&h);
		harness_free(&h);
		ATF_REQUIRE(WIFEXITED(status));
		return WEXITSTATUS(status);
	}
	if (what == A_FILE)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	else if (what > A_FILE)
		fd = make_socket(what == TCP ? AF_INET : AF_UNIX,
		    what == DATAGRAM ? SOCK_DGRAM : what == SEQPACKET ?
		    SOCK_SEQPACKET : SOCK_STREAM,
		    what != DATAGRAM && what != DEAF);
	close(3);
	if (fd != -1 && fd != 3 && dup2(fd, 3) == -1)
		_exit(125);
	snprintf(self, sizeof(self), "%d", (int)getpid());
	if (pid != NULL)
		setenv("LISTEN_PID", *pid == '=' ? self : pid, 1);
	if (fds != NULL)
		setenv("LISTEN_FDS", fds, 1);
	h.no_socket = true;
	harness_exec(&h, argv);
}

CASE(given__what_will_not_do)
{
	static const struct {
		enum given	 what;
		const char	*pid;		/* "=": its own */
		const char	*fds;
		const char	*arg;
		int		 status;
		const char	*says;
	} row[] = {
		{ NOTHING, NULL, NULL, NULL, EX_UNAVAILABLE,
		    "no socket: give -s, --fd, or" },
		{ GOOD, "1", "1", NULL, EX_UNAVAILABLE,
		    "LISTEN_PID is 1: the sockets of the activation are not"
		    " for this process" },
		{ GOOD, "=", NULL, NULL, EX_UNAVAILABLE,
		    "LISTEN_FDS is not set" },
		{ GOOD, "none", "1", NULL, EX_UNAVAILABLE,
		    "LISTEN_PID is none" },
		{ GOOD, NULL, "1", NULL, EX_UNAVAILABLE,
		    "LISTEN_PID is not set" },
		{ GOOD, "=", "2", NULL, EX_UNAVAILABLE, "LISTEN_FDS is 2" },
		{ GOOD, "=", "0", NULL, EX_UNAVAILABLE, "LISTEN_FDS is 0" },
		{ GOOD, "=", "1x", NULL, EX_UNAVAILABLE, "LISTEN_FDS is 1x" },
		{ A_FILE, "=", "1", NULL, EX_UNAVAILABLE,
		    "descriptor 3 is no socket" },
		{ TCP, "=", "1", NULL, EX_UNAVAILABLE,
		    "descriptor 3 is no socket of AF_UNIX" },
		{ DATAGRAM, "=", "1", NULL, EX_UNAVAILABLE,
		    "descriptor 3 is no stream socket" },
		{ SEQPACKET, "=", "1", NULL, EX_UNAVAILABLE,
		    "descriptor 3 is no stream socket" },
		{ DEAF, "=", "1", NULL, EX_UNAVAILABLE,
		    "descriptor 3 does not listen" },
		{ TCP, NULL, NULL, "--fd=3", EX_UNAVAILABLE,
		    "descriptor 3 is no socket of AF_UNIX" },
		{ DEAF, NULL, NULL, "--fd=3", EX_UNAVAILABLE,
		    "descriptor 3 does not listen" },
		{ CLOSED, NULL, NULL, "--fd=900", EX_UNAVAILABLE,
		    "descriptor 900 is not open" },
		{ NOTHING, NULL, NULL, "--fd=2", EX_USAGE,
		    "--fd 2: too small (3 to 1023)" },
		{ NOTHING, NULL, NULL, "--fd=three", EX_USAGE,
		    "--fd three: invalid (3 to 1023)" },
	};
	size_t i;

	(void)tc;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		(void)unlink(HARNESS_LOG);
		ATF_CHECK_EQ_MSG(row[i].status, start_with(row[i].what,
		    row[i].pid, row[i].fds, row[i].arg), "row %zu", i);
		ATF_CHECK_MSG(harness_has_said(row[i].says),
		    "row %zu does not say: %s", i, row[i].says);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, activated__is_served_and_kept);
	ATF_TP_ADD_TC(tp, fd__is_served_and_kept);
	ATF_TP_ADD_TC(tp, environment__is_forgotten);
	ATF_TP_ADD_TC(tp, given__what_will_not_do);
	return atf_no_error();
}
