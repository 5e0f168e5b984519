/* SPDX-License-Identifier: ISC */
/*
 * Locks on images.  Monitor, and blkd behind vhost-user.  The kernel does
 * not say who owns an OFD lock (its pid is -1), so the holder is looked for
 * in /proc: another process may come and go meanwhile, and what is found is
 * only for a message.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/imagelock.h"

int
imagelock_take(int fd, enum imagelock_byte byte, bool shared)
{
	struct flock lock = {
		.l_type = shared ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)byte,
		.l_len = 1,
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EACCES)
		errno = EAGAIN;
	return -1;
}

/* Does descriptor `name` of the process hold any lock? */
static bool
has_lock(const char *pid, const char *name)
{
	char path[PATH_MAX], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, name);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = strncmp(line, "lock:", 5) == 0;
	fclose(f);
	return found;
}

/* Does the process have this file open, with a lock? */
static bool
holds(const char *pid, const struct stat *want)
{
	char path[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if ((dir = opendir(path)) == NULL)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		if (fstatat(dirfd(dir), entry->d_name, &st, 0) == -1 ||
		    st.st_dev != want->st_dev || st.st_ino != want->st_ino)
			continue;
		found = has_lock(pid, entry->d_name);
	}
	closedir(dir);
	return found;
}

static void
read_comm(const char *pid, char *comm, size_t size)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(comm, size, "?");
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	if ((f = fopen(path, "re")) == NULL)
		return;
	if (fgets(comm, (int)size, f) != NULL)
		comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

void
imagelock_describe_holder(int fd, char *text, size_t size)
{
	struct dirent *entry;
	struct stat want;
	char comm[32];
	DIR *proc;

	snprintf(text, size, "another process");
	if (fstat(fd, &want) == -1 || (proc = opendir("/proc")) == NULL)
		return;
	while ((entry = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    atol(entry->d_name) == (long)getpid() ||
		    !holds(entry->d_name, &want))
			continue;
		read_comm(entry->d_name, comm, sizeof(comm));
		snprintf(text, size, "process %.10s (%s)", entry->d_name,
		    comm);
		break;
	}
	closedir(proc);
}
