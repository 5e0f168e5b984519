/* SPDX-License-Identifier: ISC */
/*
 * A file that has another size now, and the channel by which the front-end
 * hears of it.  Runs in blkd, main thread, inside the sandbox; of what the
 * front-end gave for a channel it trusts the kind, once that is checked:
 * sending there never waits, nothing is read from it, and one that fails
 * costs the front-end the news and nobody anything else.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/fs.h>
#include <linux/sockios.h>
#include <linux/un.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "blkd/backing.h"
#include "blkd/disk.h"
#include "blkd/vhost_impl.h"
#include "shm/shared.h"
#include "util/fd.h"
#include "util/log.h"

#define NEWS	(VHOST_PROTOCOL(BACKEND_REQ) | VHOST_PROTOCOL(CONFIG))

/* --- the channel -------------------------------------------------------- */

static bool
is_socket(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE,
	    &st) == 0 && S_ISSOCK(st.stx_mode);
}

/*
 * Sockets of other families may be locked, by an owner who reads into memory
 * that never comes, while we send.  What none but AF_UNIX knows it refuses to
 * a process without capabilities; to ask so takes no lock, and is no system
 * call more.
 */
static bool
is_unix(int fd)
{
	return ioctl(fd, SIOCUNIXFILE) == -1 && errno == EPERM;
}

int
vhost_resize_set_channel(struct vhost *v, struct vhost_msg *m)
{
	(void)m;
	fd_close(&v->newsfd);
	v->newsfd = vhost_conn_take(&v->conn, 0);
	if (!is_socket(v->newsfd)) {
		fd_close(&v->newsfd);
		return vhost_messages_refuse(v, "the descriptor is no"
		    " socket");
	}
	if (!is_unix(v->newsfd)) {
		vhost_log_line(v, LOG_LEVEL_WARNING, "the front-end's channel"
		    " is not used: it must be a socket of AF_UNIX");
		fd_close(&v->newsfd);
	}
	vhost_resize_tell(v);
	return 0;
}

static ssize_t
send_news(int fd)
{
	struct vhost_header h = {
		.m_request = VHOST_BACKEND_CONFIG_CHANGE,
		.m_flags = VHOST_VERSION,
	};
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do {
		n = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	if (n == -1 || n == (ssize_t)sizeof(h))
		return n;
	errno = EMSGSIZE;	/* half a message: nobody can follow */
	return -1;
}

/*
 * The front-end has what it last read of the capacity.  It is told again
 * whenever it might have been deaf to it: with a new channel, and when a
 * ring starts.
 */
void
vhost_resize_tell(struct vhost *v)
{
	uint64_t sectors = shared_load(&v->disk->sectors);
	int error;

	if (v->newsfd == -1 || (v->protocol & NEWS) != NEWS ||
	    !v->capacity_read || v->capacity == sectors ||
	    send_news(v->newsfd) != -1)
		return;
	error = errno;
	vhost_log_line(v, LOG_LEVEL_WARNING, "the front-end cannot be told of"
	    " the new size: %s", error == EAGAIN ? "it does not read its"
	    " channel" : strerror(error));
	/* What is full holds the same news. */
	if (error != EAGAIN)
		fd_close(&v->newsfd);
}

void
vhost_resize_forget(struct vhost *v)
{
	fd_close(&v->newsfd);
	v->capacity_read = false;
}

/* --- the file ----------------------------------------------------------- */

/* As backing_size has it, by calls that are allowed here anyway. */
static int
ask_bytes(int fd, uint64_t *bytes)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &st) == -1)
		return -1;
	if (S_ISBLK(st.stx_mode))
		return ioctl(fd, BLKGETSIZE64, bytes);
	*bytes = st.stx_size;
	return 0;
}

void
vhost_resize(struct vhost *v)
{
	struct disk *d = v->disk;
	uint64_t bytes, sectors, before = shared_load(&d->sectors);

	if (ask_bytes(backing_fd(d->backing), &bytes) == -1) {
		log_error("%s: cannot ask for the size of the file: %s",
		    d->name, strerror(errno));
		return;
	}
	if (bytes > INT64_MAX ||
	    (sectors = disk_sectors(d, (int64_t)bytes)) == 0) {
		log_error("%s: a size of %ju bytes is refused: at least one"
		    " block of %u is needed: it stays at %ju sectors", d->name,
		    (uintmax_t)bytes, d->block_size, (uintmax_t)before);
		return;
	}
	shared_store(&d->sectors, sectors);
	log_info("%s: %ju sectors, after %ju%s", d->name, (uintmax_t)sectors,
	    (uintmax_t)before, v->conn.fd != -1 && (v->newsfd == -1 ||
	    (v->protocol & NEWS) != NEWS) ?
	    "; the front-end takes no news and must ask" : "");
	vhost_resize_tell(v);
}
