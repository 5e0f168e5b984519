/* SPDX-License-Identifier: ISC */
/*
 * vmmctl: asks a running machine over its control socket.  Runs as whoever
 * may write to that; trusts nothing that comes back.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "vmmd/conf_value.h"
#include "vmmd/listener.h"
#include "vmmd/openmetrics.h"
#include "vmmd/request.h"
#include "vmmd/vmmctl_console.h"
#include "vmmd/vmmctl_fault.h"
#include "vmmd/vmmctl_link.h"
#include "vmmd/vmmctl_print.h"
#include "vmmd/vmmctl_top.h"

enum format {
	FORMAT_TABLE,
	FORMAT_JSON,
	FORMAT_METRICS,
};

struct job {
	const char	*path;		/* of the socket */
	int		 fd;
	enum format	 format;
	unsigned	 count;		/* of top */
	unsigned	 interval_ms;
	int		 argc;		/* after the command's options */
	char		**argv;
};

struct command {
	const char	*name;
	const char	*options;	/* getopt_long(3) */
	int		 min, max;	/* arguments */
	int		(*run)(struct job *, const struct command *);
	const char	*usage;
};

static int	run_request(struct job *, const struct command *);
static int	run_stats(struct job *, const struct command *);
static int	run_throttle(struct job *, const struct command *);
static int	run_fault(struct job *, const struct command *);
static int	run_top(struct job *, const struct command *);
static int	run_console(struct job *, const struct command *);

static const struct command commands[] = {
	{ "status", "+j", 0, 1, run_request, "status [-j] [disk]" },
	{ "stats", "+j", 0, 1, run_stats, "stats [-j | --metrics] [disk]" },
	{ "top", "+i:n:", 0, 1, run_top, "top [-i seconds] [-n count] [disk]" },
	{ "throttle", "+", 2, 99, run_throttle,
	    "throttle disk [group] [iops=n] [iops-burst=n] [bps=n] [bps-burst=n]"
	    " [iops-size=n]" },
	{ "fault", "+", 2, 99, run_fault,
	    "fault disk list | clear [n] | action [op=op] [sectors=first-last]"
	    " [p=p] [skip=n] [every=n] [count=n] [seed=n] [time=t]"
	    " [when=before|after]" },
	{ "resize", "+", 1, 1, run_request, "resize disk" },
	{ "pause", "+", 0, 1, run_request, "pause [disk]" },
	{ "resume", "+", 0, 1, run_request, "resume [disk]" },
	{ "upgrade", "+", 0, 1, run_request, "upgrade [disk]" },
	{ "console", "+", 0, 0, run_console, "console" },
	{ "stop", "+", 0, 0, run_request, "stop" },
};
#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void __attribute__((noreturn))
usage(const struct command *only)
{
	size_t i;

	for (i = 0; i < NCOMMANDS; i++) {
		if (only == NULL || only == &commands[i])
			fprintf(stderr, "%s vmmctl [-n name | -s socket] %s\n",
			    i == 0 || only != NULL ? "usage:" : "      ",
			    commands[i].usage);
	}
	exit(EX_USAGE);
}

/* --- asking ------------------------------------------------------------ */

static json_t *
make_request(const char *name, const char *disk)
{
	json_t *request = json_pack("{s:s}", "command", name);

	if (disk != NULL)
		json_object_set_new(request, "disk", json_string(disk));
	return request;
}

static void
print_json(const json_t *reply)
{
	json_dumpf(reply, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

static int
run_request(struct job *job, const struct command *command)
{
	int code;
	json_t *reply = vmmctl_link_ask(job->fd,
	    make_request(command->name, job->argc > 0 ? job->argv[0] : NULL),
	    &code);

	if (reply == NULL)
		return code;
	if (job->format == FORMAT_JSON)
		print_json(reply);
	else if (strcmp(command->name, "status") == 0)
		vmmctl_print_status(stdout, reply);
	else
		vmmctl_print_disks(stdout, reply);
	json_decref(reply);
	return EX_OK;
}

static int
run_stats(struct job *job, const struct command *command)
{
	static struct vmmctl_disk disk[PROTO_DISKS_MAX];
	char machine[PROTO_NAME_MAX];
	int code;
	json_t *reply = vmmctl_link_ask(job->fd,
	    make_request(command->name, job->argc > 0 ? job->argv[0] : NULL),
	    &code);
	size_t n;

	if (reply == NULL)
		return code;
	n = vmmctl_link_stats(reply, disk);
	vmmctl_link_text(json_object_get(reply, "machine"), "name", machine,
	    sizeof(machine));
	if (job->format == FORMAT_JSON)
		print_json(reply);
	else if (job->format == FORMAT_METRICS)
		openmetrics_write(stdout, machine, disk, n);
	else
		vmmctl_print_stats(stdout, disk, n);
	json_decref(reply);
	return EX_OK;
}

/* "iops=10k" into the object; -1: it is none. */
static int
add_limit(json_t *limits, const char *text)
{
	static const struct conf_key key = { .max = INT64_MAX };
	const char *value = strchr(text, '=');
	const struct request_limit *limit;
	uint64_t number;
	size_t i;

	for (i = 0; value != NULL && (limit = request_limit(i)) != NULL; i++) {
		if (strlen(limit->name) != (size_t)(value - text) ||
		    strncmp(limit->name, text, (size_t)(value - text)) != 0)
			continue;
		if (conf_value_amount(&key, &number, value + 1) == -1)
			break;
		return json_object_set_new(limits, limit->name,
		    json_integer((json_int_t)number));
	}
	warnx("%s: must be iops=, iops-burst=, bps=, bps-burst= or iops-size="
	    " and a number with or without k, M, G, Ki, Mi or Gi", text);
	return -1;
}

static int
run_throttle(struct job *job, const struct command *command)
{
	json_t *limits = json_object(), *reply;
	json_t *request = make_request(command->name, job->argv[0]);
	bool group = strcmp(job->argv[1], "group") == 0;
	int code, i;

	json_object_set_new(request, "limits", limits);
	if (group)
		json_object_set_new(request, "group", json_true());
	for (i = group ? 2 : 1; i < job->argc; i++) {
		if (add_limit(limits, job->argv[i]) == -1) {
			json_decref(request);
			return EX_USAGE;
		}
	}
	reply = vmmctl_link_ask(job->fd, request, &code);
	if (reply != NULL)
		vmmctl_print_disks(stdout, reply);
	json_decref(reply);
	return code;
}

static int
run_fault(struct job *job, const struct command *command)
{
	json_t *fault = vmmctl_fault_make(job->argv[1], job->argv + 2,
	    job->argc - 2);
	json_t *request, *reply;
	int code;

	if (fault == NULL)
		return EX_USAGE;
	request = make_request(command->name, job->argv[0]);
	json_object_set_new(request, "fault", fault);
	reply = vmmctl_link_ask(job->fd, request, &code);
	if (reply != NULL)
		vmmctl_fault_print(stdout, reply);
	json_decref(reply);
	return code;
}

static int
run_top(struct job *job, const struct command *command)
{
	(void)command;
	return vmmctl_top_run(job->fd, job->argc > 0 ? job->argv[0] : NULL,
	    job->count, job->interval_ms);
}

static int
run_console(struct job *job, const struct command *command)
{
	int code;
	json_t *reply = vmmctl_link_ask(job->fd, make_request("status", NULL),
	    &code);

	(void)command;
	if (reply != NULL)
		code = vmmctl_console_run(reply);
	json_decref(reply);
	return code;
}

/* --- the command line -------------------------------------------------- */

/* Seconds, with a fraction, as milliseconds; -1: no time to wait. */
static int
parse_interval(const char *text, unsigned *ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end != '\0' || !(s >= 0.01 && s <= 86400))
		return -1;
	*ms = (unsigned)(s * 1000);
	return 0;
}

static int
parse_count(const char *text, unsigned *count)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || text[0] == '-' || n < 1 ||
	    n > 1000000000)
		return -1;
	*count = (unsigned)n;
	return 0;
}

static void
parse_options(struct job *job, const struct command *command)
{
	static const struct option metrics[] = {
		{ "metrics", no_argument, NULL, 'm' }, { 0 }
	};
	static const struct option none[] = { { 0 } };
	int c, bad = 0;

	optind = 0;
	while ((c = getopt_long(job->argc, job->argv, command->options,
	    command->run == run_stats ? metrics : none, NULL)) != -1) {
		if (c == 'j' && job->format == FORMAT_TABLE)
			job->format = FORMAT_JSON;
		else if (c == 'm' && job->format == FORMAT_TABLE)
			job->format = FORMAT_METRICS;
		else if (c == 'i')
			bad |= parse_interval(optarg, &job->interval_ms);
		else if (c == 'n')
			bad |= parse_count(optarg, &job->count);
		else
			bad = -1;
	}
	job->argc -= optind;
	job->argv += optind;
	if (bad || job->argc < command->min || job->argc > command->max)
		usage(command);
}

static const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; name != NULL && i < NCOMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	usage(NULL);
}

int
main(int argc, char **argv)
{
	char path[CONF_CONTROL_MAX] = "";
	const struct command *command;
	struct job job = { .interval_ms = 1000 };
	const char *name = "vm";
	int c, code;

	while ((c = getopt(argc, argv, "+n:s:")) != -1) {
		if (c == 'n')
			name = optarg;
		else if (c == 's')
			job.path = optarg;
		else
			usage(NULL);
	}
	command = find_command(argv[optind]);
	job.argc = argc - optind;
	job.argv = argv + optind;
	parse_options(&job, command);
	if (job.path == NULL) {
		listener_default_path(name, path);
		job.path = path;
	}
	if (job.path[0] == '\0')
		errx(EX_USAGE, "XDG_RUNTIME_DIR is not set: name the socket"
		    " with -s");
	if ((job.fd = vmmctl_link_open(job.path, &code)) == -1)
		return code;
	code = command->run(&job, command);
	close(job.fd);
	return code;
}
