/* SPDX-License-Identifier: ISC */
/*
 * Rooms for the red team: what is outside, the process inside, the verdict.
 * The test program is the monitor; nothing here trusts the process inside.
 */
#include "config.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/redteam/room.h"

#define NOBODY		65534
#define CALLS		1024	/* more numbers than the kernel has */
#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit codes of the process inside; an errno is below them. */
#define NO_ROOM		200
#define NOT_REFUSED	201
#define WAS_KILLED	202	/* of the monitor between: by SIGSYS */

static const struct room_ring *ring;
static const char *left_out;	/* NULL: none */

void
room_leave_out(const char *name)
{
	left_out = name;
}

void
room_give_ring(const struct room_ring *given)
{
	ring = given;
}

/* A table that allows everything, for what the other layers do alone. */
static void
allow_all(struct filter_row *rows, struct filter_table *table)
{
	int i, n = 0;

	for (i = 0; i < CALLS; i++) {
		if (i == FILTER_CANARY)
			continue;
		rows[n++] = (struct filter_row){ .nr = i, .name = "any",
		    .stages = FILTER_BOTH, .reason = "test" };
	}
	*table = (struct filter_table){ "all", rows, (size_t)n };
}

static int
listen_unix(const char *name, bool abstract)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len;
	int s;

	snprintf(sun.sun_path + abstract, sizeof(sun.sun_path) - 1, "%s",
	    name);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
	    strlen(name));
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ATF_REQUIRE(s != -1);
	ATF_REQUIRE(bind(s, (struct sockaddr *)&sun, len) == 0);
	ATF_REQUIRE(listen(s, 1) == 0);
	return s;
}

static int
listen_tcp(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int s;

	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ATF_REQUIRE(s != -1);
	ATF_REQUIRE(bind(s, (struct sockaddr *)&sin, len) == 0);
	ATF_REQUIRE(listen(s, 1) == 0);
	ATF_REQUIRE(getsockname(s, (struct sockaddr *)&sin, &len) == 0);
	*port = ntohs(sin.sin_port);
	return s;
}

static int
make_image(const char *path)
{
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE(ftruncate(fd, ROOM_IMAGE_SIZE) == 0);
	return fd;
}

static pid_t
start_sibling(void)
{
	pid_t pid;

	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			pause();
	}
	return pid;
}

static void
make_outside(struct outside *out)
{
	char own[280], here[200];
	int fds[2];

	memset(out, 0, sizeof(*out));
	ATF_REQUIRE(getcwd(here, sizeof(here)) != NULL);
	snprintf(out->dir, sizeof(out->dir), "%s/outside.XXXXXX", here);
	ATF_REQUIRE(mkdtemp(out->dir) != NULL);
	ATF_REQUIRE(chmod(out->dir, 0755) == 0);
	snprintf(out->image, sizeof(out->image), "%s/other", out->dir);
	snprintf(own, sizeof(own), "%s/own", out->dir);
	close(make_image(out->image));
	out->backing = make_image(own);
	ATF_REQUIRE((size_t)snprintf(out->socket, sizeof(out->socket),
	    "%.80s/socket", out->dir) == strlen(out->dir) + 7);
	listen_unix(out->socket, false);
	snprintf(out->abstract, sizeof(out->abstract), "redteam.%d", getpid());
	listen_unix(out->abstract, true);
	listen_tcp(&out->port);
	out->monitor = getpid();
	out->sibling = start_sibling();
	ATF_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    fds) == 0);
	out->channel = fds[1];
	out->gmem = memfd_create("gmem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ATF_REQUIRE(out->gmem != -1);
	ATF_REQUIRE(ftruncate(out->gmem, ROOM_IMAGE_SIZE) == 0);
	ATF_REQUIRE(fcntl(out->gmem, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	out->kick = eventfd(0, EFD_CLOEXEC);
	ATF_REQUIRE(out->kick != -1);
}

/* As the monitor does: nothing but what a message would bring. */
static void
keep_own(struct outside *out)
{
	int *const own[] = { &out->channel, &out->backing, &out->gmem,
	    &out->kick };
	int fd = STDERR_FILENO + 1;
	size_t i;

	/* Away from the targets first: none may cover another. */
	for (i = 0; i < NITEMS(own); i++)
		*own[i] = fcntl(*own[i], F_DUPFD_CLOEXEC, fd + (int)NITEMS(own));
	for (i = 0; i < NITEMS(own); i++) {
		dup3(*own[i], fd, O_CLOEXEC);
		*own[i] = fd++;
	}
	close_range((unsigned)fd, ~0u, 0);
}

static void
be_nobody(void)
{
	if (setgroups(0, NULL) == -1 ||
	    setresgid(NOBODY, NOBODY, NOBODY) == -1 ||
	    setresuid(NOBODY, NOBODY, NOBODY) == -1 ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
		_exit(NO_ROOM);
}

/* What many containers do: then the filter and what needs no namespace hold. */
static void
refuse_namespaces(void)
{
	const struct scmp_arg_cmp pid = SCMP_A0(SCMP_CMP_MASKED_EQ,
	    CLONE_NEWPID, CLONE_NEWPID);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx == NULL ||
	    seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM),
	    SCMP_SYS(clone), 1, &pid) != 0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare),
	    0) != 0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mount),
	    0) != 0 || seccomp_load(ctx) != 0)
		_exit(NO_ROOM);
	seccomp_release(ctx);
}

static bool
is_of_user(enum room_kind kind)
{
	return kind == ROOM_LAYERS_USER || kind == ROOM_SEALED_USER ||
	    kind == ROOM_SEALED_CONTAINER;
}

static bool
is_sealed(enum room_kind kind)
{
	return kind == ROOM_SEALED || kind == ROOM_SEALED_USER ||
	    kind == ROOM_SEALED_CONTAINER || kind == ROOM_SEALED_THREAD;
}

struct attempt {
	const struct try	*try;
	const struct outside	*out;
	bool			 here;	/* the thread has started */
	bool			 go;
};

static void __attribute__((noreturn))
attempt(const struct attempt *a)
{
	const long *c = a->try->call;
	long rc;

	rc = a->try->run != NULL ? a->try->run(a->out) :
	    syscall(c[0], c[1], c[2], c[3], c[4], c[5], c[6]);
	_exit(rc == -1 ? errno : NOT_REFUSED);
}

/* No call before the last filter is in force: only that is asked for. */
static void *
attempt_in_thread(void *arg)
{
	struct attempt *a = arg;

	__atomic_store_n(&a->here, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&a->go, __ATOMIC_ACQUIRE))
		continue;
	attempt(a);
}

static void __attribute__((noreturn))
be_inside(const struct try *try, struct outside *out,
    const struct sandbox_policy *policy, enum room_kind kind)
{
	struct attempt a = { .try = try, .out = out };
	char why[SANDBOX_WHY_MAX];
	struct sandbox *box;
	pthread_t thread;
	uint32_t layers;

	keep_own(out);
	if (ring != NULL && ring->make(out) == -1)
		_exit(NO_ROOM);
	if (sandbox_enter(policy, &box, &layers, why, sizeof(why)) == -1) {
		(void)!write(STDERR_FILENO, why, strlen(why));
		_exit(NO_ROOM);
	}
	if (kind == ROOM_SEALED_THREAD &&
	    pthread_create(&thread, NULL, attempt_in_thread, &a) != 0)
		_exit(NO_ROOM);
	while (kind == ROOM_SEALED_THREAD &&
	    !__atomic_load_n(&a.here, __ATOMIC_ACQUIRE))
		continue;
	if (sandbox_limit_file(ROOM_IMAGE_SIZE) == -1 ||
	    (ring != NULL && ring->enable(out) == -1) ||
	    sandbox_narrow(box) == -1)
		_exit(NO_ROOM);
	if (kind != ROOM_SEALED_THREAD)
		attempt(&a);
	__atomic_store_n(&a.go, true, __ATOMIC_RELEASE);
	(void)pthread_join(thread, NULL);
	_exit(NO_ROOM);
}

static int
judge(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	ATF_REQUIRE_MSG(WIFEXITED(status), "ended by signal %d",
	    WTERMSIG(status));
	ATF_REQUIRE_MSG(WEXITSTATUS(status) != NO_ROOM, "no room");
	if (WEXITSTATUS(status) == WAS_KILLED)
		return KILLED;
	return WEXITSTATUS(status) == NOT_REFUSED ? ESCAPED :
	    WEXITSTATUS(status);
}

/* The ordinary user's monitor is a process between. */
static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		ATF_REQUIRE(errno == EINTR);
	return status;
}

int
room_run(const struct try *try, enum room_kind kind,
    const struct sandbox_policy *policy)
{
	static struct filter_row rows[CALLS];
	struct filter_table all;
	struct sandbox_policy own = *policy;
	struct outside out;
	pid_t pid, sibling;
	int status;

	own.strict = kind != ROOM_SEALED_CONTAINER;
	if (!is_sealed(kind)) {
		allow_all(rows, &all);
		own.table = &all;
	}
	make_outside(&out);
	sibling = out.sibling;
	ATF_REQUIRE((pid = is_of_user(kind) ? fork() :
	    sandbox_fork()) != -1);
	if (pid == 0 && is_of_user(kind)) {
		be_nobody();
		if (kind == ROOM_SEALED_CONTAINER)
			refuse_namespaces();
		if ((pid = sandbox_fork()) != 0) {
			status = pid == -1 ? 0 : wait_for(pid);
			if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
				_exit(WAS_KILLED);
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) :
			    NO_ROOM);
		}
	}
	if (pid == 0)
		be_inside(try, &out, &own, kind);
	status = wait_for(pid);
	/* Whoever it got at outside is missed. */
	ATF_CHECK_MSG(waitpid(sibling, NULL, WNOHANG) == 0, "sibling died");
	kill(sibling, SIGKILL);
	wait_for(sibling);
	return judge(status);
}

static const struct try *const all_tries[] = {
	tries_files, tries_processes, tries_kernel, tries_amounts,
};

#define CASES_MAX	2048

static struct room_case {
	char		 name[64];
	const struct try *try;
	enum room_kind	 kind;
	const struct sandbox_policy *policy;
	bool		 vm;
	atf_tc_t	 tc;
} cases[CASES_MAX];
static size_t ncases;

static void
case_head(atf_tc_t *tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
	atf_tc_set_md_var(tc, "timeout", "30");
}

static bool
is_expected(const struct room_case *c, int result)
{
	const struct try *try = c->try;
	size_t i;

	if (is_sealed(c->kind))
		return result == (c->vm && try->vm != 0 ? try->vm :
		    try->sealed);
	for (i = 0; i < NITEMS(try->layers); i++)
		if (result == try->layers[i] && result != ESCAPED)
			return true;
	return false;
}

static void
case_body(const atf_tc_t *tc)
{
	const struct room_case *c = NULL;
	int result;
	size_t i;

	for (i = 0; i < ncases; i++)
		if (strcmp(cases[i].name, atf_tc_get_ident(tc)) == 0)
			c = &cases[i];
	if (c == NULL)
		atf_tc_fail("there is no such case");
	result = room_run(c->try, c->kind, c->policy);
	ATF_CHECK_MSG(is_expected(c, result), "%s",
	    result == ESCAPED ? "IT GOT OUT" : result == KILLED ?
	    "killed by SIGSYS" : strerror(result));
}

/* A sanitizer's run-time needs a looser filter, and memory without limit. */
static bool
is_possible(const struct try *try, enum room_kind kind)
{
	return filter_build_sections() == 0 ||
	    (!is_sealed(kind) && try->sealed != ENOMEM);
}

static void
add_case(atf_tp_t *tp, const struct try *try, enum room_kind kind,
    const struct sandbox_policy *policy, bool vm)
{
	static const char *const suffix[] = { "filter", "layers",
	    "layers_user", "filter_user", "filter_container",
	    "filter_thread" };
	static const char *const no_config[] = { NULL };
	struct room_case *c = &cases[ncases];

	if (!is_possible(try, kind))
		return;
	if (ncases == CASES_MAX)
		abort();
	ncases++;
	snprintf(c->name, sizeof(c->name), "%s__%s", try->name, suffix[kind]);
	c->try = try;
	c->kind = kind;
	c->policy = policy;
	c->vm = vm;
	if (atf_is_error(atf_tc_init(&c->tc, c->name, case_head, case_body,
	    NULL, no_config)) || atf_is_error(atf_tp_add_tc(tp, &c->tc)))
		abort();
}

/* Said by the project's figures; and no test program may be empty. */
static void
count_body(const atf_tc_t *tc)
{
	const struct try *try;
	size_t i, n = 0;

	(void)tc;
	for (i = 0; i < NITEMS(all_tries); i++)
		for (try = all_tries[i]; try->name != NULL; try++)
			n++;
	printf("%zu ways out are tried\n", n);
	ATF_CHECK(n >= 60);
}

static void
add_tries(atf_tp_t *tp, const struct try *try,
    const struct sandbox_policy *policy, bool vm)
{
	for (; try->name != NULL; try++) {
		if (left_out != NULL && strcmp(try->name, left_out) == 0)
			continue;
		add_case(tp, try, ROOM_SEALED, policy, vm);
		add_case(tp, try, ROOM_SEALED_USER, policy, vm);
		add_case(tp, try, ROOM_SEALED_CONTAINER, policy, vm);
		/* A ring belongs to the thread that has enabled it. */
		if (ring == NULL)
			add_case(tp, try, ROOM_SEALED_THREAD, policy, vm);
		if (vm || try->layers[0] == 0)
			continue;
		add_case(tp, try, ROOM_LAYERS, policy, false);
		if (!try->root_only)
			add_case(tp, try, ROOM_LAYERS_USER, policy, false);
	}
}

void
room_add_tries(struct atf_tp *tp, const struct sandbox_policy *policy,
    bool vm)
{
	static const char *const no_config[] = { NULL };
	static atf_tc_t count;
	size_t i;

	if (ring != NULL) {
		add_tries(tp, ring->tries, policy, vm);
		return;
	}
	if (atf_is_error(atf_tc_init(&count, "tries__sixty_at_least", NULL,
	    count_body, NULL, no_config)) ||
	    atf_is_error(atf_tp_add_tc(tp, &count)))
		abort();
	for (i = 0; i < NITEMS(all_tries); i++)
		add_tries(tp, all_tries[i], policy, vm);
}
