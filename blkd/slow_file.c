/* SPDX-License-Identifier: ISC */
/* A slow file by nbdkit and nbdfuse.  Tests only. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atf-c.h>

#include "blkd/slow_file.h"
#include "util/fd.h"

#define SOCKET		"slow.sock"
#define MOUNT		"slow"
#define PATIENCE_MS	5000
#define ARGS_MAX	10

static pid_t
run(const char *program, ...)
{
	char *argv[ARGS_MAX + 1] = { (char *)(uintptr_t)program };
	va_list ap;
	size_t n = 0;
	pid_t pid;

	va_start(ap, program);
	while (argv[n] != NULL && n < ARGS_MAX)
		argv[++n] = va_arg(ap, char *);
	va_end(ap);
	if ((pid = fork()) == 0) {
		execvp(program, argv);
		_exit(127);
	}
	return pid;
}

static void
nap(void)
{
	nanosleep(&(struct timespec) { .tv_nsec = 5000000 }, NULL);
}

static void
await_socket(void)
{
	struct stat st;
	int i;

	for (i = 0; i < PATIENCE_MS / 5; i++, nap()) {
		if (stat(SOCKET, &st) == 0)
			return;
	}
	atf_tc_skip("nbdkit does not start");
}

/* Mounted, the file has the size of the image. */
static int
await_mount(uint64_t bytes)
{
	struct stat st;
	int i;

	for (i = 0; i < PATIENCE_MS / 5; i++, nap()) {
		if (stat(MOUNT, &st) == 0 && (uint64_t)st.st_size == bytes)
			return open(MOUNT, O_RDWR | O_CLOEXEC);
	}
	return -1;
}

void
slow_file_make(struct slow_file *f, uint64_t bytes, unsigned write_ms,
    unsigned read_ms)
{
	char delay[32], read_delay[32];
	int fd;

	fd = open(SLOW_FILE_IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ATF_REQUIRE(fd != -1 && ftruncate(fd, (off_t)bytes) == 0);
	close(fd);
	close(open(MOUNT, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	snprintf(delay, sizeof(delay), "wdelay=%ums", write_ms);
	snprintf(read_delay, sizeof(read_delay), "rdelay=%ums", read_ms);
	f->server = run("nbdkit", "-f", "--exit-with-parent", "-U", SOCKET,
	    "--filter=delay", "file", SLOW_FILE_IMAGE, delay,
	    read_delay, (char *)NULL);
	await_socket();
	f->mount = run("nbdfuse", "-o", "allow_other", MOUNT, "--unix",
	    SOCKET, (char *)NULL);
	if ((f->fd = await_mount(bytes)) == -1) {
		slow_file_free(f);
		atf_tc_skip("nbdfuse cannot mount a file here");
	}
}

static void
end(pid_t pid, int sig)
{
	if (sig != 0)
		kill(pid, sig);
	waitpid(pid, NULL, 0);
}

void
slow_file_free(struct slow_file *f)
{
	fd_close(&f->fd);
	end(run("fusermount3", "-u", MOUNT, (char *)NULL), 0);
	end(f->mount, SIGTERM);
	end(f->server, SIGTERM);
}

void
slow_file_clean_up(void)
{
	end(run("fusermount3", "-u", "-z", MOUNT, (char *)NULL), 0);
}
