/* SPDX-License-Identifier: ISC */
/*
 * vmmd: starts as the monitor of one machine; with -V, which only the
 * monitor uses, it is that machine's vm process.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "util/log.h"
#include "vmmd/conf.h"
#include "vmmd/daemon.h"
#include "vmmd/exitcode.h"
#include "vmmd/monitor.h"
#include "vmmd/spawn.h"
#include "vmmd/vm.h"

struct arguments {
	const char	*conf_file;
	const char	*blkd;
	const char	*pid_file;	/* NULL: by the machine's name */
	bool		 check;
	bool		 foreground;
	bool		 vm;
	uid_t		 uid;		/* of the vm process; 0: any */
	gid_t		 gid;
};

/* An id that the monitor gave to its vm process. */
static unsigned
parse_id(const char *s)
{
	const char *why;
	unsigned id = (unsigned)strtonum(s, 0, UINT_MAX - 1, &why);

	if (why != NULL)
		errx(EX_USAGE, "%s: the id is %s", s, why);
	return id;
}

static void __attribute__((noreturn))
usage(void)
{
	fprintf(stderr, "usage: vmmd [-dn] [-b blkd] [-f file] [-p pidfile]\n");
	exit(EX_USAGE);
}

static void
parse_arguments(int argc, char **argv, struct arguments *args)
{
	int c;

	*args = (struct arguments) {
		.conf_file = VMMD_SYSCONFDIR "/vmmd.conf",
		.blkd = BLKD_PATH,
	};
	while ((c = getopt(argc, argv, "b:df:g:np:u:V")) != -1) {
		switch (c) {
		case 'b':
			args->blkd = optarg;
			break;
		case 'd':
			args->foreground = true;
			break;
		case 'f':
			args->conf_file = optarg;
			break;
		case 'g':
			args->gid = parse_id(optarg);
			break;
		case 'n':
			args->check = true;
			break;
		case 'p':
			args->pid_file = optarg;
			break;
		case 'u':
			args->uid = parse_id(optarg);
			break;
		case 'V':
			args->vm = true;
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

/* 0, 1 and 2 are open, whatever the caller did: no file of ours gets there. */
static void
fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

/* A path that holds after chdir(2) in the daemon. */
static const char *
absolute(const char *path, char resolved[PATH_MAX])
{
	return realpath(path, resolved) != NULL ? resolved : path;
}

static int
run_monitor(const struct arguments *args, const struct conf *conf)
{
	char vmmd[PATH_MAX], blkd[PATH_MAX];
	struct daemon_state *daemon = NULL;
	struct monitor_options options = {
		.conf = conf,
		.vmmd = absolute("/proc/self/exe", vmmd),
		.blkd = absolute(args->blkd, blkd),
		.running = daemon_detach,
	};
	struct monitor_result result;
	int code;

	result.reason = daemon_begin(&daemon, conf->vm.name, args->pid_file,
	    args->foreground);
	if (result.reason != EXITCODE_NONE)
		return exitcode_of(result.reason, 0);
	options.ctx = daemon;
	options.pid_file = daemon_pid_file(daemon);
	monitor_run(&options, &result);
	code = exitcode_of(result.reason, result.detail);
	/* A failed start has said its one sentence. */
	if (result.ran)
		log_info("ended: %s, exit code %d",
		    exitcode_row(result.reason)->name, code);
	daemon_end(daemon, code);
	return code;
}

int
main(int argc, char **argv)
{
	static struct conf conf;
	struct arguments args;

	setproctitle_init(argc, argv, environ);
	parse_arguments(argc, argv, &args);
	if (args.vm) {
		log_open("", LOG_TO_STDERR, LOG_LEVEL_INFO);
		return vm_main(SPAWN_CHANNEL_FD, args.uid, args.gid);
	}
	fill_standard_descriptors();
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	if (conf_read(args.conf_file, &conf) == -1)
		return EX_CONFIG;
	if (args.check)
		return EX_OK;
	if (!args.foreground && conf.vm.serial.kind == CONF_SERIAL_STDIO) {
		log_error("%s: serial = stdio needs a vmmd in the foreground:"
		    " start it with -d, or choose another", args.conf_file);
		return EX_CONFIG;
	}
	/* In the background a start that succeeds is silent. */
	if (!args.foreground)
		log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_WARNING);
	return run_monitor(&args, &conf);
}
