/* SPDX-License-Identifier: ISC */
/*
 * What a process gives up by itself: ids, capabilities, privileges to come,
 * its dump, files and ports (Landlock), amounts, executable memory, system
 * calls.  Runs in the process that shuts itself in, before it has read
 * anything; trusts the kernel.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"
#include "util/landlock.h"
#include "util/sandbox_room.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE		65
#define PR_GET_MDWE		66
#define PR_MDWE_REFUSE_EXEC_GAIN	1
#endif

#define OWN_ID_BASE	0x70000000u
#define NOBODY		65534u
#define CAP_MAX		64	/* the kernel has 64 bits for them */
#define NPROC_SHARED	4096	/* tasks of a user that disks share */

struct caps {
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
};

static int
get_caps(struct caps *caps)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3 };

	memset(caps, 0, sizeof(*caps));
	return (int)syscall(SYS_capget, &hdr, caps->d);
}

bool
sandbox_self_can(unsigned cap)
{
	struct caps caps;

	return get_caps(&caps) == 0 &&
	    (caps.d[cap / 32].effective & (1u << (cap % 32))) != 0;
}

/* A number that is nobody else's on this host; see sandbox.h. */
static uid_t
own_id(void)
{
	char text[16];
	ssize_t n;

	/* As /proc counts: in a namespace of our own we are number 1. */
	n = readlink("/proc/self", text, sizeof(text) - 1);
	if (n == -1)
		return NOBODY;
	text[n] = '\0';
	return OWN_ID_BASE + (uid_t)strtoul(text, NULL, 10);
}

void
sandbox_self_prepare(struct room *room)
{
	const struct sandbox_policy *policy = room->policy;

	room->root = geteuid() == 0 && sandbox_self_can(CAP_SETUID) &&
	    sandbox_self_can(CAP_SETGID);
	room->own_id = policy->uid == 0 || policy->gid == 0;
	room->uid = room->own_id ? own_id() : policy->uid;
	room->gid = room->own_id ? room->uid : policy->gid;
}

/* While we still may: a later exec could never regain what is not here. */
static void
drop_bounds(void)
{
	if (!sandbox_self_can(CAP_SETPCAP))
		return;
	capng_setpid((int)syscall(SYS_gettid));
	capng_clear(CAPNG_SELECT_BOUNDS);
	(void)capng_apply(CAPNG_SELECT_BOUNDS);	/* caps_hold looks */
}

static int
take_ids(uid_t uid, gid_t gid)
{
	uid_t r, e, s;

	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return -1;
	if (getresuid(&r, &e, &s) == -1)
		return -1;
	if (r != uid || e != uid || s != uid || setresuid(-1, 0, -1) == 0) {
		errno = ENOTRECOVERABLE;
		return -1;
	}
	return 0;
}

void
sandbox_self_ids(struct room *room)
{
	int rc;

	drop_bounds();
	/* The caller in a user namespace has no other id to take. */
	if (!room->root || (room->layers & PROTO_LAYER_USERNS) != 0)
		return;
	rc = take_ids(room->uid, room->gid);
	if (rc == -1 && errno == EINVAL && room->own_id)
		rc = take_ids(NOBODY, NOBODY);
	if (rc == -1)
		sandbox_room_note(room, "own ids");
	else
		room->layers |= PROTO_LAYER_IDS;
}

/* 0: nothing in any set; 1: nothing but the bounding set; -1: else. */
static int
caps_left(void)
{
	struct caps caps;
	int bound = 0;
	unsigned i;

	if (get_caps(&caps) == -1)
		return -1;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if ((caps.d[i].effective | caps.d[i].permitted |
		    caps.d[i].inheritable) != 0)
			return -1;
	for (i = 0; i < CAP_MAX; i++) {
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			return -1;
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			bound = 1;
	}
	return bound;
}

void
sandbox_self_caps(struct room *room)
{
	capng_setpid((int)syscall(SYS_gettid));
	(void)capng_lock();	/* root is nobody special; needs SETPCAP */
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1) {
		sandbox_room_note(room, "capabilities");
		return;
	}
	/*
	 * Who never had a capability cannot empty the bounding set either;
	 * no_new_privs, which is fatal to lack, makes it meaningless.
	 */
	switch (caps_left()) {
	case 1:
		errno = EPERM;
		sandbox_room_note(room, "bounding set kept");
		/* FALLTHROUGH */
	case 0:
		room->layers |= PROTO_LAYER_CAPS;
		return;
	default:
		errno = ENOTRECOVERABLE;
		sandbox_room_note(room, "capabilities");
	}
}

void
sandbox_self_nnp(struct room *room)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		sandbox_room_note(room, "no_new_privs");
	else
		room->layers |= PROTO_LAYER_NNP;
}

/* Last of what needs our own files in /proc: they become root's. */
void
sandbox_self_nodump(struct room *room)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		sandbox_room_note(room, "not dumpable");
	else
		room->layers |= PROTO_LAYER_NODUMP;
}

void
sandbox_self_landlock(struct room *room)
{
	if (landlock_close() == -1 || landlock_verify() == -1)
		sandbox_room_note(room, "Landlock");
	else
		room->layers |= PROTO_LAYER_LANDLOCK;
}

/* Lower a limit for good; one that is lower already is left. */
static int
limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit rl;

	if (getrlimit(what, &rl) == -1)
		return -1;
	if (rl.rlim_max > most)
		rl.rlim_max = most;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(what, &rl) == -1 || getrlimit(what, &rl) == -1)
		return -1;
	if (rl.rlim_cur > most || rl.rlim_max > most) {
		errno = ENOTRECOVERABLE;
		return -1;
	}
	return 0;
}

int
sandbox_raise_file(pid_t pid, uint64_t bytes)
{
	struct rlimit rl;

	if (prlimit(pid, RLIMIT_FSIZE, NULL, &rl) == -1)
		return -1;
	rl.rlim_cur = (rlim_t)bytes < rl.rlim_max ? (rlim_t)bytes :
	    rl.rlim_max;
	return prlimit(pid, RLIMIT_FSIZE, &rl, NULL);
}

/* Soft alone: raising it takes a call that no stage but the first has. */
int
sandbox_limit_file(uint64_t bytes)
{
	return sandbox_raise_file(0, bytes);
}

/*
 * RLIMIT_FSIZE comes with the image (sandbox_limit_file), as nobody knows
 * its size before; until then there is no file to fill.  It must end in
 * EFBIG, not in a signal.  RLIMIT_NPROC counts all tasks of a user: it is
 * exact where the user is the process's own.
 */
void
sandbox_self_rlimits(struct room *room)
{
	const struct sandbox_policy *policy = room->policy;
	bool own = (room->layers & PROTO_LAYER_USERNS) != 0 ||
	    ((room->layers & PROTO_LAYER_IDS) != 0 && room->own_id &&
	    getuid() != NOBODY);

	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    limit(RLIMIT_CORE, 0) == -1 ||
	    limit(RLIMIT_MSGQUEUE, 0) == -1 ||
	    limit(RLIMIT_NOFILE, policy->nofile) == -1 ||
	    limit(RLIMIT_NPROC, own ? policy->threads : NPROC_SHARED) == -1 ||
	    (policy->data != 0 && room->sections == policy->sections &&
	    limit(RLIMIT_DATA, (rlim_t)policy->data) == -1))
		sandbox_room_note(room, "resource limits");
	else
		room->layers |= PROTO_LAYER_RLIMITS;
}

void
sandbox_self_mdwe(struct room *room)
{
	void *p;

	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == -1)
		goto bad;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		room->layers |= PROTO_LAYER_MDWE;
		return;
	}
	munmap(p, 4096);
	errno = ENOTRECOVERABLE;
bad:
	sandbox_room_note(room, "memory-deny-write-execute");
}

void
sandbox_self_seccomp(struct room *room)
{
	if (filter_install(room->start) == -1)
		sandbox_room_note(room, "seccomp");
	else if (!filter_in_force()) {
		errno = ENOTRECOVERABLE;
		sandbox_room_note(room, "seccomp");
	} else
		room->layers |= PROTO_LAYER_SECCOMP;
}
