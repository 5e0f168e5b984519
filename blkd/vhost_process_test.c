/* SPDX-License-Identifier: ISC */
/*
 * A blkd behind vhost-user as a process: its options, its locks, signals and
 * end.
 */
#include <sys/wait.h>

#include <linux/virtio_blk.h>

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/shared.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

CASE(end__sigterm_flushes_and_removes_the_socket)
{
	struct vhost_harness h;
	int status;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	harness_write_and_read(&h, 7);
	kill(h.pid, SIGTERM);
	status = harness_wait(&h);
	ATF_CHECK(WIFEXITED(status));
	ATF_CHECK_EQ(EX_OK, WEXITSTATUS(status));
	ATF_CHECK(access(HARNESS_SOCKET, F_OK) == -1);
	harness_free(&h);
}

CASE(options__read_only_and_serial)
{
	static const char *const more[] = { "-R", "-i", "one-two-three",
	    NULL };
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, more);
	harness_go_live(&h);
	ATF_CHECK(harness_ask_u64(&h, VHOST_GET_FEATURES) &
	    RING_FEATURE(VIRTIO_BLK_F_RO));
	ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, ring_harness_run(&h.ring, 0, NULL));
	ring_harness_request(&h.ring, 1, VIRTIO_BLK_T_GET_ID, 0, 20);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h.ring, 1, NULL));
	ATF_CHECK_STREQ("one-two-three",
	    (char *)ring_harness_data(&h.ring, 1));
	harness_free(&h);
}

CASE(options__limits)
{
	static const char *const more[] = { "-l", "iops=1000,iops-burst=1000",
	    NULL };
	struct vhost_harness h;
	struct timespec a, b;
	unsigned i;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, more);
	harness_go_live(&h);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < 1500; i++) {
		ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_IN, 0, 512);
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK,
		    ring_harness_run(&h.ring, 0, NULL));
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	/* The burst, and then half a second for half of it. */
	ATF_CHECK((b.tv_sec - a.tv_sec) * 1000 +
	    (b.tv_nsec - a.tv_nsec) / 1000000 >= 450);
	harness_free(&h);
}

#define LIMITS_FILE	"limits"

/* As an editor does it: another file takes its place. */
static void
write_limits(const char *text)
{
	FILE *f = fopen("limits.new", "we");

	ATF_REQUIRE(f != NULL);
	ATF_REQUIRE(fputs(text, f) >= 0);
	ATF_REQUIRE(fclose(f) == 0);
	ATF_REQUIRE(rename("limits.new", LIMITS_FILE) == 0);
}

/* The first one runs into debt, so that the next has hours to wait. */
static void
wait_for_hours(struct vhost_harness *h)
{
	ring_harness_request(&h->ring, 0, VIRTIO_BLK_T_IN, 0, 4096);
	ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h->ring, 0, NULL));
	ring_harness_request(&h->ring, 1, VIRTIO_BLK_T_IN, 0, 512);
	ring_harness_offer(&h->ring, ring_harness_head(1));
	ring_harness_kick(&h->ring);
	while (!harness_has_said("throttled_now=1")) {
		ATF_REQUIRE(kill(h->pid, SIGUSR1) == 0);
		harness_wait_said("statistics:");
	}
}

CASE(limits__of_a_file_change_on_sighup)
{
	static const char *const more[] = { "-L", LIMITS_FILE, NULL };
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	write_limits("# very slow\nbps=1\n");
	harness_spawn(&h, more);
	harness_go_live(&h);
	wait_for_hours(&h);
	/* What is wrong, or not there, changes nothing. */
	write_limits("bps=fast");
	ATF_REQUIRE(kill(h.pid, SIGHUP) == 0);
	harness_wait_said("bps=fast: must be");
	ATF_REQUIRE(unlink(LIMITS_FILE) == 0);
	ATF_REQUIRE(kill(h.pid, SIGHUP) == 0);
	harness_wait_said("cannot read");
	ATF_CHECK(!harness_has_said("limits: iops="));
	ATF_CHECK_EQ(1, shared_load(&h.ring.used->g_idx));
	/* What waits goes on at once. */
	write_limits("iops=100000\n");
	ATF_REQUIRE(kill(h.pid, SIGHUP) == 0);
	ring_harness_wait_used(&h.ring, 1);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&h.ring, 1));
	harness_wait_said("limits: iops=100000,");
	harness_free(&h);
}

CASE(limits__file_that_is_wrong_at_the_start)
{
	static const struct {
		const char	*text;
		const char	*more[5];
		const char	*why;
	} bad[] = {
		{ "what=1", { "-L", LIMITS_FILE, NULL }, "what=1: must be" },
		{ "", { "-L", "nowhere", NULL }, "nowhere: cannot read" },
		{ "", { "-L", LIMITS_FILE, "-l", "iops=5", NULL },
		    "exclude each other" },
	};
	struct vhost_harness h;
	int status;
	size_t i;

	(void)tc;
	harness_make(&h);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_limits(bad[i].text);
		h.pid = fork();
		ATF_REQUIRE(h.pid != -1);
		if (h.pid == 0)
			harness_exec(&h, bad[i].more);
		status = harness_wait(&h);
		ATF_CHECK_EQ(EX_USAGE, WEXITSTATUS(status));
		ATF_CHECK(harness_has_said(bad[i].why));
	}
	harness_free(&h);
}

CASE(image__is_locked)
{
	struct vhost_harness h, other;
	int status;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_connect(&h);
	harness_sync(&h);
	/* Its socket is in use: found out before anything is opened. */
	other = h;
	other.pid = fork();
	ATF_REQUIRE(other.pid != -1);
	if (other.pid == 0)
		harness_exec(&other, NULL);
	status = harness_wait(&other);
	ATF_CHECK_EQ(EX_UNAVAILABLE, WEXITSTATUS(status));
	harness_sync(&h);
	ATF_CHECK(harness_has_said("in use"));
	harness_free(&h);
}

CASE(stats__by_signal)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	harness_write_and_read(&h, 1);
	kill(h.pid, SIGUSR1);
	harness_wait_said("reads=1 writes=1 ");
	harness_free(&h);
}

CASE(signals__sighup_does_not_end_it)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	kill(h.pid, SIGHUP);
	harness_write_and_read(&h, 1);
	ATF_CHECK_EQ(0, kill(h.pid, 0));
	kill(h.pid, SIGINT);
	ATF_CHECK_EQ(EX_OK, WEXITSTATUS(harness_wait(&h)));
	harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, end__sigterm_flushes_and_removes_the_socket);
	ATF_TP_ADD_TC(tp, options__read_only_and_serial);
	ATF_TP_ADD_TC(tp, options__limits);
	ATF_TP_ADD_TC(tp, limits__of_a_file_change_on_sighup);
	ATF_TP_ADD_TC(tp, limits__file_that_is_wrong_at_the_start);
	ATF_TP_ADD_TC(tp, image__is_locked);
	ATF_TP_ADD_TC(tp, stats__by_signal);
	ATF_TP_ADD_TC(tp, signals__sighup_does_not_end_it);
	return atf_no_error();
}
