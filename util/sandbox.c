/* SPDX-License-Identifier: ISC */
/*
 * The empty room: the order of the layers and the verdict.  Runs in blkd
 * and in the vm process before they have read anything; the parts are in
 * sandbox_ns.c and sandbox_self.c.  Trusts the kernel, and believes a layer
 * only after trying it.
 */
#include "config.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"
#include "util/sandbox_room.h"

struct sandbox {
	struct filter	*serve;		/* installed by sandbox_narrow */
};

/* Without these there is no sandbox to speak of: no policy makes do. */
#define NEVER_OPTIONAL \
	(PROTO_LAYER_CAPS | PROTO_LAYER_NNP | PROTO_LAYER_SECCOMP)

/* One of each of these pairs is enough. */
#define SOMEONE_ELSE	(PROTO_LAYER_USERNS | PROTO_LAYER_IDS)
#define EMPTY_ROOT	(PROTO_LAYER_ROOT | PROTO_LAYER_CHROOT)

/*
 * The filter refuses executable memory, too: a kernel before 6.3 has no
 * other rule against it, and strict can be met there.
 */
#define NO_NEW_CODE	(PROTO_LAYER_MDWE | PROTO_LAYER_SECCOMP)

/*
 * In the order in which they are entered: each may need the one before.
 * `bits` can be judged afterwards; what another layer can stand in for, once
 * both were tried.
 */
static const struct layer {
	uint32_t	 bits;
	void		(*enter)(struct room *);
} order[] = {
	{ PROTO_LAYER_NAMESPACES, sandbox_ns_enter },
	{ EMPTY_ROOT, sandbox_ns_root },
	{ SOMEONE_ELSE, sandbox_self_ids },
	{ PROTO_LAYER_CAPS, sandbox_self_caps },
	{ PROTO_LAYER_NNP, sandbox_self_nnp },
	{ PROTO_LAYER_NODUMP, sandbox_self_nodump },
	{ PROTO_LAYER_LANDLOCK, sandbox_self_landlock },
	{ PROTO_LAYER_RLIMITS, sandbox_self_rlimits },
	{ 0, sandbox_self_mdwe },
	{ NO_NEW_CODE, sandbox_self_seccomp },
};
#define NLAYERS		(sizeof(order) / sizeof(order[0]))

static const struct {
	uint32_t	 layer;
	const char	*name;
} names[] = {
	{ PROTO_LAYER_USERNS, "user namespace" },
	{ PROTO_LAYER_NAMESPACES, "mount, pid, net, ipc, uts namespaces" },
	{ PROTO_LAYER_ROOT, "empty root (pivot_root)" },
	{ PROTO_LAYER_CHROOT, "empty root (chroot)" },
	{ PROTO_LAYER_IDS, "own uid and gid" },
	{ PROTO_LAYER_CAPS, "no capabilities" },
	{ PROTO_LAYER_NNP, "no_new_privs" },
	{ PROTO_LAYER_NODUMP, "not dumpable" },
	{ PROTO_LAYER_LANDLOCK, "Landlock" },
	{ PROTO_LAYER_RLIMITS, "resource limits" },
	{ PROTO_LAYER_MDWE, "memory-deny-write-execute" },
	{ PROTO_LAYER_SECCOMP, "system call filter" },
};
#define NNAMES		(sizeof(names) / sizeof(names[0]))

const char *
sandbox_layer_name(uint32_t layer)
{
	size_t i;

	for (i = 0; i < NNAMES; i++)
		if (names[i].layer == layer)
			return names[i].name;
	return NULL;
}

void
sandbox_layer_names(uint32_t layers, char *text, size_t size)
{
	const char *name;
	size_t length = 0;
	uint32_t layer;

	snprintf(text, size, "none");
	for (layer = 1; layer <= PROTO_LAYERS && length < size; layer <<= 1) {
		name = sandbox_layer_name(layer);
		if ((layers & layer) == 0 || name == NULL)
			continue;
		length += (size_t)snprintf(text + length, size - length,
		    "%s%s", length == 0 ? "" : ", ", name);
	}
}

uint32_t
sandbox_missing(uint32_t layers)
{
	uint32_t missing = PROTO_LAYERS & ~layers;

	if ((layers & SOMEONE_ELSE) != 0)
		missing &= ~SOMEONE_ELSE;
	if ((layers & EMPTY_ROOT) != 0)
		missing &= ~EMPTY_ROOT;
	if ((layers & PROTO_LAYER_SECCOMP) != 0)
		missing &= ~PROTO_LAYER_MDWE;
	return missing;
}

void
sandbox_room_note(struct room *room, const char *what)
{
	size_t used = strlen(room->why);

	if (room->error == 0)
		room->error = errno;
	snprintf(room->why + used, room->size - used, "%s%s: %s",
	    used == 0 ? "" : "; ", what, errno == ENOTRECOVERABLE ?
	    "entered, but does not hold" : strerror(errno));
}

static bool
is_fatal(const struct room *room, uint32_t bits)
{
	uint32_t missing = sandbox_missing(room->layers) & bits;

	return missing != 0 &&
	    (room->policy->strict || (missing & NEVER_OPTIONAL) != 0);
}

/* The first layer that does not hold and must, ends it. */
static int
enter_all(struct room *room)
{
	size_t i;

	for (i = 0; i < NLAYERS; i++) {
		order[i].enter(room);
		if (is_fatal(room, order[i].bits))
			return -1;
		/* Changed ids clear it: so after them. */
		if (order[i].bits == SOMEONE_ELSE && !room->policy->orphan &&
		    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
			return -1;
	}
	return 0;
}

int
sandbox_enter(const struct sandbox_policy *policy, struct sandbox **boxp,
    uint32_t *layers, char *why, size_t size)
{
	struct room room = { .policy = policy, .why = why, .size = size };
	struct sandbox *box;
	int error, rc = -1;

	why[0] = '\0';
	*layers = 0;
	room.sections = policy->sections | filter_build_sections();
	sandbox_self_prepare(&room);
	if ((box = calloc(1, sizeof(*box))) == NULL ||
	    (room.start = filter_compile(policy->table, FILTER_START,
	    room.sections)) == NULL ||
	    (box->serve = filter_compile(policy->table, FILTER_SERVE,
	    room.sections)) == NULL) {
		sandbox_room_note(&room, "compile the system call filter");
		goto out;
	}
	if (enter_all(&room) == -1)
		goto out;
	*boxp = box;
	box = NULL;
	rc = 0;
out:
	error = room.error != 0 ? room.error : errno;
	*layers = room.layers;
	filter_free(room.start);
	sandbox_free(box);
	errno = error;
	return rc;
}

int
sandbox_narrow(struct sandbox *box)
{
	return filter_install(box->serve);
}

void
sandbox_free(struct sandbox *box)
{
	if (box == NULL)
		return;
	filter_free(box->serve);
	free(box);
}

/* What the child of sandbox_report tells its parent. */
struct answer {
	int32_t		rc;
	uint32_t	layers;
	char		why[SANDBOX_WHY_MAX * 2];
};

static void
try_it(const struct sandbox_policy *policy, int fd)
{
	struct sandbox_policy soft = *policy;
	struct sandbox *box = NULL;
	struct answer answer = { .rc = -1 };

	soft.strict = false;
	answer.rc = sandbox_enter(&soft, &box, &answer.layers, answer.why,
	    sizeof(answer.why));
	_exit(write(fd, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

static int
print_answer(const struct answer *answer, FILE *out)
{
	uint32_t missing = sandbox_missing(answer->layers);
	size_t i;

	for (i = 0; i < NNAMES; i++)
		fprintf(out, "%-38s%s\n", names[i].name,
		    (answer->layers & names[i].layer) != 0 ? "yes" :
		    (missing & names[i].layer) != 0 ? "NO" : "not needed");
	if (answer->why[0] != '\0')
		fprintf(out, "missing: %s\n", answer->why);
	fprintf(out, "sandbox = strict: %s\n", answer->rc == 0 &&
	    missing == 0 ? "yes" : "NO");
	return answer->rc == 0 && missing == 0 ? 0 : -1;
}

int
sandbox_report(const struct sandbox_policy *policy, FILE *out)
{
	struct answer answer;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	fflush(out);
	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	if ((pid = sandbox_fork()) == 0)
		try_it(policy, fds[1]);
	close(fds[1]);
	n = pid == -1 ? -1 : read(fds[0], &answer, sizeof(answer));
	close(fds[0]);
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (n != sizeof(answer)) {
		fprintf(out, "sandbox: the trial process ended early\n");
		return -1;
	}
	answer.why[sizeof(answer.why) - 1] = '\0';
	return print_answer(&answer, out);
}
