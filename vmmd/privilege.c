/* SPDX-License-Identifier: ISC */
/*
 * The monitor's capabilities.  Monitor, between the opening of everything
 * and the first child: so a child that could not be replaced cannot be
 * started either.  Trusts the kernel, and looks at what holds afterwards.
 */
#include <sys/prctl.h>

#include <linux/capability.h>

#include <cap-ng.h>
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "util/filter.h"
#include "vmmd/privilege.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * A child of root's is root until it is in its sandbox, and exec gives it
 * what the bounding set has: so this is also what a child needs for that.
 */
static const struct {
	unsigned	 cap;
	const char	*reason;
} kept[] = {
	{ CAP_SYS_ADMIN, "a child's namespaces and its empty root" },
	{ CAP_SYS_CHROOT, "its empty root, where none can be mounted" },
	{ CAP_SETUID, "its own user" },
	{ CAP_SETGID, "its own group, and no others" },
	{ CAP_SETPCAP, "to empty its bounding set, and to lock that" },
	{ CAP_KILL, "to end a child, which is another user's" },
	{ CAP_SYS_NICE, "so that one that is dead gives way to its successor" },
};

/* Root without CAP_SYS_ADMIN makes user namespaces: it must map user 0. */
#define INSTEAD_OF_ADMIN	CAP_SETFCAP

#define OVERRIDE		CAP_DAC_OVERRIDE

static bool
have(unsigned cap)
{
	return capng_have_capability(CAPNG_EFFECTIVE, cap) == 1;
}

/* Of what is in force now, that which is kept; bits by number. */
static uint64_t
choose(bool override)
{
	uint64_t set = 0;
	size_t i;

	if (geteuid() != 0)
		return 0;
	for (i = 0; i < NITEMS(kept); i++) {
		if (have(kept[i].cap))
			set |= UINT64_C(1) << kept[i].cap;
	}
	if (!have(CAP_SYS_ADMIN) && have(INSTEAD_OF_ADMIN))
		set |= UINT64_C(1) << INSTEAD_OF_ADMIN;
	if (override && have(OVERRIDE))
		set |= UINT64_C(1) << OVERRIDE;
	return set;
}

/* Is something out of reach of `works` without the override? */
static bool
needs_override(bool (*works)(void *), void *ctx)
{
	bool worked, back;

	if (geteuid() != 0 || !have(OVERRIDE))
		return false;
	capng_updatev(CAPNG_DROP, CAPNG_EFFECTIVE, OVERRIDE,
	    CAP_DAC_READ_SEARCH, -1);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return true;
	worked = works(ctx);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, OVERRIDE);
	back = capng_apply(CAPNG_SELECT_CAPS) == 0;
	return back && !worked;
}

static void
fill(uint64_t set)
{
	unsigned i;

	capng_clear(CAPNG_SELECT_ALL);
	for (i = 0; i <= CAP_LAST_CAP; i++) {
		if ((set & UINT64_C(1) << i) != 0)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE |
			    CAPNG_PERMITTED | CAPNG_BOUNDING_SET, i);
	}
}

/* What the kernel says; `bounds`: the bounding set could be changed. */
static int
verify(uint64_t set, bool bounds)
{
	unsigned i;

	if (capng_get_caps_process() != 0)
		return -1;
	for (i = 0; i <= CAP_LAST_CAP; i++) {
		int want = (set & UINT64_C(1) << i) != 0;

		if (capng_have_capability(CAPNG_EFFECTIVE, i) != want ||
		    capng_have_capability(CAPNG_PERMITTED, i) != want ||
		    capng_have_capability(CAPNG_INHERITABLE, i) != 0 ||
		    capng_have_capability(CAPNG_AMBIENT, i) != 0 ||
		    (bounds &&
		    capng_have_capability(CAPNG_BOUNDING_SET, i) != want)) {
			errno = ENOTRECOVERABLE;
			return -1;
		}
	}
	return 0;
}

/*
 * The bounding set of one who never had CAP_SETPCAP stays: no_new_privs
 * makes it meaningless.
 */
int
privilege_drop(bool (*works)(void *ctx), void *ctx)
{
	uint64_t set;
	bool bounds;

	if (capng_get_caps_process() != 0)
		return -1;
	bounds = have(CAP_SETPCAP);
	set = choose(needs_override(works, ctx));
	fill(set);
	if (capng_apply(bounds ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) != 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1 ||
	    verify(set, bounds) == -1)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	/*
	 * An ordinary user's monitor stays open to that user: another one
	 * finds out by it who holds an image, and a child maps its user
	 * through files in /proc.  A leak sanitizer traces its own process.
	 */
	if (geteuid() != 0 || filter_build_sections() != 0)
		return 0;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
