/* SPDX-License-Identifier: ISC */
/*
 * The sandbox: on this host as root and as an ordinary user, and on hosts
 * that lack something, which a filter of ours plays by answering system
 * calls with errors.  Each trial runs in a child.
 */
#include "config.h"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"
#include "util/sandbox.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))
#define NOBODY		65534
#define TRIAL_SECONDS	20

#ifndef PR_SET_MDWE
#define PR_SET_MDWE	65
#endif

/* Enough to come back and tell. */
static const struct filter_row rows[] = {
	{ SCMP_SYS(write), "write", FILTER_BOTH, 0, 0, NULL, 0, "tell" },
	{ SCMP_SYS(exit_group), "exit_group", FILTER_BOTH, 0, 0, NULL, 0,
	    "end" },
	{ SCMP_SYS(munmap), "munmap", FILTER_BOTH, 0, 0, NULL, 0, "free" },
	{ SCMP_SYS(brk), "brk", FILTER_BOTH, 0, 0, NULL, 0, "free" },
	{ SCMP_SYS(futex), "futex", FILTER_BOTH, FILTER_SANITIZER, 0, NULL, 0,
	    "ASan" },
	{ SCMP_SYS(madvise), "madvise", FILTER_BOTH, FILTER_SANITIZER, 0, NULL,
	    0, "ASan" },
	{ SCMP_SYS(prctl), "prctl", FILTER_BOTH, FILTER_SANITIZER, 0, NULL, 0,
	    "ASan" },
	{ SCMP_SYS(sigaltstack), "sigaltstack", FILTER_BOTH, FILTER_SANITIZER,
	    0, NULL, 0, "ASan, before a call that does not return" },
	{ SCMP_SYS(pause), "pause", FILTER_BOTH, 0, 0, NULL, 0, "wait" },
	{ SCMP_SYS(getrlimit), "getrlimit", FILTER_BOTH, 0, 0, NULL, 0,
	    "look" },
	{ SCMP_SYS(prlimit64), "prlimit64", FILTER_BOTH, 0, 0, NULL, 0,
	    "look" },
	{ SCMP_SYS(getuid), "getuid", FILTER_BOTH, 0, 0, NULL, 0, "look" },
	{ SCMP_SYS(seccomp), "seccomp", FILTER_START, 0, 0, NULL, 0,
	    "narrow" },
};

static const struct filter_table table = { "test", rows, NITEMS(rows) };

/* A call that this trial's host answers with an error. */
struct missing {
	int			nr;
	int			error;
	unsigned		nchecks;
	struct scmp_arg_cmp	check;
};

#define WITHOUT(sc, error)	{ SCMP_SYS(sc), (error), 0, { 0 } }
#define WITHOUT_IF(sc, error, value) \
	{ SCMP_SYS(sc), (error), 1, FILTER_INT(0, value) }

struct trial {
	const char		*name;
	bool			 user;		/* as nobody, not as root */
	bool			 strict;
	int			 rc;		/* of sandbox_enter */
	uint32_t		 layers;	/* that must not hold */
	bool			 chroot;	/* in place of pivot_root */
	const char		*why;		/* contained in it */
	struct missing		 host[6];	/* ended by error 0 */
};

#define ALL_ROOT	(PROTO_LAYERS & ~(PROTO_LAYER_USERNS | \
	PROTO_LAYER_CHROOT))
#define ALL_USER	(PROTO_LAYERS & ~(PROTO_LAYER_IDS | \
	PROTO_LAYER_CHROOT))

#define NO_NAMESPACES \
	{ SCMP_SYS(clone), EPERM, 1, \
	    FILTER_BITS(0, CLONE_NEWPID, CLONE_NEWPID) }, \
	WITHOUT(clone3, ENOSYS), WITHOUT(unshare, EPERM), \
	WITHOUT(mount, EPERM)

static const struct trial trials[] = {
	{ .name = "root__strict", .strict = true },
	{ .name = "user__strict", .user = true, .strict = true },
	/* hosts that refuse something, best effort */
	{ .name = "root__without_namespaces",
	    .layers = PROTO_LAYER_NAMESPACES | PROTO_LAYER_ROOT,
	    .chroot = true, .why = "namespaces: Operation not permitted",
	    .host = { NO_NAMESPACES } },
	{ .name = "root__without_mounts",
	    .layers = PROTO_LAYER_ROOT, .chroot = true,
	    .host = { WITHOUT(mount, EPERM) } },
	{ .name = "root__without_pivot_root",
	    .layers = PROTO_LAYER_ROOT, .chroot = true, .strict = true,
	    .host = { WITHOUT(pivot_root, EINVAL) } },
	{ .name = "user__without_namespaces", .user = true,
	    .layers = PROTO_LAYER_NAMESPACES | PROTO_LAYER_USERNS |
	    PROTO_LAYER_ROOT,
	    .why = "namespaces: Operation not permitted; empty root: "
	    "Operation not permitted",
	    .host = { NO_NAMESPACES } },
	{ .name = "root__without_landlock",
	    .layers = PROTO_LAYER_LANDLOCK, .why = "Landlock",
	    .host = { WITHOUT(landlock_create_ruleset, ENOSYS) } },
	{ .name = "root__without_mdwe",
	    .layers = PROTO_LAYER_MDWE, .why = "memory-deny-write-execute",
	    .host = { WITHOUT_IF(prctl, EINVAL, PR_SET_MDWE) } },
	/* strict: each missing layer ends the start */
	{ .name = "strict__without_namespaces", .strict = true, .rc = -1,
	    .why = "namespaces: Operation not permitted",
	    .host = { NO_NAMESPACES } },
	{ .name = "strict__user_without_namespaces", .user = true,
	    .strict = true, .rc = -1,
	    .why = "namespaces: Operation not permitted",
	    .host = { NO_NAMESPACES } },
	{ .name = "strict__without_empty_root", .strict = true, .rc = -1,
	    .why = "empty root",
	    .host = { WITHOUT(mount, EPERM), WITHOUT(chroot, EPERM) } },
	{ .name = "strict__without_ids", .strict = true, .rc = -1,
	    .why = "own ids: Operation not permitted",
	    .host = { WITHOUT(setresuid, EPERM) } },
	{ .name = "strict__without_nodump", .strict = true, .rc = -1,
	    .why = "not dumpable: Invalid argument",
	    .host = { WITHOUT_IF(prctl, EINVAL, PR_SET_DUMPABLE) } },
	{ .name = "strict__without_landlock", .strict = true, .rc = -1,
	    .why = "Landlock: Function not implemented",
	    .host = { WITHOUT(landlock_create_ruleset, ENOSYS) } },
	{ .name = "strict__without_rlimits", .strict = true, .rc = -1,
	    .why = "resource limits: Operation not permitted",
	    .host = { WITHOUT(prlimit64, EPERM), WITHOUT(setrlimit, EPERM) } },
	{ .name = "strict__without_mdwe_the_filter_serves", .strict = true,
	    .layers = PROTO_LAYER_MDWE,
	    .why = "memory-deny-write-execute: Invalid argument",
	    .host = { WITHOUT_IF(prctl, EINVAL, PR_SET_MDWE) } },
	/* what no policy makes do without */
	{ .name = "best_effort__without_caps", .rc = -1,
	    .why = "capabilities", .host = { WITHOUT(capset, EPERM) } },
	{ .name = "best_effort__without_nnp", .rc = -1,
	    .why = "no_new_privs: Invalid argument",
	    .host = { WITHOUT_IF(prctl, EINVAL, PR_SET_NO_NEW_PRIVS) } },
	{ .name = "best_effort__without_seccomp", .rc = -1,
	    .why = "seccomp: Invalid argument",
	    .host = { WITHOUT_IF(seccomp, EINVAL, 1) } },
};

struct answer {
	int		rc;
	int		error;
	uint32_t	layers;
	char		why[SANDBOX_WHY_MAX];
};

static const struct sandbox_policy policy = {
	.nofile = 32, .threads = 2, .data = 64 << 20, .table = &table,
};

static void
be_nobody(void)
{
	if (setgroups(0, NULL) == -1 ||
	    setresgid(NOBODY, NOBODY, NOBODY) == -1 ||
	    setresuid(NOBODY, NOBODY, NOBODY) == -1 ||
	    /* as an exec would: else /proc/self is root's */
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
		_exit(101);
}

static void
be_host(const struct missing *host)
{
	scmp_filter_ctx ctx;
	size_t i;

	if (host[0].error == 0)
		return;
	if ((ctx = seccomp_init(SCMP_ACT_ALLOW)) == NULL)
		_exit(102);
	/* Keep no_new_privs off where root can do without. */
	if (geteuid() == 0)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	for (i = 0; host[i].error != 0; i++)
		if (seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(host[i].error),
		    host[i].nr, host[i].nchecks, &host[i].check) != 0)
			_exit(103);
	if (seccomp_load(ctx) != 0)
		_exit(104);
	seccomp_release(ctx);
}

static void
try_it(const struct trial *trial, int fd)
{
	struct sandbox_policy own = policy;
	struct answer answer = { 0 };
	struct sandbox *box = NULL;

	own.strict = trial->strict;
	answer.rc = sandbox_enter(&own, &box, &answer.layers, answer.why,
	    sizeof(answer.why));
	answer.error = errno;
	_exit(write(fd, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 105);
}

/* The outer child plays the host, the inner one is shut in. */
static void
run_trial(const struct trial *trial, struct answer *answer)
{
	int fds[2], status;
	ssize_t n;
	pid_t outer, inner;

	ATF_REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
	ATF_REQUIRE((outer = fork()) != -1);
	if (outer == 0) {
		if (trial->user)
			be_nobody();
		be_host(trial->host);
		if ((inner = sandbox_fork()) == 0)
			try_it(trial, fds[1]);
		close(fds[1]);
		if (waitpid(inner, &status, 0) != inner)
			_exit(106);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 107);
	}
	close(fds[1]);
	n = read(fds[0], answer, sizeof(*answer));
	close(fds[0]);
	ATF_REQUIRE(waitpid(outer, &status, 0) == outer);
	ATF_REQUIRE_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "the trial ended with status %#x", status);
	ATF_REQUIRE_EQ((ssize_t)sizeof(*answer), n);
}

static void
trial_head(atf_tc_t *tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
	atf_tc_set_md_var(tc, "timeout", "%d", TRIAL_SECONDS);
}

static void
trial_body(const atf_tc_t *tc)
{
	const struct trial *trial = NULL;
	struct answer answer;
	uint32_t all;
	size_t i;

	for (i = 0; i < NITEMS(trials); i++)
		if (strcmp(trials[i].name, atf_tc_get_ident(tc)) == 0)
			trial = &trials[i];
	ATF_REQUIRE(trial != NULL);
	run_trial(trial, &answer);
	printf("rc %d, layers %#x: %s\n", answer.rc, answer.layers,
	    answer.why);
	ATF_CHECK_EQ(trial->rc, answer.rc);
	if (trial->why != NULL)
		ATF_CHECK_MATCH(trial->why, answer.why);
	if (trial->rc == -1) {
		ATF_CHECK(answer.error != 0);
		ATF_CHECK(sandbox_missing(answer.layers) != 0);
		return;
	}
	all = trial->user ? ALL_USER : ALL_ROOT;
	if (trial->chroot)
		all |= PROTO_LAYER_CHROOT;
	ATF_CHECK_EQ(all & ~trial->layers, answer.layers);
	if (trial->strict)
		ATF_CHECK_EQ(0, sandbox_missing(answer.layers));
	if (trial->why == NULL && trial->layers == 0)
		ATF_CHECK_STREQ("", answer.why);
}

ATF_TC_WITHOUT_HEAD(missing__names_what_strict_wants);
ATF_TC_BODY(missing__names_what_strict_wants, tc)
{
	(void)tc;
	ATF_CHECK_EQ(0, sandbox_missing(PROTO_LAYERS));
	ATF_CHECK_EQ(0, sandbox_missing(ALL_ROOT));
	ATF_CHECK_EQ(0, sandbox_missing(ALL_USER));
	ATF_CHECK_EQ(PROTO_LAYERS, sandbox_missing(0));
	ATF_CHECK_EQ(PROTO_LAYER_USERNS | PROTO_LAYER_IDS,
	    sandbox_missing(ALL_ROOT & ~PROTO_LAYER_IDS));
	ATF_CHECK_EQ(PROTO_LAYER_LANDLOCK,
	    sandbox_missing(ALL_ROOT & ~PROTO_LAYER_LANDLOCK));
}

ATF_TC_WITHOUT_HEAD(layer_name__every_layer_has_one);
ATF_TC_BODY(layer_name__every_layer_has_one, tc)
{
	uint32_t bit;

	(void)tc;
	for (bit = 1; (bit & PROTO_LAYERS) != 0; bit <<= 1)
		ATF_CHECK(sandbox_layer_name(bit) != NULL);
	ATF_CHECK(sandbox_layer_name(bit) == NULL);
	ATF_CHECK(sandbox_layer_name(0) == NULL);
}

/* A child in the room that says a byte and waits to be killed. */
static pid_t
start_waiter(int fd)
{
	struct sandbox *box;
	char why[SANDBOX_WHY_MAX];
	uint32_t layers;
	pid_t pid;

	if ((pid = sandbox_fork()) != 0)
		return pid;
	if (sandbox_enter(&policy, &box, &layers, why, sizeof(why)) == -1 ||
	    write(fd, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

ATF_TC(fork__kill_and_wait_reach_it);
ATF_TC_HEAD(fork__kill_and_wait_reach_it, tc)
{
	atf_tc_set_md_var(tc, "timeout", "%d", TRIAL_SECONDS);
}
ATF_TC_BODY(fork__kill_and_wait_reach_it, tc)
{
	int fds[2], status;
	char c;
	pid_t pid;

	(void)tc;
	ATF_REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
	ATF_REQUIRE((pid = start_waiter(fds[1])) > 1);
	close(fds[1]);
	ATF_REQUIRE_EQ(1, read(fds[0], &c, 1));
	ATF_REQUIRE(kill(pid, SIGKILL) == 0);
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	ATF_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ATF_CHECK_EQ(0, read(fds[0], &c, 1));
}

ATF_TC(enter__dies_with_its_parent);
ATF_TC_HEAD(enter__dies_with_its_parent, tc)
{
	atf_tc_set_md_var(tc, "timeout", "%d", TRIAL_SECONDS);
}
ATF_TC_BODY(enter__dies_with_its_parent, tc)
{
	int fds[2], status;
	char c;
	pid_t pid;

	(void)tc;
	ATF_REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		start_waiter(fds[1]);
		for (;;)
			pause();
	}
	close(fds[1]);
	ATF_REQUIRE_EQ(1, read(fds[0], &c, 1));
	ATF_REQUIRE(kill(pid, SIGKILL) == 0);
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	/* The pipe ends when the one inside is gone, too. */
	ATF_CHECK_EQ(0, read(fds[0], &c, 1));
}

ATF_TC(enter__a_call_outside_the_table_kills);
ATF_TC_HEAD(enter__a_call_outside_the_table_kills, tc)
{
	atf_tc_set_md_var(tc, "timeout", "%d", TRIAL_SECONDS);
}
ATF_TC_BODY(enter__a_call_outside_the_table_kills, tc)
{
	struct sandbox *box;
	char why[SANDBOX_WHY_MAX];
	uint32_t layers;
	int status;
	pid_t pid;

	(void)tc;
	ATF_REQUIRE((pid = sandbox_fork()) != -1);
	if (pid == 0) {
		if (sandbox_enter(&policy, &box, &layers, why,
		    sizeof(why)) == -1)
			_exit(1);
		syscall(SYS_getcwd, why, sizeof(why));
		_exit(2);
	}
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
#ifdef SECCOMP_TRAP
	ATF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGSYS);
#else
	ATF_CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
	    "status %#x", status);
#endif
}

ATF_TC(narrow__takes_what_the_start_had);
ATF_TC_HEAD(narrow__takes_what_the_start_had, tc)
{
	atf_tc_set_md_var(tc, "timeout", "%d", TRIAL_SECONDS);
}
ATF_TC_BODY(narrow__takes_what_the_start_had, tc)
{
	struct sandbox *box;
	char why[SANDBOX_WHY_MAX];
	uint32_t layers;
	int status;
	pid_t pid;

	(void)tc;
	ATF_REQUIRE((pid = sandbox_fork()) != -1);
	if (pid == 0) {
		if (sandbox_enter(&policy, &box, &layers, why,
		    sizeof(why)) == -1 || sandbox_narrow(box) == -1 ||
		    !filter_in_force())
			_exit(1);
		sandbox_free(box);
		syscall(SYS_seccomp, 1, 0, NULL);
		_exit(2);
	}
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
#ifndef SECCOMP_TRAP
	ATF_CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
	    "status %#x", status);
#endif
}

ATF_TC(limit_file__the_parent_raises_it);
ATF_TC_HEAD(limit_file__the_parent_raises_it, tc)
{
	atf_tc_set_md_var(tc, "timeout", "%d", TRIAL_SECONDS);
}
ATF_TC_BODY(limit_file__the_parent_raises_it, tc)
{
	struct rlimit rl = { 0, 0 };
	int fds[2], status;
	char c;
	pid_t pid;

	(void)tc;
	ATF_REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		if (sandbox_limit_file(UINT64_C(5) << 40) == -1 ||
		    sandbox_limit_file(1 << 20) == -1 ||
		    getrlimit(RLIMIT_FSIZE, &rl) == -1 ||
		    rl.rlim_cur != 1 << 20 ||
		    write(fds[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ATF_REQUIRE_EQ(1, read(fds[0], &c, 1));
	ATF_CHECK(sandbox_raise_file(pid, 2 << 20) == 0);
	ATF_CHECK(prlimit(pid, RLIMIT_FSIZE, NULL, &rl) == 0);
	ATF_CHECK_EQ(2 << 20, rl.rlim_cur);
	kill(pid, SIGKILL);
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
}

static atf_tc_t trial_tcs[NITEMS(trials)];

ATF_TP_ADD_TCS(tp)
{
	static const char *const no_config[] = { NULL };
	size_t i;

	for (i = 0; i < NITEMS(trials); i++) {
		ATF_REQUIRE(!atf_is_error(atf_tc_init(&trial_tcs[i],
		    trials[i].name, trial_head, trial_body, NULL,
		    no_config)));
		atf_tp_add_tc(tp, &trial_tcs[i]);
	}
	ATF_TP_ADD_TC(tp, missing__names_what_strict_wants);
	ATF_TP_ADD_TC(tp, layer_name__every_layer_has_one);
	ATF_TP_ADD_TC(tp, fork__kill_and_wait_reach_it);
	ATF_TP_ADD_TC(tp, enter__dies_with_its_parent);
	ATF_TP_ADD_TC(tp, enter__a_call_outside_the_table_kills);
	ATF_TP_ADD_TC(tp, narrow__takes_what_the_start_had);
	ATF_TP_ADD_TC(tp, limit_file__the_parent_raises_it);
	return atf_no_error();
}
