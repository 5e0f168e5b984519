/* SPDX-License-Identifier: ISC */
/*
 * Ways out by files: others' files, the way back to the root, what the
 * descriptors at hand would give.  Runs inside the room.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <linux/fs.h>
#include <linux/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/redteam/room.h"

static long
try_open(const char *path, int flags)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static long
other_image(const struct outside *out)
{
	return try_open(out->image, O_RDONLY);
}

static long
other_image_write(const struct outside *out)
{
	return try_open(out->image, O_RDWR);
}

static long
monitor_environ(const struct outside *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", out->monitor);
	return try_open(path, O_RDONLY);
}

static long
monitor_memory(const struct outside *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", out->monitor);
	return try_open(path, O_RDWR);
}

static long
reopen_backing(const struct outside *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", out->backing);
	return try_open(path, O_RDWR);
}

static long
openat_backing(const struct outside *out)
{
	return syscall(SYS_openat, out->backing, "..", O_PATH, 0);
}

static long
fchdir_backing(const struct outside *out)
{
	return syscall(SYS_fchdir, out->backing);
}

static long
open_by_handle(const struct outside *out)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount;

	if (syscall(SYS_name_to_handle_at, out->backing, "", &u.h, &mount,
	    AT_EMPTY_PATH) == -1)
		return -1;
	return syscall(SYS_open_by_handle_at, out->backing, &u.h, O_RDWR);
}

static long
link_backing(const struct outside *out)
{
	return syscall(SYS_linkat, out->backing, "", AT_FDCWD, "/link",
	    AT_EMPTY_PATH);
}

static long
chmod_backing(const struct outside *out)
{
	return syscall(SYS_fchmod, out->backing, 04777);
}

static long
chown_backing(const struct outside *out)
{
	return syscall(SYS_fchown, out->backing, 0, 0);
}

static long
xattr_backing(const struct outside *out)
{
	return syscall(SYS_fsetxattr, out->backing, "security.capability",
	    "x", 1, 0);
}

static long
immutable_backing(const struct outside *out)
{
	int flags = FS_IMMUTABLE_FL;

	return syscall(SYS_ioctl, out->backing, FS_IOC_SETFLAGS, &flags);
}

static long
truncate_backing(const struct outside *out)
{
	return syscall(SYS_ftruncate, out->backing, 0);
}

static long
lock_backing(const struct outside *out)
{
	struct flock fl = { .l_type = F_WRLCK };

	return syscall(SYS_fcntl, out->backing, F_OFD_SETLK, &fl);
}

static long
flock_backing(const struct outside *out)
{
	return syscall(SYS_flock, out->backing, LOCK_EX | LOCK_NB);
}

static long
append_backing(const struct outside *out)
{
	return syscall(SYS_fcntl, out->backing, F_SETFL, O_APPEND);
}

static long
lease_backing(const struct outside *out)
{
	return syscall(SYS_fcntl, out->backing, F_SETLEASE, F_WRLCK);
}

static long
own_kick(const struct outside *out)
{
	return syscall(SYS_fcntl, out->kick, F_SETOWN, out->monitor);
}

static long
nonblock_kick(const struct outside *out)
{
	return syscall(SYS_fcntl, out->kick, F_SETFL, O_NONBLOCK);
}

static long
seal_gmem(const struct outside *out)
{
	return syscall(SYS_fcntl, out->gmem, F_ADD_SEALS, F_SEAL_WRITE);
}

static long
shrink_gmem(const struct outside *out)
{
	return syscall(SYS_ftruncate, out->gmem, 0);
}

static long
grow_gmem(const struct outside *out)
{
	return syscall(SYS_fallocate, out->gmem, 0, 0, 2 * ROOM_IMAGE_SIZE);
}

static long
map_backing_exec(const struct outside *out)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_SHARED, out->backing, 0);
}

/* The oldest way out of a chroot: an open directory, then up. */
static long
break_chroot(const struct outside *out)
{
	(void)out;
	if (syscall(SYS_mkdir, "/d", 0700) == -1 ||
	    syscall(SYS_chroot, "/d") == -1)
		return -1;
	return try_open("../../../../../etc/passwd", O_RDONLY);
}

/* The monitor must not take what it did not ask for; see proto/. */
static long
oob_to_monitor(const struct outside *out)
{
	return syscall(SYS_sendto, out->channel, "x", 1, MSG_OOB, NULL, 0);
}

static long
sendmsg_flags(const struct outside *out)
{
	struct iovec iov = { (char[1]){ 0 }, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return syscall(SYS_sendmsg, out->channel, &msg,
	    MSG_OOB | MSG_CONFIRM);
}

static long
read_secret_of_terminal(const struct outside *out)
{
	(void)out;
	return syscall(SYS_ioctl, STDIN_FILENO, TIOCSTI, "x");
}

/* Descriptors that nobody gave: std 3 and four of its own are known. */
static long
inherited_descriptors(const struct outside *out)
{
	int fd, found = 0;

	for (fd = 0; fd < 1024; fd++)
		if (fd > STDERR_FILENO && fd != out->channel &&
		    fd != out->backing && fd != out->gmem &&
		    fd != out->kick && fcntl(fd, F_GETFD) != -1)
			found++;
	errno = EBADF;
	return found == 0 ? -1 : found;
}

#define CALL(nr, ...)	.call = { SYS_##nr, __VA_ARGS__ }
#define S(text)		((long)(text))
#define NOWHERE		{ ENOENT, EACCES, ESRCH }
#define NOT_YOURS	{ EPERM, EACCES, EROFS }

const struct try tries_files[] = {
	{ "read_passwd", .call = { SYS_openat, AT_FDCWD, S("/etc/passwd") },
	    .sealed = KILLED, .layers = NOWHERE },
	{ "read_passwd_by_open", CALL(open, S("/etc/passwd")),
	    .sealed = KILLED, .layers = NOWHERE },
	{ "read_passwd_by_openat2", CALL(openat2, AT_FDCWD, S("/etc/passwd"),
	    S("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 24),
	    .sealed = KILLED, .layers = NOWHERE },
	{ "climb_to_passwd", CALL(openat, AT_FDCWD,
	    S("../../../../../../etc/passwd")),
	    .sealed = KILLED, .layers = NOWHERE },
	{ "list_root", CALL(openat, AT_FDCWD, S("/"), O_DIRECTORY),
	    .sealed = KILLED, .layers = { EACCES } },
	{ "list_here", CALL(openat, AT_FDCWD, S("."), O_DIRECTORY),
	    .sealed = KILLED, .layers = { EACCES } },
	{ "read_own_maps", CALL(openat, AT_FDCWD, S("/proc/self/maps")),
	    .sealed = KILLED, .layers = NOWHERE },
	{ "read_init_environ", CALL(openat, AT_FDCWD, S("/proc/1/environ")),
	    .sealed = KILLED, .layers = NOWHERE },
	{ "read_monitor_environ", monitor_environ,
	    .sealed = KILLED, .layers = NOWHERE },
	{ "write_monitor_memory", monitor_memory,
	    .sealed = KILLED, .layers = NOWHERE },
	{ "read_other_image", other_image,
	    .sealed = KILLED, .layers = NOWHERE },
	{ "write_other_image", other_image_write,
	    .sealed = KILLED, .layers = NOWHERE },
	{ "open_dev_kvm", CALL(openat, AT_FDCWD, S("/dev/kvm"), O_RDWR),
	    .sealed = KILLED, .layers = NOWHERE },
	{ "open_dev_mem", CALL(openat, AT_FDCWD, S("/dev/mem"), O_RDWR),
	    .sealed = KILLED, .layers = NOWHERE },
	{ "open_sysrq", CALL(openat, AT_FDCWD, S("/proc/sysrq-trigger"),
	    O_WRONLY), .sealed = KILLED, .layers = NOWHERE },
	{ "make_file", CALL(openat, AT_FDCWD, S("/x"), O_CREAT | O_WRONLY,
	    0600), .sealed = KILLED, .layers = NOT_YOURS },
	{ "make_tmpfile", CALL(openat, AT_FDCWD, S("/"), O_TMPFILE | O_RDWR,
	    0600), .sealed = KILLED, .layers = NOT_YOURS },
	{ "make_directory", CALL(mkdir, S("/d"), 0700),
	    .sealed = KILLED, .layers = NOT_YOURS },
	{ "make_device", CALL(mknod, S("/kvm"), S_IFCHR | 0600,
	    10 << 8 | 232), .sealed = KILLED, .layers = NOT_YOURS },
	{ "make_symlink", CALL(symlink, S("/etc"), S("/e")),
	    .sealed = KILLED, .layers = NOT_YOURS },
	{ "break_chroot", break_chroot,
	    .sealed = KILLED, .layers = NOT_YOURS },
	{ "chroot", CALL(chroot, S("/")),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "pivot_root", CALL(pivot_root, S("/"), S("/")),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "mount_proc", CALL(mount, S("none"), S("/"), S("proc")),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "mount_tmpfs", CALL(mount, S("none"), S("/"), S("tmpfs")),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "remount_writable", CALL(mount, 0, S("/"), 0, MS_REMOUNT),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "unmount_root", CALL(umount2, S("/"), MNT_DETACH),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "fsopen", CALL(fsopen, S("proc"), 0),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "open_tree", CALL(open_tree, AT_FDCWD, S("/"), 1),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "reopen_backing", reopen_backing,
	    .sealed = KILLED, .layers = NOWHERE },
	{ "openat_backing", openat_backing,
	    .sealed = KILLED, .layers = { ENOTDIR } },
	{ "fchdir_backing", fchdir_backing,
	    .sealed = KILLED, .layers = { ENOTDIR } },
	{ "open_by_handle", open_by_handle,
	    .sealed = KILLED, .layers = { EPERM, EACCES, EOPNOTSUPP } },
	{ "link_backing", link_backing,
	    .sealed = KILLED, .layers = { ENOENT, EXDEV, EROFS } },
	{ "chmod_backing", chmod_backing,
	    .sealed = KILLED, .layers = { EPERM }, .root_only = true },
	{ "chown_backing", chown_backing,
	    .sealed = KILLED, .layers = { EPERM, EINVAL } },
	{ "xattr_backing", xattr_backing,
	    .sealed = KILLED, .layers = { EPERM, EINVAL } },
	{ "immutable_backing", immutable_backing,
	    .sealed = KILLED, .layers = { EPERM, EACCES, ENOTTY } },
	{ "truncate_backing", truncate_backing, .sealed = KILLED },
	{ "lock_backing", lock_backing, .sealed = KILLED },
	{ "flock_backing", flock_backing, .sealed = KILLED },
	{ "append_backing", append_backing, .sealed = KILLED },
	{ "lease_backing", lease_backing,
	    .sealed = KILLED, .layers = { EACCES }, .root_only = true },
	{ "map_backing_exec", map_backing_exec, .sealed = KILLED },
	{ "own_kick", own_kick, .sealed = KILLED, .layers = { ESRCH } },
	{ "nonblock_kick", nonblock_kick, .sealed = KILLED },
	{ "seal_gmem", seal_gmem, .sealed = KILLED, .layers = { EPERM } },
	{ "shrink_gmem", shrink_gmem, .sealed = KILLED, .layers = { EPERM } },
	{ "grow_gmem", grow_gmem, .sealed = KILLED,
	    .layers = { EPERM, EFBIG } },
	{ "inherited_descriptors", inherited_descriptors,
	    .sealed = KILLED, .layers = { EBADF } },
	{ "push_to_terminal", read_secret_of_terminal,
	    .sealed = KILLED, .layers = { ENOTTY, EIO, EPERM } },
	{ "oob_to_monitor", oob_to_monitor,
	    .sealed = KILLED, .layers = { EOPNOTSUPP } },
	{ "sendmsg_flags", sendmsg_flags,
	    .sealed = KILLED, .layers = { EOPNOTSUPP } },
	{ .name = NULL },
};
