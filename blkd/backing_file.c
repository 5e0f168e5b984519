/* SPDX-License-Identifier: ISC */
/*
 * Backing by a regular file or a block device.  Runs in blkd, queue threads;
 * trusts the descriptor no further than fstat says; touches it, and the
 * buffers that it is given.
 *
 * Opened with O_DIRECT, what the kernel would refuse for its alignment goes
 * through one bounce buffer, under a lock.  Reading, changing and writing
 * back whole blocks must not cross another write of theirs: claim.h.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/backing_call.h"
#include "blkd/backing_iov.h"

#define BOUNCE_BYTES	(256u << 10)
#define ALIGN_MAX	4096u
#define ALIGN_MIN	512u

struct backing {
	int		 fd;
	bool		 device;	/* a block device */
	bool		 singly;	/* one buffer a call */
	uint32_t	 align;		/* of O_DIRECT; 1: none needed */
	uint8_t		*bounce;	/* BOUNCE_BYTES; or NULL */
	pthread_mutex_t	 lock;		/* of the bounce buffer */
	struct claims	 claims;	/* with O_DIRECT */
};

enum direction { TO_MEMORY, TO_FILE };

/* One call: as much as the kernel takes.  0 is the end of the file. */
static ssize_t
transfer_some(const struct backing *b, enum direction d,
    const struct backing_iov *v, uint64_t offset)
{
	int n = v->n > IOV_MAX ? IOV_MAX : (int)v->n;
	const struct iovec *iov = v->iov;
	off_t at = (off_t)offset;
	ssize_t done;

	do {
		if (n == 1 || b->singly)
			done = d == TO_MEMORY ?
			    backing_call_pread(b->fd, iov->iov_base,
			    iov->iov_len, at) :
			    backing_call_pwrite(b->fd, iov->iov_base,
			    iov->iov_len, at);
		else
			done = d == TO_MEMORY ?
			    backing_call_preadv(b->fd, iov, n, at) :
			    backing_call_pwritev(b->fd, iov, n, at);
	} while (done == -1 && errno == EINTR);
	return done;
}

/* --- opening ------------------------------------------------------------ */

static int
check_mode(int flags, bool readonly)
{
	int mode = flags & O_ACCMODE;

	if ((flags & O_PATH) != 0 || mode == O_WRONLY ||
	    (!readonly && mode != O_RDWR)) {
		errno = EACCES;
		return -1;
	}
	return 0;
}

/* Find by trying what O_DIRECT asks for here: 512 bytes, or pages. */
static uint32_t
probe_align(const struct backing *b)
{
	struct iovec iov = { b->bounce + ALIGN_MIN, ALIGN_MIN };
	struct backing_iov v = { &iov, 1 };

	return transfer_some(b, TO_MEMORY, &v, ALIGN_MIN) == ALIGN_MIN ?
	    ALIGN_MIN : ALIGN_MAX;
}

/*
 * Without O_DIRECT where its blocks do not make up the whole file: a write
 * of the last one would make the file longer.
 */
static int
set_up_direct(struct backing *b, int flags, int64_t size)
{
	if ((b->bounce = aligned_alloc(ALIGN_MAX, BOUNCE_BYTES)) == NULL)
		return -1;
	b->align = probe_align(b);
	if (size % b->align == 0)
		return 0;
	free(b->bounce);
	b->bounce = NULL;
	b->align = 1;
	return fcntl(b->fd, F_SETFL, flags & ~O_DIRECT);
}

struct backing *
backing_open(int fd, bool readonly, uint32_t block_size)
{
	struct backing *b;
	struct stat st;
	int64_t size;
	int flags;

	if (fstat(fd, &st) == -1 || (flags = fcntl(fd, F_GETFL)) == -1)
		return NULL;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		errno = EINVAL;
		return NULL;
	}
	if (check_mode(flags, readonly) == -1 ||
	    (b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	*b = (struct backing) { .fd = fd, .device = S_ISBLK(st.st_mode),
	    .align = 1 };
	pthread_mutex_init(&b->lock, NULL);
	claims_init(&b->claims);
	if ((size = backing_size(b)) == -1)
		goto fail;
	if (size < block_size) {
		errno = EINVAL;
		goto fail;
	}
	if ((flags & O_DIRECT) != 0 && set_up_direct(b, flags, size) == -1)
		goto fail;
	return b;

fail:
	b->fd = -1;	/* still the caller's */
	backing_close(b);
	return NULL;
}

void
backing_close(struct backing *b)
{
	int saved = errno;

	if (b == NULL)
		return;
	if (b->fd != -1)
		close(b->fd);
	pthread_mutex_destroy(&b->lock);
	claims_destroy(&b->claims);
	free(b->bounce);
	free(b);
	errno = saved;
}

void
backing_take_singly(struct backing *b)
{
	b->singly = true;
}

/*
 * One call for files and devices, which is all that the narrow sandbox has.
 * Nothing reads or writes at the offset that it moves.
 */
int64_t
backing_size(const struct backing *b)
{
	return lseek(b->fd, 0, SEEK_END);
}

int
backing_fd(const struct backing *b)
{
	return b->fd;
}

bool
backing_is_direct(const struct backing *b)
{
	return b->align != 1;
}

bool
backing_is_device(const struct backing *b)
{
	return b->device;
}

/* --- claims ------------------------------------------------------------- */

static void
claim_blocks(struct backing *b, struct claim *claim, uint64_t offset,
    uint64_t bytes, bool alone)
{
	uint64_t mask = b->align - 1;

	claim->taken = false;
	if (b->align != 1)
		claim_take(&b->claims, claim, offset & ~mask,
		    (offset + bytes + mask) & ~mask, alone);
}

void
backing_claim(struct backing *b, struct claim *claim, uint64_t offset,
    uint64_t bytes)
{
	claim_blocks(b, claim, offset, bytes, false);
}

void
backing_unclaim(struct backing *b, struct claim *claim)
{
	if (claim->taken)
		claim_give(&b->claims, claim);
}

/* --- transfers ---------------------------------------------------------- */

/* The rest of the memory and of the offset is as O_DIRECT wants it. */
bool
backing_fits(const struct backing *b, const struct iovec *iov, size_t niov,
    uint64_t offset)
{
	uintptr_t bits = offset;
	size_t i;

	if (b->align == 1)
		return true;
	for (i = 0; i < niov; i++)
		bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return (bits & (b->align - 1)) == 0;
}

/*
 * Fill the bounce buffer with the blocks from `start` on; past the end of
 * the file they are zeroes.  Returns how many bytes the file had, or -1.
 */
static ssize_t
bounce_fill(struct backing *b, uint64_t start, size_t span)
{
	struct iovec iov;
	size_t done = 0;
	ssize_t n;

	while (done < span) {
		iov = (struct iovec) { b->bounce + done, span - done };
		n = transfer_some(b, TO_MEMORY,
		    &(struct backing_iov) { &iov, 1 }, start + done);
		if (n == -1)
			return -1;
		done += (size_t)n;
		if (n == 0 || done % b->align != 0)
			break;	/* the end */
	}
	memset(b->bounce + done, 0, span - done);
	return (ssize_t)done;
}

static int
bounce_drain(struct backing *b, uint64_t start, size_t span)
{
	struct iovec iov;
	size_t done = 0;
	ssize_t n;

	while (done < span) {
		iov = (struct iovec) { b->bounce + done, span - done };
		n = transfer_some(b, TO_FILE,
		    &(struct backing_iov) { &iov, 1 }, start + done);
		if (n <= 0 || (size_t)n % b->align != 0) {
			if (n >= 0)
				errno = EIO;
			return -1;
		}
		done += (size_t)n;
	}
	return 0;
}

/* One buffer's worth of whole blocks; advances v and *offset. */
static int
bounce_once(struct backing *b, enum direction d, struct backing_iov *v,
    uint64_t *offset, uint64_t *zeroed)
{
	uint64_t start = *offset & ~(uint64_t)(b->align - 1);
	size_t skip = (size_t)(*offset - start), len, span;
	ssize_t had;

	len = backing_iov_bytes(v);
	if (len > BOUNCE_BYTES - skip)
		len = BOUNCE_BYTES - skip;
	span = (skip + len + b->align - 1) & ~(size_t)(b->align - 1);
	if ((had = bounce_fill(b, start, span)) == -1)
		return -1;
	if (d == TO_FILE) {
		backing_iov_gather(v, b->bounce + skip, len);
		if (bounce_drain(b, start, span) == -1)
			return -1;
	} else {
		backing_iov_scatter(v, b->bounce + skip, len);
		if ((size_t)had < skip + len)
			*zeroed += (size_t)had < skip ? len :
			    skip + len - (size_t)had;
	}
	*offset += len;
	return 0;
}

static int
bounce(struct backing *b, enum direction d, struct backing_iov *v,
    uint64_t offset, uint64_t *zeroed)
{
	int error = 0;

	pthread_mutex_lock(&b->lock);
	while (v->n > 0 && error == 0)
		error = bounce_once(b, d, v, &offset, zeroed);
	pthread_mutex_unlock(&b->lock);
	return error;
}

int
backing_read(struct backing *b, struct iovec *iov, size_t niov,
    uint64_t offset, uint64_t *zeroed)
{
	struct backing_iov v = { iov, niov };
	ssize_t n;

	*zeroed = 0;
	backing_iov_skip(&v, 0);
	while (v.n > 0) {
		if (!backing_fits(b, v.iov, v.n, offset))
			return bounce(b, TO_MEMORY, &v, offset, zeroed);
		if ((n = transfer_some(b, TO_MEMORY, &v, offset)) == -1)
			return -1;
		if (n == 0) {
			*zeroed = backing_iov_zero(&v);
			return 0;
		}
		backing_iov_skip(&v, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

/* As much as the kernel takes as it is. */
static int
write_fitting(const struct backing *b, struct backing_iov *v, uint64_t *offset)
{
	ssize_t n;

	while (v->n > 0 && backing_fits(b, v->iov, v->n, *offset)) {
		n = transfer_some(b, TO_FILE, v, *offset);
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			return -1;
		}
		backing_iov_skip(v, (size_t)n);
		*offset += (uint64_t)n;
	}
	return 0;
}

int
backing_write(struct backing *b, struct iovec *iov, size_t niov,
    uint64_t offset)
{
	struct backing_iov v = { iov, niov };
	uint64_t unused = 0;
	struct claim claim;
	int error;

	backing_iov_skip(&v, 0);
	if (b->align == 1)
		return write_fitting(b, &v, &offset);
	claim_blocks(b, &claim, offset, backing_iov_bytes(&v), false);
	error = write_fitting(b, &v, &offset);
	backing_unclaim(b, &claim);
	if (error == -1 || v.n == 0)
		return error;
	claim_blocks(b, &claim, offset, backing_iov_bytes(&v), true);
	error = bounce(b, TO_FILE, &v, offset, &unused);
	backing_unclaim(b, &claim);
	return error;
}

int
backing_flush(struct backing *b)
{
	int r;

	do {
		r = fdatasync(b->fd);
	} while (r == -1 && errno == EINTR);
	return r;
}

/* --- ranges ------------------------------------------------------------- */

static int
allocate(const struct backing *b, int mode, uint64_t offset, uint64_t bytes)
{
	int r;

	do {
		r = fallocate(b->fd, mode, (off_t)offset, (off_t)bytes);
	} while (r == -1 && errno == EINTR);
	return r;
}

/* The same of a block device. */
static int
call_device(const struct backing *b, unsigned long request, uint64_t offset,
    uint64_t bytes)
{
	int r;

	do {
		r = backing_call_range(b->fd, request, offset, bytes);
	} while (r == -1 && errno == EINTR);
	return r;
}

static int
give_up(const struct backing *b, uint64_t offset, uint64_t bytes)
{
	if (!b->device)
		return allocate(b, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		    offset, bytes);
	if (call_device(b, BLKDISCARD, offset, bytes) == 0)
		return 0;
	/* Blocks smaller than the device's: a discard is only a hint. */
	return errno == EINVAL ? 0 : -1;
}

int
backing_discard(struct backing *b, uint64_t offset, uint64_t bytes)
{
	struct claim claim;
	int error;

	if (bytes == 0)
		return 0;
	backing_claim(b, &claim, offset, bytes);
	error = give_up(b, offset, bytes);
	backing_unclaim(b, &claim);
	return error;
}

/* Where neither the file system nor the device can. */
static int
write_zeroes(struct backing *b, uint64_t offset, uint64_t bytes)
{
	static const uint8_t zeroes[64u << 10]
	    __attribute__((aligned(ALIGN_MAX)));
	struct iovec iov;
	size_t n;

	for (; bytes > 0; offset += n, bytes -= n) {
		n = bytes < sizeof(zeroes) ? (size_t)bytes : sizeof(zeroes);
		iov = (struct iovec) { (void *)(uintptr_t)zeroes, n };
		if (backing_write(b, &iov, 1, offset) == -1)
			return -1;
	}
	return 0;
}

static int
zero_blocks(const struct backing *b, uint64_t offset, uint64_t bytes,
    bool unmap)
{
	if (unmap && allocate(b, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    offset, bytes) == 0)
		return 0;
	if (b->device && call_device(b, BLKZEROOUT, offset, bytes) == 0)
		return 0;
	if (!b->device && allocate(b, FALLOC_FL_ZERO_RANGE, offset, bytes) == 0)
		return 0;
	return -1;
}

int
backing_zero(struct backing *b, uint64_t offset, uint64_t bytes, bool unmap)
{
	struct claim claim;
	int error;

	if (bytes == 0)
		return 0;
	backing_claim(b, &claim, offset, bytes);
	error = zero_blocks(b, offset, bytes, unmap);
	backing_unclaim(b, &claim);
	if (error == 0)
		return 0;
	/* EINVAL: blocks smaller than the device's. */
	if (errno != EOPNOTSUPP && errno != ENOTTY && errno != EINVAL)
		return -1;
	return write_zeroes(b, offset, bytes);
}
