/* SPDX-License-Identifier: ISC */
/* A loop device on a slow file.  Tests only. */
#include <sys/ioctl.h>
#include <linux/loop.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atf-c.h>

#include "blkd/slow_device.h"
#include "util/fd.h"

#define TRIES	200	/* of 5 ms */

/* The one that is free may be another's the next moment. */
static int
take_device(struct slow_device *d, int control)
{
	d->number = (unsigned)ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(d->path, sizeof(d->path), "/dev/loop%u", d->number);
	d->fd = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd != -1 && ioctl(d->fd, LOOP_SET_FD, d->slow.fd) == 0)
		return 0;
	fd_close(&d->fd);
	return -1;
}

void
slow_device_make(struct slow_device *d, uint64_t bytes, unsigned write_ms,
    unsigned read_ms)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	int control, i;

	slow_file_make(&d->slow, bytes, write_ms, read_ms);
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	for (i = 0; i < TRIES && control != -1; i++) {
		if (take_device(d, control) == 0) {
			close(control);
			return;
		}
		nanosleep(&nap, NULL);
	}
	fd_close(&control);
	slow_file_free(&d->slow);
	atf_tc_skip("no loop devices: %s", strerror(errno));
}

void
slow_device_free(struct slow_device *d)
{
	(void)ioctl(d->fd, LOOP_CLR_FD, 0);
	fd_close(&d->fd);
	slow_file_free(&d->slow);
}

unsigned
slow_device_in_flight(const struct slow_device *d)
{
	unsigned reads, writes;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/loop%u/inflight", d->number);
	ATF_REQUIRE((f = fopen(path, "re")) != NULL);
	ATF_REQUIRE_EQ(2, fscanf(f, "%u %u", &reads, &writes));
	fclose(f);
	return reads + writes;
}

int
slow_device_landed(uint64_t offset)
{
	uint8_t byte = 0;
	int fd = open(SLOW_FILE_IMAGE, O_RDONLY | O_CLOEXEC);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE(pread(fd, &byte, 1, (off_t)offset) == 1);
	close(fd);
	return byte;
}
