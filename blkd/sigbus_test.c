/* SPDX-License-Identifier: ISC */
/* Who goes on after SIGBUS, and who ends. */
#include <sys/mman.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <pthread.h>
#include <stdint.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/sigbus.h"

#define PAGE		4096u

/* Two pages, of which the file has one. */
static volatile uint8_t *
make_hole(void)
{
	int fd = memfd_create("hole", MFD_CLOEXEC);
	void *map;

	ATF_REQUIRE(fd != -1 && ftruncate(fd, PAGE) == 0);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ATF_REQUIRE(map != MAP_FAILED);
	close(fd);
	return map;
}

/* 0: the page was there. */
static int
touch(volatile uint8_t *at, volatile uint8_t *begin, size_t bytes)
{
	struct sigbus_guard guard = { .begin = (const void *)begin,
	    .bytes = bytes };

	if (sigsetjmp(guard.again, 0) != 0)
		return -1;
	sigbus_guard(&guard);
	*at = 1;
	sigbus_unguard();
	return 0;
}

ATF_TC_WITHOUT_HEAD(guarded__goes_on);
ATF_TC_BODY(guarded__goes_on, tc)
{
	volatile uint8_t *map = make_hole();
	int i;

	(void)tc;
	ATF_REQUIRE_EQ(0, sigbus_install(NULL));
	for (i = 0; i < 3; i++) {
		ATF_CHECK_EQ(0, touch(map, map, 2 * PAGE));
		ATF_CHECK_EQ(-1, touch(map + PAGE, map, 2 * PAGE));
		ATF_CHECK_EQ(-1, touch(map + 2 * PAGE - 1, map, 2 * PAGE));
	}
}

static bool
fill(const siginfo_t *info)
{
	void *page = (void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));

	return mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

ATF_TC_WITHOUT_HEAD(other__is_asked_about_the_rest);
ATF_TC_BODY(other__is_asked_about_the_rest, tc)
{
	volatile uint8_t *map = make_hole(), *second = make_hole();

	(void)tc;
	ATF_REQUIRE_EQ(0, sigbus_install(fill));
	ATF_CHECK_EQ(0, touch(map + PAGE, second, 2 * PAGE));
	ATF_CHECK_EQ(1, map[PAGE]);
	/* Once more, without a guard. */
	second[PAGE] = 2;
	ATF_CHECK_EQ(2, second[PAGE]);
}

static void
require_end(volatile uint8_t *at, volatile uint8_t *begin, size_t bytes)
{
	int status;
	pid_t pid = fork();

	ATF_REQUIRE(pid != -1);
	if (pid == 0) {
		if (bytes > 0)
			(void)touch(at, begin, bytes);
		else
			*at = 1;
		_exit(0);
	}
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	ATF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EX_SOFTWARE);
}

ATF_TC_WITHOUT_HEAD(unguarded__ends);
ATF_TC_BODY(unguarded__ends, tc)
{
	volatile uint8_t *map = make_hole();

	(void)tc;
	ATF_REQUIRE_EQ(0, sigbus_install(NULL));
	require_end(map + PAGE, NULL, 0);
	/* The guard is for the first page. */
	require_end(map + PAGE, map, PAGE);
	/* A guard that went off is none any more. */
	ATF_CHECK_EQ(-1, touch(map + PAGE, map, 2 * PAGE));
	require_end(map + PAGE, NULL, 0);
}

static void *
touch_unguarded(void *at)
{
	*(volatile uint8_t *)at = 1;
	return NULL;
}

ATF_TC_WITHOUT_HEAD(guard__is_of_its_thread);
ATF_TC_BODY(guard__is_of_its_thread, tc)
{
	volatile uint8_t *map = make_hole();
	struct sigbus_guard guard = { .begin = (const void *)map,
	    .bytes = 2 * PAGE };
	pthread_t thread;
	int status;
	pid_t pid;

	(void)tc;
	ATF_REQUIRE_EQ(0, sigbus_install(NULL));
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		if (sigsetjmp(guard.again, 0) != 0)
			_exit(0);
		sigbus_guard(&guard);
		if (pthread_create(&thread, NULL, touch_unguarded,
		    (void *)(uintptr_t)(map + PAGE)) == 0)
			pthread_join(thread, NULL);
		_exit(1);
	}
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	ATF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EX_SOFTWARE);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, guarded__goes_on);
	ATF_TP_ADD_TC(tp, other__is_asked_about_the_rest);
	ATF_TP_ADD_TC(tp, unguarded__ends);
	ATF_TP_ADD_TC(tp, guard__is_of_its_thread);
	return atf_no_error();
}
