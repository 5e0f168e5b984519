/* SPDX-License-Identifier: ISC */
/*
 * vmmd.conf by libConfuse: two kinds of sections, one table of keys.
 * Monitor, before anything is started; trusts nothing in the file.
 *
 * libConfuse sees every value as a string: so that one table has the checks,
 * and one place the form of the message.  It has no pointer for its callbacks,
 * so a value is checked when it is read (its line is known then), and stored
 * in a second pass.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include "proto/table.h"
#include "shm/gmem.h"
#include "util/log.h"
#include "vmmd/conf.h"
#include "vmmd/conf_value.h"

#define NKEYS	(sizeof(keys) / sizeof(keys[0]))
#define MIB	(UINT64_C(1) << 20)

/*
 * libConfuse lets a file end inside a section or a comment.  So this is read
 * after the file's last line: it has to arrive, and at the top.
 */
#define END_KEY		"end-of-file"
#define END_LINE	"\n" END_KEY " = yes\n"
#define FILE_MAX	(1 << 20)	/* bytes */

/*
 * Annotations are the one place of libConfuse for a mark of ours: that a key
 * was given.  It is copied (and declared without const).
 */
static char seen[] = "seen";

static const struct conf_choice serial_choices[] = {
	{ "stdio", CONF_SERIAL_STDIO },
	{ "pty", CONF_SERIAL_PTY },
	{ "none", CONF_SERIAL_NONE },
	{ NULL, 0 }
};
static const struct conf_choice sandbox_choices[] = {
	{ "default", CONF_SANDBOX_DEFAULT },
	{ "strict", CONF_SANDBOX_STRICT },
	{ "best-effort", CONF_SANDBOX_BEST_EFFORT },
	{ NULL, 0 }
};
static const struct conf_choice notify_choices[] = {
	{ "ioeventfd", CONF_NOTIFY_IOEVENTFD },
	{ "message", CONF_NOTIFY_MESSAGE },
	{ NULL, 0 }
};

static const struct conf_choice engine_choices[] = {
	{ "auto", PROTO_ENGINE_AUTO },
	{ "sync", PROTO_ENGINE_SYNC },
	{ "uring", PROTO_ENGINE_URING },
	{ "mmap", PROTO_ENGINE_MMAP },
	{ NULL, 0 }
};

#define FIELD(s, f)	offsetof(struct s, f), sizeof(((struct s *)0)->f)
#define VM(n, def, type, f, ...) { "vm", n, def, conf_value_##type, \
	FIELD(conf_vm, f), __VA_ARGS__ }
#define DISK(n, def, type, f, ...) { "disk", n, def, conf_value_##type, \
	FIELD(conf_disk, f), __VA_ARGS__ }
#define LIMIT(n, f) DISK(n, "0", amount, limits.f, 0, PROTO_LIMIT_MAX, NULL, \
	"a number with or without k, M, G, Ki, Mi or Gi")
#define SHARED(n, f) { "group", n, "0", conf_value_amount, \
	FIELD(conf_group, limits.f), 0, PROTO_LIMIT_MAX, NULL, \
	"a number with or without k, M, G, Ki, Mi or Gi" }
#define YES_OR_NO	0, 0, NULL, "yes or no"

static const struct conf_key keys[] = {
	VM("name", "vm", name, name, 1, 0, NULL,
	    "at most 31 letters, digits, '_', '.' or '-'"),
	VM("memory", NULL, bytes, memory, 2 * MIB, GMEM_BYTES_MAX, NULL,
	    "a multiple of 2M up to 1T, such as 512M or 2G"),
	VM("vcpus", "1", number, vcpus, 1, PROTO_VCPUS_MAX, NULL,
	    "a number from 1 to 64"),
	VM("kernel", NULL, text, kernel, 1, 0, NULL, "a path"),
	VM("initrd", "", text, initrd, 0, 0, NULL, "a path"),
	VM("cmdline", "", text, cmdline, 0, 0, NULL, "at most 2047 bytes"),
	VM("mmio-cmdline", "no", bool, mmio_cmdline, YES_OR_NO),
	VM("serial", "stdio", serial, serial, 0, 0, serial_choices,
	    "stdio, pty, file:PATH or none"),
	VM("sandbox", "default", choice, sandbox, 0, 0, sandbox_choices,
	    "strict or best-effort"),
	VM("user", "", text, user, 0, 0, NULL, "the name of a user"),
	VM("disk-user", "", text, disk_user, 0, 0, NULL,
	    "the name of a user"),
	VM("control", "", text, control, 0, 0, NULL,
	    "a path shorter than 108 bytes, or none"),
	VM("control-mode", "0600", octal, control_mode, 0, 0777, NULL,
	    "a file mode such as 0660"),
	VM("control-group", "", text, control_group, 0, 0, NULL,
	    "the name of a group"),

	DISK("path", NULL, text, path, 1, 0, NULL, "a path"),
	DISK("readonly", "no", bool, readonly, YES_OR_NO),
	DISK("serial", "", text, serial, 0, 0, NULL, "at most 20 bytes"),
	DISK("notify", "ioeventfd", choice, notify, 0, 0, notify_choices,
	    "ioeventfd or message"),
	DISK("queues", "1", number, queues, 1, PROTO_QUEUES_MAX, NULL,
	    "a number from 1 to 8"),
	DISK("queue-size", "256", power, queue_size, 2, PROTO_QUEUE_SIZE_MAX,
	    NULL, "a power of two from 2 to 1024"),
	DISK("poll-us", "50", number, poll_us, 0, PROTO_POLL_US_MAX, NULL,
	    "a number from 0 to 1000"),
	DISK("block-size", "512", choice, block_size, 0, 0,
	    (const struct conf_choice[]){ { "512", 512 }, { "4096", 4096 },
	    { NULL, 0 } }, "512 or 4096"),
	DISK("direct", "no", bool, direct, YES_OR_NO),
	DISK("engine", "auto", choice, engine, 0, 0, engine_choices,
	    "auto, sync, uring or mmap"),
	DISK("threads", "8", number, threads, 0, PROTO_THREADS_MAX, NULL,
	    "a number from 0 to 8"),
	DISK("slow-us", "20", number, slow_us, 0, PROTO_SLOW_US_MAX, NULL,
	    "a number from 0 to 10000"),
	DISK("faults", "no", bool, faults, YES_OR_NO),
	DISK("cpus", "", cpus, cpus, 0, PROTO_CPUS_MAX - 1, NULL,
	    "at most 8 numbers of CPUs, such as \"0,2\""),
	DISK("group", "", text, group, 0, 0, NULL, "the name of a group"),
	LIMIT("iops", m_ops_rate),
	LIMIT("iops-burst", m_ops_burst),
	LIMIT("bps", m_bytes_rate),
	LIMIT("bps-burst", m_bytes_burst),
	LIMIT("iops-size", m_iops_size),

	SHARED("iops", m_ops_rate),
	SHARED("iops-burst", m_ops_burst),
	SHARED("bps", m_bytes_rate),
	SHARED("bps-burst", m_bytes_burst),
	SHARED("iops-size", m_iops_size),
};

int
conf_key_at(size_t index, struct conf_key_name *out)
{
	if (index >= NKEYS)
		return -1;
	*out = (struct conf_key_name) {
		.section = keys[index].section,
		.key = keys[index].name,
		.fallback = keys[index].fallback,
	};
	return 0;
}

static const struct conf_key *
find_key(const char *section, const char *name)
{
	size_t i;

	for (i = 0; i < NKEYS; i++) {
		if (strcmp(keys[i].section, section) == 0 &&
		    strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

/* libConfuse's way to say what is wrong: one line, with file and line. */
static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[LOG_MESSAGE_MAX];
	const char *title = cfg_title(cfg);

	vsnprintf(text, sizeof(text), fmt, ap);
	if (strcmp(text, "no such option '" END_KEY "'") == 0)
		snprintf(text, sizeof(text), "the closing brace is missing");
	if (title != NULL)
		log_error("%s:%d: %s %s: %s", cfg->filename, cfg->line,
		    cfg_name(cfg), title, text);
	else
		log_error("%s:%d: %s%s", cfg->filename, cfg->line,
		    strcmp(cfg_name(cfg), "vm") == 0 ? "vm: " : "", text);
}

/* A value was read: check it, and that it is the key's first. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	union {
		struct conf_serial	serial;
		char			bytes[sizeof(struct conf_disk)];
	} scratch;
	const struct conf_key *key;

	key = find_key(cfg_name(cfg), opt->name);
	if (key == NULL)
		return -1;
	if (cfg_opt_getcomment(opt) != NULL) {
		cfg_error(cfg, "%s is given twice", key->name);
		return -1;
	}
	if (key->set(key, &scratch, value) == -1) {
		cfg_error(cfg, "%s must be %s, not %s", key->name, key->must,
		    value[0] != '\0' ? value : "empty");
		return -1;
	}
	*(const char **)result = value;
	return cfg_opt_setcomment(opt, seen);
}

/* A section has ended: is everything there that must be? */
static int
check_section(cfg_t *cfg, const char *section)
{
	size_t i;


	for (i = 0; i < NKEYS; i++) {
		if (strcmp(keys[i].section, section) != 0 ||
		    keys[i].fallback != NULL ||
		    cfg_getstr(cfg, keys[i].name) != NULL)
			continue;
		cfg_error(cfg, "%s is missing", keys[i].name);
		return -1;
	}
	return 0;
}

static int
on_vm(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned n = cfg_opt_size(opt);

	if (n > 1) {
		cfg_error(cfg, "vm is given twice");
		return -1;
	}
	return check_section(cfg_opt_getnsec(opt, n - 1), "vm");
}

static void
store(cfg_t *cfg, const char *section, void *target)
{
	const char *value;
	size_t i;

	for (i = 0; i < NKEYS; i++) {
		if (strcmp(keys[i].section, section) != 0)
			continue;
		if ((value = cfg_getstr(cfg, keys[i].name)) == NULL)
			value = keys[i].fallback;
		keys[i].set(&keys[i], (char *)target + keys[i].offset, value);
	}
}

/* The same image, by any name?  One that is not there is not: see image.c. */
static bool
is_same_image(cfg_t *a, cfg_t *b)
{
	const char *pa = cfg_getstr(a, "path"), *pb = cfg_getstr(b, "path");
	struct stat sa, sb;

	if (strcmp(pa, pb) == 0)
		return true;
	if (stat(pa, &sa) == -1 || stat(pb, &sb) == -1)
		return false;
	if (S_ISBLK(sa.st_mode) && S_ISBLK(sb.st_mode))
		return sa.st_rdev == sb.st_rdev;
	return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static bool
is_readonly(cfg_t *cfg)
{
	const struct conf_key *key = find_key("disk", "readonly");
	const char *value = cfg_getstr(cfg, "readonly");
	bool readonly = false;

	if (value != NULL)
		key->set(key, &readonly, value);
	return readonly;
}

static int
check_images(cfg_opt_t *opt, cfg_t *disk)
{
	unsigned i, n = cfg_opt_size(opt);
	cfg_t *other;

	for (i = 0; i + 1 < n; i++) {
		other = cfg_opt_getnsec(opt, i);
		if (!is_same_image(other, disk) ||
		    (is_readonly(other) && is_readonly(disk)))
			continue;
		cfg_error(disk, "%s is the image of disk %s, too: both must be"
		    " readonly", cfg_getstr(disk, "path"), cfg_title(other));
		return -1;
	}
	return 0;
}

/* A burst needs its rate, and is not below it. */
static int
check_limits(cfg_t *section, const struct proto_limits *limits)
{
	if (proto_limits_valid(limits))
		return 0;
	cfg_error(section, "iops-burst and bps-burst need iops and bps, and must"
	    " not be below them");
	return -1;
}

static int
check_name(cfg_t *section)
{
	static const struct conf_key name = { .size = PROTO_NAME_MAX };
	char scratch[PROTO_NAME_MAX];

	if (conf_value_name(&name, scratch, cfg_title(section)) == 0)
		return 0;
	cfg_error(section, "the name must be at most 31 letters, digits,"
	    " '_', '.' or '-'");
	return -1;
}

static int
on_group(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned n = cfg_opt_size(opt);
	cfg_t *section = cfg_opt_getnsec(opt, n - 1);
	struct conf_group group;

	if (n > PROTO_DISKS_MAX) {
		cfg_error(cfg, "more than %d groups", PROTO_DISKS_MAX);
		return -1;
	}
	if (check_name(section) == -1)
		return -1;
	memset(&group, 0, sizeof(group));
	store(section, "group", &group);
	return check_limits(section, &group.limits);
}

/* What is mapped is the page cache, which direct goes past. */
static int
check_engine(cfg_t *section, const struct conf_disk *disk)
{
	if (disk->engine != PROTO_ENGINE_MMAP || !disk->direct)
		return 0;
	cfg_error(section, "engine = mmap needs direct = no");
	return -1;
}

static int
on_disk(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned n = cfg_opt_size(opt);
	cfg_t *disk = cfg_opt_getnsec(opt, n - 1);
	struct conf_disk d;

	if (n > PROTO_DISKS_MAX) {
		cfg_error(cfg, "more than %d disks", PROTO_DISKS_MAX);
		return -1;
	}
	if (check_name(disk) == -1 || check_section(disk, "disk") == -1)
		return -1;
	memset(&d, 0, sizeof(d));
	store(disk, "disk", &d);
	if (check_limits(disk, &d.limits) == -1 ||
	    check_engine(disk, &d) == -1)
		return -1;
	return check_images(opt, disk);
}

static void
make_options(const char *section, cfg_opt_t *opts)
{
	size_t i, n = 0;

	for (i = 0; i < NKEYS; i++) {
		if (strcmp(keys[i].section, section) == 0)
			opts[n++] = (cfg_opt_t)CFG_STR_CB(keys[i].name, NULL,
			    CFGF_NODEFAULT, on_value);
	}
	opts[n] = (cfg_opt_t)CFG_END();
}

static void
store_all(cfg_t *cfg, struct conf *conf)
{
	struct conf_disk *disk;
	cfg_t *section;

	memset(conf, 0, sizeof(*conf));
	store(cfg_getnsec(cfg, "vm", 0), "vm", &conf->vm);
	conf->ndisks = cfg_size(cfg, "disk");
	for (size_t i = 0; i < conf->ndisks; i++) {
		disk = &conf->disk[i];
		section = cfg_getnsec(cfg, "disk", (unsigned)i);
		store(section, "disk", disk);
		snprintf(disk->name, sizeof(disk->name), "%s",
		    cfg_title(section));
		if (disk->serial[0] == '\0')
			snprintf(disk->serial, sizeof(disk->serial), "%s",
			    cfg_title(section));
	}
}

static int
find_group(const struct conf *conf, struct conf_disk *disk)
{
	size_t i;

	for (i = 0; i < conf->ngroups; i++) {
		if (strcmp(conf->group[i].name, disk->group) == 0) {
			disk->group_index = (unsigned)i;
			return 0;
		}
	}
	return -1;
}

/* Groups may come after the disks that name them. */
static int
store_groups(cfg_t *cfg, const char *file, struct conf *conf)
{
	cfg_t *section;
	size_t i;

	conf->ngroups = cfg_size(cfg, "group");
	for (i = 0; i < conf->ngroups; i++) {
		section = cfg_getnsec(cfg, "group", (unsigned)i);
		store(section, "group", &conf->group[i]);
		snprintf(conf->group[i].name, sizeof(conf->group[i].name),
		    "%s", cfg_title(section));
	}
	for (i = 0; i < conf->ndisks; i++) {
		if (conf->disk[i].group[0] == '\0' ||
		    find_group(conf, &conf->disk[i]) == 0)
			continue;
		log_error("%s: disk %s: group = %s: there is no such group:"
		    " add group %s { ... }", file, conf->disk[i].name,
		    conf->disk[i].group, conf->disk[i].group);
		return -1;
	}
	return 0;
}

/* The whole file, and END_KEY; the caller's to free. */
static char *
read_file(const char *file)
{
	struct stat st;
	char *text = NULL;
	size_t length = 0;
	FILE *f;

	if ((f = fopen(file, "re")) == NULL) {
		log_error("%s: %s: name another with -f, or write it as in"
		    " vmmd.conf(5)", file, strerror(errno));
		return NULL;
	}
	if (fstat(fileno(f), &st) == -1 || S_ISDIR(st.st_mode)) {
		log_error("%s: is a directory: name a file with -f", file);
		goto out;
	}
	if ((text = malloc(FILE_MAX + sizeof(END_LINE))) == NULL)
		goto out;
	length = fread(text, 1, FILE_MAX, f);
	if (ferror(f) || length == FILE_MAX ||
	    memchr(text, '\0', length) != NULL) {
		log_error("%s: is no configuration: must be text, and shorter"
		    " than %d bytes", file, FILE_MAX);
		free(text);
		text = NULL;
		goto out;
	}
	memcpy(text + length, END_LINE, sizeof(END_LINE));
out:
	fclose(f);
	return text;
}

/* libConfuse's scanner, on a text that was read as a whole. */
static int
parse(cfg_t *cfg, const char *file, char *text)
{
	FILE *f;
	int ret = -1;

	cfg_set_error_function(cfg, on_error);
	cfg_set_validate_func(cfg, "vm", on_vm);
	cfg_set_validate_func(cfg, "disk", on_disk);
	cfg_set_validate_func(cfg, "group", on_group);
	if ((f = fmemopen(text, strlen(text), "r")) == NULL ||
	    (cfg->filename = strdup(file)) == NULL) {
		log_error("%s: %s", file, strerror(errno));
		goto out;
	}
	if (cfg_parse_fp(cfg, f) != CFG_SUCCESS)
		goto out;
	if (cfg_getstr(cfg, END_KEY) == NULL) {
		log_error("%s: a comment is not closed: add */", file);
		goto out;
	}
	if (cfg_size(cfg, "vm") == 0) {
		log_error("%s: there is no vm section: add vm { ... }", file);
		goto out;
	}
	ret = 0;
out:
	if (f != NULL)
		fclose(f);
	return ret;
}

int
conf_read(const char *file, struct conf *conf)
{
	cfg_opt_t vm[NKEYS + 1], disk[NKEYS + 1], group[NKEYS + 1];
	cfg_opt_t top[] = {
		CFG_SEC("vm", vm, CFGF_MULTI),
		CFG_SEC("disk", disk,
		    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("group", group,
		    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_STR(END_KEY, NULL, CFGF_NODEFAULT),
		CFG_END()
	};
	cfg_t *cfg;
	char *text;
	int ret = -1;

	if ((text = read_file(file)) == NULL)
		return -1;
	make_options("vm", vm);
	make_options("disk", disk);
	make_options("group", group);
	if ((cfg = cfg_init(top, CFGF_NONE)) == NULL)
		log_error("%s: %s", file, strerror(errno));
	else if (parse(cfg, file, text) == 0) {
		store_all(cfg, conf);
		ret = store_groups(cfg, file, conf);
	}
	if (cfg != NULL)
		cfg_free(cfg);
	free(text);
	return ret;
}
