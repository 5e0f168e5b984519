/* SPDX-License-Identifier: ISC */
/*
 * Points at which a blkd dies on purpose (libfiu).  Part of a blkd for tests
 * alone; any of its threads.
 *
 * Which point, and at which pass, is said in a page that all the blkds of a
 * test share: the file beside the program, with `.page` after its name, which
 * is mapped before the sandbox closes.  A blkd that strikes says so there, so
 * that its successors live.
 *
 *	byte 0		'a': armed; 's': it has struck; else idle
 *	byte 1		the point, as "used-index/after"
 *	byte 64		how many passes to let live, in decimal
 *	byte 128	passes so far (uint32_t, native)
 *	byte 192	the probability of what fails softly, as "0.01"
 */
#include <sys/mman.h>

#include <err.h>
#include <fcntl.h>
#include <fiu-control.h>
#include <fiu.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/failpoints/fail_call.h"
#include "tests/failpoints/fail_hook.h"

#define PAGE_BYTES	4096u
#define KILLED		137	/* as a shell has it: 128 and SIGKILL */

struct page {
	char		state;
	char		point[63];
	char		skip[64];
	uint32_t	passes;
	char		unused[60];
	char		soft[64];
};

static struct page *page;	/* NULL: no test has made one */

/* The names of points, and the function of each store. */
static const struct {
	const char	*function;
	const char	*name;
} points[] = {
	{ "store_word", "in-flight" },		/* marked, freed */
	{ "serve_publish", "status" },
	{ "inflight_publish", "record" },
	{ "virtq_put", "used-element" },
	{ "virtq_publish", "used-index" },
	{ "free_recorded", "record-done" },
	{ "serve_fire", "interrupt" },
	{ "counter_add", "counter" },
	{ "virtq_kicks_on", "kicks-on" },
	{ "state_throttle_store", "throttle" },
	{ "start_reset", "reset-begun" },
	{ "reset_queue", "reset-queue" },
	{ "reset_device", "reset-device" },
	{ "state_reset", "reset" },
	{ "regs_recover", "attach" },
};
#define NPOINTS	(sizeof(points) / sizeof(points[0]))

/* libfiu asks whether the point that it was asked about fails. */
static int
strikes(const char *name, int *failnum, void **failinfo, unsigned int *flags)
{
	char armed = 'a';

	(void)failnum;
	(void)failinfo;
	(void)flags;
	if (strncmp(name, page->point, sizeof(page->point)) != 0 ||
	    __atomic_fetch_add(&page->passes, 1, __ATOMIC_RELAXED) <
	    strtoul(page->skip, NULL, 10))
		return 0;
	return __atomic_compare_exchange_n(&page->state, &armed, 's', false,
	    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void
pass(const char *function, const char *when)
{
	char name[64];
	size_t i = 0;

	if (page == NULL || __atomic_load_n(&page->state,
	    __ATOMIC_ACQUIRE) != 'a')
		return;
	while (i < NPOINTS && strcmp(points[i].function, function) != 0)
		i++;
	if (i == NPOINTS)
		return;
	snprintf(name, sizeof(name), "%s/%s", points[i].name, when);
	/* The first process of its namespace gets no signal from itself. */
	if (fiu_fail(name))
		_exit(KILLED);
}

void
fail_point_before(const char *function)
{
	pass(function, "before");
}

void
fail_point_after(const char *function)
{
	pass(function, "after");
}

static struct page *
map_page(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 6);
	struct page *p;
	int fd;

	if (n == -1)
		err(1, "fail_point: /proc/self/exe");
	memcpy(path + n, ".page", 6);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return NULL;
	p = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		err(1, "fail_point: %s", path);
	return p;
}

static void __attribute__((constructor))
begin(void)
{
	static const char *const when[] = { "before", "after" };
	char name[64];
	size_t i, j;

	if ((page = map_page()) == NULL)
		return;
	if (fiu_init(0) != 0)
		errx(1, "fail_point: libfiu");
	for (i = 0; i < NPOINTS; i++)
		for (j = 0; j < 2; j++) {
			snprintf(name, sizeof(name), "%s/%s", points[i].name,
			    when[j]);
			if (fiu_enable_external(name, 1, NULL, 0,
			    strikes) != 0)
				errx(1, "fail_point: %s", name);
		}
	if (page->soft[0] != '\0')
		fail_call_enable(FAIL_CALL_SOFT, strtof(page->soft, NULL));
}
