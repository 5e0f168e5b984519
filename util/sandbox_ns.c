/* SPDX-License-Identifier: ISC */
/*
 * Namespaces and the empty root.  Runs in the monitor (sandbox_fork) and in
 * the process that shuts itself in, before it has read anything; trusts the
 * kernel and the /proc that it was started with.
 */
#include "config.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"
#include "util/sandbox_room.h"

#define OWN_NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static const char *const ns_files[] = {
	"/proc/self/ns/mnt",
	"/proc/self/ns/net",
	"/proc/self/ns/ipc",
	"/proc/self/ns/uts",
};
#define NS_FILES	(sizeof(ns_files) / sizeof(ns_files[0]))

static int
write_file(const char *path, const char *text)
{
	ssize_t len = (ssize_t)strlen(text), n;
	int error, fd;

	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) == -1)
		return -1;
	n = write(fd, text, (size_t)len);
	error = n == -1 ? errno : EIO;
	close(fd);
	errno = error;
	return n == len ? 0 : -1;
}

/* The caller's ids, one each, keep their numbers inside. */
static int
map_ids(uid_t uid, gid_t gid)
{
	char line[64];

	/* Absent before Linux 3.19; the gid map says if it was needed. */
	(void)write_file("/proc/self/setgroups", "deny");
	snprintf(line, sizeof(line), "%u %u 1\n", uid, uid);
	if (write_file("/proc/self/uid_map", line) == -1)
		return -1;
	snprintf(line, sizeof(line), "%u %u 1\n", gid, gid);
	return write_file("/proc/self/gid_map", line);
}

bool
sandbox_ns_is_single(void)
{
	unsigned long count = 0;
	FILE *f;
	bool single;

	if ((f = fopen("/proc/self/uid_map", "re")) == NULL)
		return false;
	single = fscanf(f, "%*u %*u %lu %*u", &count) == 1 && count == 1;
	fclose(f);
	return single;
}

/*
 * A fork with flags.  Not clone3: what runs containers refuses it, since its
 * flags cannot be checked.  Without a stack the child goes on with a copy.
 */
static long
clone_here(unsigned long flags)
{
	return syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
}

pid_t
sandbox_fork(void)
{
	unsigned long flags = CLONE_NEWPID;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	long pid;

	if (!sandbox_self_can(CAP_SYS_ADMIN))
		flags |= CLONE_NEWUSER;
	pid = clone_here(flags);
	if (pid == -1)
		return fork();	/* namespaces are refused: enter says so */
	if (pid == 0 && (flags & CLONE_NEWUSER) != 0)
		/* If this fails, so will the namespaces of enter. */
		(void)map_ids(uid, gid);
	return (pid_t)pid;
}

static int
unshare_here(bool *user)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	*user = false;
	if (sandbox_self_can(CAP_SYS_ADMIN) && unshare(OWN_NAMESPACES) == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | OWN_NAMESPACES) == -1)
		return -1;
	*user = true;
	return map_ids(uid, gid);
}

static void
read_inodes(ino_t *inodes)
{
	struct stat st;
	size_t i;

	for (i = 0; i < NS_FILES; i++)
		inodes[i] = stat(ns_files[i], &st) == 0 ? st.st_ino : 0;
}

void
sandbox_ns_enter(struct room *room)
{
	ino_t before[NS_FILES], after[NS_FILES];
	size_t i;
	bool user;

	read_inodes(before);
	if (unshare_here(&user) == -1) {
		sandbox_room_note(room, "namespaces");
		return;
	}
	room->own_mounts = true;
	if (user || sandbox_ns_is_single())
		room->layers |= PROTO_LAYER_USERNS;
	read_inodes(after);
	for (i = 0; i < NS_FILES; i++) {
		if (before[i] != 0 && before[i] == after[i]) {
			errno = ENOTRECOVERABLE;
			sandbox_room_note(room, ns_files[i]);
			return;
		}
	}
	/* Only the parent can have made that one, for its child alone. */
	if (getpid() != 1) {
		errno = ESRCH;
		sandbox_room_note(room, "pid namespace");
		return;
	}
	/* Where we may: no memfd of this pid namespace can be executed. */
	(void)write_file("/proc/sys/vm/memfd_noexec", "2");
	room->layers |= PROTO_LAYER_NAMESPACES;
}

/* An empty file system that nothing can be written to, over `dir`. */
static int
mount_empty(const char *dir)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV |
	    MS_NOEXEC;

	if (mount("none", dir, "tmpfs", flags,
	    "mode=0555,nr_inodes=1,size=4k") == -1)
		return -1;
	return chdir(dir);
}

static int
pivot(void)
{
	static const char *const dirs[] = { "/tmp", "/proc", "/run", "/dev" };
	size_t i;

	/* What is mounted here must not show outside, nor the reverse. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return -1;
	for (i = 0; mount_empty(dirs[i]) == -1;)
		if (++i == sizeof(dirs) / sizeof(dirs[0]))
			return -1;
	/* The old root comes to lie on the new one and is let go. */
	if (syscall(SYS_pivot_root, ".", ".") == -1)
		return -1;
	if (umount2(".", MNT_DETACH) == -1)
		return -1;
	return chdir("/");
}

/* The first root, an initramfs, cannot be pivoted away: it is covered. */
static int
cover(void)
{
	if (mount(".", "/", NULL, MS_MOVE, NULL) == -1 || chroot(".") == -1)
		return -1;
	return chdir("/");
}

/*
 * Without mounts: a process that shares our root goes to the directory of
 * its own descriptors and ends.  The directory goes with it; what is left
 * for us is an empty one that nothing can be made in.
 */
static int
chroot_nowhere(void)
{
	int status;
	long pid;

	pid = clone_here(CLONE_FS);
	if (pid == 0)
		_exit(chroot("/proc/self/fdinfo") == -1 || chdir("/") == -1 ?
		    errno & 0xff : 0);
	if (pid == -1)
		return -1;
	while (waitpid((pid_t)pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return errno == 0 ? 0 : -1;
}

/* Nothing in it, nothing above it, nothing can be made in it. */
static int
verify_empty(void)
{
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	if (mkdir("/x", 0700) == 0 || access("/proc/self", F_OK) == 0 ||
	    access("../../etc", F_OK) == 0)
		goto bad;
	if ((dir = opendir("/")) == NULL)
		return errno == ESRCH || errno == ENOENT ? 0 : -1;
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			n++;
	closedir(dir);
	if (n == 0)
		return 0;
bad:
	errno = ENOTRECOVERABLE;
	return -1;
}

void
sandbox_ns_root(struct room *room)
{
	uint32_t layer = PROTO_LAYER_ROOT;

	/* Never mount anything in a namespace that others live in. */
	if (!room->own_mounts || pivot() == -1) {
		layer = PROTO_LAYER_CHROOT;
		if ((!room->own_mounts || cover() == -1) &&
		    chroot_nowhere() == -1) {
			sandbox_room_note(room, "empty root");
			return;
		}
	}
	if (verify_empty() == -1) {
		sandbox_room_note(room, "empty root");
		return;
	}
	room->layers |= layer;
}
