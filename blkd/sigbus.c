/* SPDX-License-Identifier: ISC */
/*
 * The handler of SIGBUS.  Runs in blkd, in whichever thread touched a page
 * that is not there; trusts what the kernel says of where.
 *
 * A signal handler is called without a context: what it needs has a static
 * place, a thread's own or written once before there are threads.
 */
#include <stdint.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/sigbus.h"

static bool (*ask)(const siginfo_t *);
static __thread struct sigbus_guard *volatile current
    __attribute__((tls_model("initial-exec")));

static void
on_sigbus(int signo, siginfo_t *info, void *context)
{
	static const char why[] =
	    "blkd: error: SIGBUS outside of guest memory and image\n";
	struct sigbus_guard *guard = current;

	(void)signo;
	(void)context;
	if (guard != NULL && (uintptr_t)info->si_addr -
	    (uintptr_t)guard->begin < guard->bytes) {
		current = NULL;
		siglongjmp(guard->again, 1);
	}
	if (ask != NULL && ask(info))
		return;
	(void)!write(STDERR_FILENO, why, sizeof(why) - 1);
	_exit(EX_SOFTWARE);
}

int
sigbus_install(bool (*other)(const siginfo_t *))
{
	/* Not masked in its own handler: it may be left for good. */
	struct sigaction sa = { .sa_sigaction = on_sigbus,
	    .sa_flags = SA_SIGINFO | SA_NODEFER };

	ask = other;
	sigemptyset(&sa.sa_mask);
	return sigaction(SIGBUS, &sa, NULL);
}

void
sigbus_guard(struct sigbus_guard *guard)
{
	current = guard;
}

void
sigbus_unguard(void)
{
	current = NULL;
}
