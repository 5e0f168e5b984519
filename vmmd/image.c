/* SPDX-License-Identifier: ISC */
/*
 * Images of disks.  Monitor, before the machine starts (image_open) and at
 * each respawn (image_reopen).  Reads no byte of an image.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/log.h"
#include "vmmd/conf.h"
#include "vmmd/image.h"
#include "util/imagelock.h"

void
image_init(struct image *image)
{
	*image = (struct image) { .path_fd = -1, .owner_fd = -1 };
}

void
image_close(struct image *image)
{
	fd_close(&image->path_fd);
	fd_close(&image->owner_fd);
}

/* A description of its own; not of the name, which may be another file now. */
static int
open_again(const struct image *image, int extra)
{
	char path[64];
	int flags = image->readonly ? O_RDONLY : O_RDWR;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", image->path_fd);
	return open(path, flags | extra | O_CLOEXEC | O_NONBLOCK);
}

int
image_reopen(const struct image *image)
{
	int fd, saved;

	fd = open_again(image, image->direct ? O_DIRECT : 0);
	if (fd != -1 && fd_set_nonblock(fd, 0) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Its bytes are in memory, whatever O_DIRECT says. */
static bool
is_in_memory(const struct image *image)
{
	struct statfs fs;

	return fstatfs(image->path_fd, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/*
 * On the page cache a synchronous call is as fast as the copy in it, and a
 * ring would give the request to a kernel thread.  Past it requests take
 * their time, and many of them take no more.
 */
enum proto_engine
image_engine(const struct image *image, enum proto_engine wanted)
{
	if (wanted == PROTO_ENGINE_AUTO &&
	    (!image->direct || is_in_memory(image)))
		return PROTO_ENGINE_SYNC;
	return wanted;
}

unsigned
image_threads(const struct image *image, unsigned wanted, unsigned slow_us)
{
	return slow_us > 0 && is_in_memory(image) ? 0 : wanted;
}

static enum exitcode_reason
fail_open(const struct conf_disk *disk)
{
	int error = errno;

	log_error("disk %s: cannot open the image %s: %s: %s", disk->name,
	    disk->path, strerror(error),
	    error == ENOENT ? "make it, or correct its path" :
	    error == EACCES || error == EPERM || error == EROFS ?
	    "give the user of vmmd access to it, or set readonly = yes" :
	    error == EINVAL && disk->direct ?
	    "set direct = no where the file system has no O_DIRECT" :
	    "see path in vmmd.conf(5)");
	return EXITCODE_NOINPUT;
}

/* The bytes of a file or a block device; -1: it is neither. */
static int64_t
image_bytes(int fd, const struct stat *st)
{
	uint64_t bytes;

	if (S_ISREG(st->st_mode))
		return st->st_size;
	if (S_ISBLK(st->st_mode) && ioctl(fd, BLKGETSIZE64, &bytes) == 0)
		return (int64_t)bytes;
	return -1;
}

static enum exitcode_reason
check_type(const struct conf_disk *disk, const struct stat *st)
{
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return EXITCODE_NONE;
	log_error("disk %s: the image %s is %s: use a regular file or a block"
	    " device", disk->name, disk->path,
	    S_ISDIR(st->st_mode) ? "a directory" : "no file");
	return EXITCODE_DATA;
}

static enum exitcode_reason
check_size(const struct conf_disk *disk, int fd, const struct stat *st)
{
	int64_t bytes = image_bytes(fd, st);

	if (bytes < 0) {
		log_error("disk %s: cannot find out the size of %s: %s",
		    disk->name, disk->path, strerror(errno));
		return EXITCODE_DATA;
	}
	if (bytes == 0) {
		log_error("disk %s: the image %s is empty: give it a size,"
		    " for example with truncate(1)", disk->name, disk->path);
		return EXITCODE_DATA;
	}
	if (bytes % disk->block_size != 0) {
		log_error("disk %s: the image %s has %lld bytes, no multiple"
		    " of the block size %d: correct one of them", disk->name,
		    disk->path, (long long)bytes, disk->block_size);
		return EXITCODE_DATA;
	}
	return EXITCODE_NONE;
}

/* The owner lock for good, and nobody's blkd still at work on it. */
static enum exitcode_reason
take_owner(struct image *image, const struct conf_disk *disk)
{
	char holder[64];
	int fence;

	if ((fence = open_again(image, 0)) == -1)
		return fail_open(disk);
	if (imagelock_take(image->owner_fd, IMAGELOCK_OWNER,
	    image->readonly) == 0 &&
	    imagelock_take(fence, IMAGELOCK_FENCE, image->readonly) == 0) {
		close(fence);
		return EXITCODE_NONE;
	}
	close(fence);
	if (errno != EAGAIN) {
		log_error("disk %s: cannot lock the image %s: %s: use a file"
		    " system with locks", disk->name, disk->path,
		    strerror(errno));
		return EXITCODE_DATA;
	}
	imagelock_describe_holder(image->owner_fd, holder, sizeof(holder));
	log_error("disk %s: the image %s is in use by %s: stop that first",
	    disk->name, disk->path, holder);
	return EXITCODE_LOCKED;
}

enum exitcode_reason
image_open(struct image *image, const struct conf_disk *disk)
{
	enum exitcode_reason reason;
	struct stat st;
	int fd;

	image->readonly = disk->readonly;
	image->direct = disk->direct;
	image->path_fd = open(disk->path, O_PATH | O_CLOEXEC);
	if (image->path_fd == -1 || fstat(image->path_fd, &st) == -1)
		return fail_open(disk);
	if ((reason = check_type(disk, &st)) != EXITCODE_NONE)
		return reason;
	/* What a blkd will get must open, too: O_DIRECT may be refused. */
	if ((fd = image_reopen(image)) == -1)
		return fail_open(disk);
	close(fd);
	if ((image->owner_fd = open_again(image, 0)) == -1)
		return fail_open(disk);
	reason = check_size(disk, image->owner_fd, &st);
	if (reason != EXITCODE_NONE)
		return reason;
	return take_owner(image, disk);
}
