/* SPDX-License-Identifier: ISC */
/* Tests of util/imagelock.c and vmmd/image.c. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/imagelock.h"
#include "vmmd/conf.h"
#include "vmmd/image.h"

#define IMAGE	"image"

static int
open_image(int flags)
{
	int fd = open(IMAGE, flags | O_CREAT | O_CLOEXEC, 0600);

	ATF_REQUIRE(fd != -1);
	return fd;
}

ATF_TC_WITHOUT_HEAD(take__excludes);
ATF_TC_BODY(take__excludes, tc)
{
	int a = open_image(O_RDWR), b = open_image(O_RDWR);

	ATF_REQUIRE_EQ(0, imagelock_take(a, IMAGELOCK_FENCE, false));
	ATF_CHECK_ERRNO(EAGAIN,
	    imagelock_take(b, IMAGELOCK_FENCE, false) == -1);
	ATF_CHECK_ERRNO(EAGAIN,
	    imagelock_take(b, IMAGELOCK_FENCE, true) == -1);
	/* The other byte is another lock. */
	ATF_CHECK_EQ(0, imagelock_take(b, IMAGELOCK_OWNER, false));
	close(a);
	ATF_CHECK_EQ(0, imagelock_take(b, IMAGELOCK_FENCE, false));
}

ATF_TC_WITHOUT_HEAD(take__readers_share);
ATF_TC_BODY(take__readers_share, tc)
{
	int a = open_image(O_RDONLY), b = open_image(O_RDONLY);
	int c = open_image(O_RDWR);

	ATF_REQUIRE_EQ(0, imagelock_take(a, IMAGELOCK_FENCE, true));
	ATF_CHECK_EQ(0, imagelock_take(b, IMAGELOCK_FENCE, true));
	ATF_CHECK_ERRNO(EAGAIN,
	    imagelock_take(c, IMAGELOCK_FENCE, false) == -1);
}

/* The lock goes with the description: not with the process. */
ATF_TC_WITHOUT_HEAD(take__survives_its_process);
ATF_TC_BODY(take__survives_its_process, tc)
{
	int a = open_image(O_RDWR), b = open_image(O_RDWR), status;
	pid_t pid = fork();

	ATF_REQUIRE(pid != -1);
	if (pid == 0)
		_exit(imagelock_take(a, IMAGELOCK_FENCE, false) == 0 ? 0 : 1);
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	ATF_REQUIRE_EQ(0, status);
	ATF_CHECK_EQ(-1, imagelock_take(b, IMAGELOCK_FENCE, false));
}

ATF_TC_WITHOUT_HEAD(describe__names_the_holder);
ATF_TC_BODY(describe__names_the_holder, tc)
{
	char text[64], want[64];
	int fd = open_image(O_RDWR), ends[2];
	pid_t pid;
	char byte;

	ATF_REQUIRE_EQ(0, pipe(ends));
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		fd = open_image(O_RDWR);
		if (imagelock_take(fd, IMAGELOCK_OWNER, false) == -1 ||
		    write(ends[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ATF_REQUIRE_EQ(1, read(ends[0], &byte, 1));
	imagelock_describe_holder(fd, text, sizeof(text));
	/* comm has 15 characters: the program's name is longer. */
	snprintf(want, sizeof(want), "process %d (imagelock_test)", (int)pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ATF_CHECK_STREQ(want, text);
	imagelock_describe_holder(fd, text, sizeof(text));
	ATF_CHECK_STREQ("another process", text);
}

static struct conf_disk
conf_of(const char *path)
{
	struct conf_disk conf = { .name = "vda", .block_size = 512 };

	snprintf(conf.path, sizeof(conf.path), "%s", path);
	return conf;
}

/* Open an image, let it go again. */
static enum exitcode_reason
try_image(const struct conf_disk *conf)
{
	enum exitcode_reason reason;
	struct image image;

	image_init(&image);
	reason = image_open(&image, conf);
	image_close(&image);
	return reason;
}

ATF_TC_WITHOUT_HEAD(image__bad);
ATF_TC_BODY(image__bad, tc)
{
	struct conf_disk conf = conf_of(IMAGE);
	int fd;

	ATF_CHECK_EQ(EXITCODE_NOINPUT, try_image(&conf));
	fd = open_image(O_RDWR);
	ATF_CHECK_EQ(EXITCODE_DATA, try_image(&conf));
	ATF_REQUIRE_EQ(0, ftruncate(fd, 513));
	ATF_CHECK_EQ(EXITCODE_DATA, try_image(&conf));
	ATF_REQUIRE_EQ(0, ftruncate(fd, 512));
	ATF_CHECK_EQ(EXITCODE_NONE, try_image(&conf));
	conf.block_size = 4096;
	ATF_CHECK_EQ(EXITCODE_DATA, try_image(&conf));
	conf = conf_of(".");
	ATF_CHECK_EQ(EXITCODE_DATA, try_image(&conf));
	conf = conf_of("/dev/null");
	ATF_CHECK_EQ(EXITCODE_DATA, try_image(&conf));
}

ATF_TC_WITHOUT_HEAD(image__fifo);
ATF_TC_BODY(image__fifo, tc)
{
	struct conf_disk conf = conf_of("fifo");

	ATF_REQUIRE_EQ(0, mkfifo("fifo", 0600));
	ATF_CHECK_EQ(EXITCODE_DATA, try_image(&conf));
}

ATF_TC_WITHOUT_HEAD(image__locked);
ATF_TC_BODY(image__locked, tc)
{
	struct conf_disk conf = conf_of(IMAGE);
	struct image a, b;
	int fence;

	ATF_REQUIRE_EQ(0, ftruncate(open_image(O_RDWR), 512));
	image_init(&a);
	image_init(&b);
	ATF_REQUIRE_EQ(EXITCODE_NONE, image_open(&a, &conf));
	ATF_CHECK_EQ(EXITCODE_LOCKED, image_open(&b, &conf));
	image_close(&b);
	/* Also while the last I/O of another machine is in flight. */
	ATF_REQUIRE((fence = image_reopen(&a)) != -1);
	ATF_REQUIRE_EQ(0, imagelock_take(fence, IMAGELOCK_FENCE, false));
	image_close(&a);
	ATF_CHECK_EQ(EXITCODE_LOCKED, image_open(&b, &conf));
	image_close(&b);
	close(fence);
	ATF_CHECK_EQ(EXITCODE_NONE, image_open(&b, &conf));
	image_close(&b);
}

ATF_TC_WITHOUT_HEAD(image__renamed);
ATF_TC_BODY(image__renamed, tc)
{
	struct conf_disk conf = conf_of(IMAGE);
	struct stat before, after;
	struct image image;
	int fd;

	ATF_REQUIRE_EQ(0, ftruncate(open_image(O_RDWR), 512));
	ATF_REQUIRE_EQ(0, stat(IMAGE, &before));
	image_init(&image);
	ATF_REQUIRE_EQ(EXITCODE_NONE, image_open(&image, &conf));
	/* Another file takes the name: the disk keeps its own. */
	ATF_REQUIRE_EQ(0, rename(IMAGE, "old"));
	open_image(O_RDWR);
	ATF_REQUIRE((fd = image_reopen(&image)) != -1);
	ATF_REQUIRE_EQ(0, fstat(fd, &after));
	ATF_CHECK_EQ(before.st_ino, after.st_ino);
	close(fd);
	image_close(&image);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, take__excludes);
	ATF_TP_ADD_TC(tp, take__readers_share);
	ATF_TP_ADD_TC(tp, take__survives_its_process);
	ATF_TP_ADD_TC(tp, describe__names_the_holder);
	ATF_TP_ADD_TC(tp, image__bad);
	ATF_TP_ADD_TC(tp, image__fifo);
	ATF_TP_ADD_TC(tp, image__locked);
	ATF_TP_ADD_TC(tp, image__renamed);
	return atf_no_error();
}
