/* SPDX-License-Identifier: ISC */
/*
 * What a dead blkd has in flight: the lock on its description of the image
 * is not given back before it has landed.
 *
 * A loop device on a slow file: its requests are asynchronous, and nobody's
 * but the ring's once the process is gone.
 */
#include <linux/futex.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "blkd/slow_device.h"
#include "shm/shared.h"
#include "util/fd.h"

#define DELAY_MS	500
#define BYTES		4096u
#define PATIENCE	2000	/* of 5 ms */

/* On its description: 0, or -1 and EAGAIN. */
static int
take_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static void
await_in_flight(const struct slow_device *d, unsigned n)
{
	int i;

	for (i = 0; i < PATIENCE && slow_device_in_flight(d) < n; i++)
		usleep(5000);
	ATF_REQUIRE_EQ(n, slow_device_in_flight(d));
}

/* Where the i-th write goes: no two of them can become one. */
static uint64_t
place(unsigned i)
{
	return UINT64_C(256) * 1024 * i;
}

/* How many of the writes are in the image, below the device. */
static unsigned
landed(unsigned writes)
{
	unsigned i, n = 0;

	for (i = 0; i < writes; i++)
		n += slow_device_landed(place(i)) == 0x5a;
	return n;
}

/* A blkd has a description of its own, with the lock; writes are in flight. */
static void
start_writes(struct process *p, const struct slow_device *d,
    void (*want)(struct process *), unsigned writes)
{
	unsigned i;

	process_make(p);
	want(p);
	close(p->ring.backingfd);
	p->ring.backingfd = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ATF_REQUIRE(p->ring.backingfd != -1);
	ATF_REQUIRE_EQ(0, take_lock(p->ring.backingfd));
	process_attach(p, NULL);
	fd_close(&p->ring.backingfd);
	process_go_live(p);
	for (i = 0; i < writes; i++) {
		memset(ring_harness_data(&p->ring, i), 0x5a, BYTES);
		ring_harness_request(&p->ring, i, VIRTIO_BLK_T_OUT,
		    place(i) / 512, BYTES);
		ring_harness_offer(&p->ring, ring_harness_head(i));
	}
	ring_harness_kick(&p->ring);
	await_in_flight(d, writes);
	ATF_REQUIRE_EQ(0, landed(writes));
}

static void
test_writes(void (*want)(struct process *), unsigned writes, bool outlives)
{
	struct slow_device d;
	struct process p;
	int i, error;

	slow_device_make(&d, RING_DISK_SECTORS * 512, DELAY_MS, 0);
	start_writes(&p, &d, want, writes);
	process_kill(&p);
	error = take_lock(d.fd) == -1 ? errno : 0;
	printf("reaped: the lock %s, %u of %u writes have landed\n",
	    error == 0 ? "is free" : "is held", landed(writes), writes);
	/* Else this has shown nothing. */
	if (outlives)
		ATF_CHECK(error == EAGAIN);
	for (i = 0; i < PATIENCE && error != 0; i++) {
		usleep(5000);
		error = take_lock(d.fd) == -1 ? errno : 0;
	}
	ATF_REQUIRE_EQ(0, error);
	ATF_CHECK_EQ(writes, landed(writes));
	process_free(&p);
	slow_device_free(&d);
}

static void
want_sync(struct process *p)
{
	(void)p;
}

#define SLOW(tc)							\
ATF_TC_WITH_CLEANUP(tc);						\
ATF_TC_HEAD(tc, atf)							\
{									\
	atf_tc_set_md_var(atf, "require.user", "root");			\
	atf_tc_set_md_var(atf, "require.progs",				\
	    "nbdkit nbdfuse fusermount3");				\
}									\
ATF_TC_CLEANUP(tc, atf)							\
{									\
	slow_file_clean_up();						\
}									\
ATF_TC_BODY(tc, atf)

SLOW(stale__sync_write_lands_before_the_lock_is_free)
{
	test_writes(want_sync, 1, false);
}

/* As many at a time as there are threads. */
SLOW(stale__threads_writes_land_before_the_lock_is_free)
{
	test_writes(process_want_threads, PROTO_THREADS_MAX, false);
}

/*
 * Before the lock, the fences: what has begun has landed when the last of
 * them is down, and that is waited for.
 */
SLOW(stale__threads_writes_land_before_the_fences_fall)
{
	const unsigned writes = PROTO_THREADS_MAX;
	const struct state_fence *f;
	struct slow_device d;
	struct process p;
	unsigned i, down;
	int n;

	slow_device_make(&d, RING_DISK_SECTORS * 512, DELAY_MS, 0);
	start_writes(&p, &d, process_want_threads, writes);
	f = p.ring.disk.state->thread_fence[0];
	for (i = 0; i < writes; i++)
		ATF_CHECK((shared_load(&f[i].s_futex) & FUTEX_TID_MASK) != 0);
	kill(p.pid, SIGKILL);
	for (n = down = 0; n < PATIENCE && down < writes; n++) {
		usleep(5000);
		for (down = 0; down < writes && (shared_load_acquire(
		    &f[down].s_futex) & FUTEX_OWNER_DIED) != 0; down++)
			;
	}
	ATF_CHECK_EQ(writes, down);
	ATF_CHECK_EQ(writes, landed(writes));
	process_kill(&p);
	process_free(&p);
	slow_device_free(&d);
}

SLOW(stale__uring_write_lands_before_the_lock_is_free)
{
	test_writes(process_want_uring, 1, true);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, stale__sync_write_lands_before_the_lock_is_free);
	ATF_TP_ADD_TC(tp,
	    stale__threads_writes_land_before_the_lock_is_free);
	ATF_TP_ADD_TC(tp,
	    stale__threads_writes_land_before_the_fences_fall);
	ATF_TP_ADD_TC(tp, stale__uring_write_lands_before_the_lock_is_free);
	return atf_no_error();
}
