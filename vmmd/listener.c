/* SPDX-License-Identifier: ISC */
/*
 * The control socket.  Monitor, and vmmctl for its default place; the
 * directory is the caller's or root's, and what lies in it is not trusted
 * to be ours.
 */
#include <sys/file.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/log.h"
#include "vmmd/listener.h"
#include "vmmd/rundir.h"

static_assert(CONF_CONTROL_MAX == sizeof(((struct sockaddr_un *)0)->sun_path),
    "what the configuration takes fits");

#define BACKLOG	16

void
listener_init(struct listener *l)
{
	*l = (struct listener) { .fd = -1 };
}

void
listener_default_path(const char *machine, char path[CONF_CONTROL_MAX])
{
	const char *base = geteuid() == 0 ? VMMD_RUNSTATEDIR :
	    getenv("XDG_RUNTIME_DIR");
	int n = -1;

	if (base != NULL && base[0] == '/')
		n = snprintf(path, CONF_CONTROL_MAX, "%s/vmmd/%s.sock", base,
		    machine);
	if (n < 0 || n >= CONF_CONTROL_MAX)
		path[0] = '\0';
}

/* A relative path begins here, and the daemon is elsewhere in the end. */
static int
make_absolute(const char *from, char path[CONF_CONTROL_MAX])
{
	char cwd[PATH_MAX] = "";
	int n;

	if (from[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return -1;
	n = snprintf(path, CONF_CONTROL_MAX, "%s%s%s", cwd,
	    from[0] != '/' ? "/" : "", from);
	if (n < 0 || n >= CONF_CONTROL_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* The directory of the socket, locked until it is closed. */
static int
lock_directory(const char *path, bool make)
{
	char copy[CONF_CONTROL_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	if (make && rundir_make_parents(path) == -1)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1 && flock(fd, LOCK_EX) == -1)
		fd_close(&fd);
	return fd;
}

/* A socket that nobody listens on: left by a monitor that was killed. */
static int
remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (rc == 0 || errno != ECONNREFUSED) {
		errno = EADDRINUSE;
		rc = -1;
	} else
		rc = unlink(sun->sun_path);
	fd_close(&fd);
	return rc;
}

/* Nobody can connect before it belongs to whom it should. */
static int
make_socket(struct listener *l, const struct conf_vm *conf, gid_t group)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int rc;

	memcpy(sun.sun_path, l->path, sizeof(sun.sun_path));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd == -1 || remove_stale(&sun) == -1)
		return -1;
	mask = umask(0777);
	rc = bind(l->fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (rc == -1 || lstat(l->path, &l->node) == -1)
		return -1;
	if (group != (gid_t)-1 && lchown(l->path, (uid_t)-1, group) == -1)
		return -1;
	if (chmod(l->path, (mode_t)conf->control_mode) == -1)
		return -1;
	return listen(l->fd, BACKLOG);
}

static int
find_group(const char *name, gid_t *gid)
{
	struct group *group;

	*gid = (gid_t)-1;
	if (name[0] == '\0')
		return 0;
	if ((group = getgrnam(name)) == NULL) {
		log_error("vm: control-group = %s: there is no such group:"
		    " name another", name);
		return -1;
	}
	*gid = group->gr_gid;
	return 0;
}

static int
find_path(struct listener *l, const struct conf_vm *conf)
{
	if (conf->control[0] != '\0')
		return make_absolute(conf->control, l->path);
	listener_default_path(conf->name, l->path);
	return 0;
}

int
listener_remove_stale(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int directory, rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path));
	if ((directory = lock_directory(path, false)) == -1)
		return -1;
	rc = remove_stale(&sun);
	fd_close(&directory);
	return rc;
}

enum exitcode_reason
listener_open(struct listener *l, const struct conf_vm *conf)
{
	bool chosen = conf->control[0] != '\0';
	int directory = -1, rc = -1, error = 0;
	gid_t group;

	if (strcmp(conf->control, "none") == 0)
		return EXITCODE_NONE;
	if (find_group(conf->control_group, &group) == -1)
		return EXITCODE_CONFIG;
	if (find_path(l, conf) == 0 && l->path[0] == '\0')
		return EXITCODE_NONE;
	if (l->path[0] != '\0' &&
	    (directory = lock_directory(l->path, !chosen)) != -1)
		rc = make_socket(l, conf, group);
	if (rc == -1 && chosen)
		log_error("vm: cannot make the control socket %s: %s: choose"
		    " another with control = ...", conf->control,
		    strerror(errno));
	else if (rc == -1)
		error = errno;
	if (rc == -1)
		listener_close(l);
	l->error = error;
	fd_close(&directory);
	return rc == -1 && chosen ? EXITCODE_CANTCREATE : EXITCODE_NONE;
}

int
listener_accept(const struct listener *l, struct ucred *who)
{
	socklen_t size = sizeof(*who);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd != -1 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who,
	    &size) == -1)
		fd_close(&fd);
	return fd;
}

void
listener_close(struct listener *l)
{
	struct stat st;

	/* Somebody may have put another one there. */
	if (l->node.st_ino != 0 && lstat(l->path, &st) == 0 &&
	    st.st_ino == l->node.st_ino && st.st_dev == l->node.st_dev &&
	    unlink(l->path) == -1)
		log_warning("the control socket %s is left: %s", l->path,
		    strerror(errno));
	fd_close(&l->fd);
	listener_init(l);
}
