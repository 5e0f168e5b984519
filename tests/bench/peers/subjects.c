/* SPDX-License-Identifier: ISC */
/*
 * Who is measured.  The generator has core 0, who is measured core 1; fio
 * does both on core 1.
 */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/peers/subjects.h"

#define CORES		"0,1"
#define THEIR_CORE	"1"

const struct subjects_row subjects[] = {
	{ "loop", SUBJECTS_LIMIT, SUBJECTS_LOAD_LIMIT, "loop", false },
	{ "mmap", SUBJECTS_LIMIT, SUBJECTS_LOAD_LIMIT, "mmap", false },
	{ "event", SUBJECTS_LIMIT, SUBJECTS_LOAD_LIMIT, "event", false },
	{ "fio", SUBJECTS_LIMIT, SUBJECTS_FIO, "io_uring", false },
	{ "blkd-sync", SUBJECTS_BLKD, SUBJECTS_BLKD_MMIO, "sync", false },
	{ "blkd-uring", SUBJECTS_BLKD, SUBJECTS_BLKD_MMIO, "uring", false },
	{ "blkd-auto", SUBJECTS_BLKD, SUBJECTS_BLKD_MMIO, "auto", false },
	{ "blkd-mmap", SUBJECTS_MMAP, SUBJECTS_BLKD_MMIO, "mmap", false },
	{ "blkd-vhost-sync", SUBJECTS_BLKD, SUBJECTS_BLKD_VHOST, "sync",
	    false },
	{ "blkd-vhost-uring", SUBJECTS_BLKD, SUBJECTS_BLKD_VHOST, "uring",
	    false },
	{ "blkd-vhost-auto", SUBJECTS_BLKD, SUBJECTS_BLKD_VHOST, "auto",
	    false },
	{ "qsd-threads", SUBJECTS_PEER, SUBJECTS_QSD, "threads", false },
	{ "qsd-threads-iothread", SUBJECTS_PEER, SUBJECTS_QSD, "threads",
	    true },
	{ "qsd-uring", SUBJECTS_PEER, SUBJECTS_QSD, "io_uring", false },
	{ "qsd-uring-iothread", SUBJECTS_PEER, SUBJECTS_QSD, "io_uring",
	    true },
};
const size_t subjects_count = sizeof(subjects) / sizeof(subjects[0]);

const struct subjects_row *
subjects_find(const char *name)
{
	size_t i;

	for (i = 0; i < subjects_count; i++)
		if (strcmp(subjects[i].name, name) == 0)
			return &subjects[i];
	return NULL;
}

bool
subjects_fits(const struct subjects_row *s, const struct cells_row *c)
{
	if (s->start == SUBJECTS_FIO)
		return c->disk;
	if (s->role == SUBJECTS_MMAP)
		return !c->disk;
	if (s->start != SUBJECTS_LOAD_LIMIT)
		return true;
	if (strcmp(s->how, "event") == 0)
		return c->depth == 1 && !c->disk;
	/* One system call at a time says little of a disk's depth. */
	return !c->disk || (c->depth == 1 && strcmp(s->how, "loop") == 0);
}

static void __attribute__((format(printf, 2, 3)))
add(struct subjects_command *c, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(c->text + c->used, sizeof(c->text) - c->used, format,
	    ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(c->text) - c->used ||
	    c->n + 1 >= SUBJECTS_ARGS)
		errx(1, "a command line is too long");
	c->argv[c->n++] = c->text + c->used;
	c->used += (size_t)n + 1;
	c->argv[c->n] = NULL;
}

static void
add_fio(const struct cells_row *cell, const struct subjects_place *p,
    struct subjects_command *c)
{
	add(c, "fio");
	add(c, "--name=limit");
	add(c, "--output-format=json");
	add(c, "--ioengine=io_uring");
	add(c, "--registerfiles=1");
	add(c, "--fixedbufs=1");
	add(c, "--rw=%s", cell->write ? "randwrite" : "randread");
	add(c, "--bs=%u", cell->bytes);
	add(c, "--iodepth=%u", cell->depth);
	add(c, "--direct=%d", cell->disk);
	add(c, "--filename=%s", p->file);
	add(c, "--size=%um", p->megabytes);
	add(c, "--time_based");
	add(c, "--runtime=%ums", p->run_ms);
	add(c, "--ramp_time=%ums", p->warm_up_ms);
	add(c, "--norandommap");
	add(c, "--randrepeat=0");
	add(c, "--cpus_allowed=" THEIR_CORE);
}

static void
add_qsd(const struct subjects_row *s, const struct cells_row *cell,
    const struct subjects_place *p, struct subjects_command *c)
{
	add(c, "qemu-storage-daemon");
	if (s->iothread) {
		add(c, "--object");
		add(c, "iothread,id=io");
	}
	add(c, "--blockdev");
	add(c, "driver=file,node-name=f,filename=%s,aio=%s,cache.direct=%s",
	    p->file, s->how, cell->disk ? "on" : "off");
	add(c, "--export");
	add(c, "type=vhost-user-blk,id=e,node-name=f,writable=on,"
	    "addr.type=unix,addr.path=%s%s", p->socket,
	    s->iothread ? ",iothread=io" : "");
}

static void
add_blkd_vhost(const struct subjects_row *s, const struct cells_row *cell,
    const struct subjects_place *p, struct subjects_command *c)
{
	add(c, "%s", p->blkd);
	add(c, "-s");
	add(c, "%s", p->socket);
	add(c, "-f");
	add(c, "%s", p->file);
	add(c, "-e");
	add(c, "%s", s->how);
	if (cell->disk)
		add(c, "-D");
}

static void
add_load(const struct subjects_row *s, const struct cells_row *cell,
    const struct subjects_place *p, struct subjects_command *c)
{
	add(c, "%s", p->load);
	add(c, "-d%s", s->start == SUBJECTS_LOAD_LIMIT ? s->how :
	    s->start == SUBJECTS_BLKD_MMIO ? "mmio" : "vhost");
	add(c, "-j");
	add(c, "-c" CORES);
	add(c, "-q%u", cell->depth);
	add(c, "-B%u", cell->bytes);
	add(c, "-p%s", cell->write ? "write" : "read");
	add(c, "-t%.3f", p->run_ms / 1e3);
	add(c, "-u%.3f", p->warm_up_ms / 1e3);
	/* A disk's completions are the work of kernel threads. */
	if (p->real_time && !cell->disk)
		add(c, "-R");
	if (cell->wait)
		add(c, "-w");
	if (cell->disk)
		add(c, "-D");
	if (s->start == SUBJECTS_LOAD_LIMIT || s->start == SUBJECTS_BLKD_MMIO)
		add(c, "-f%s", p->file);
	if (s->start == SUBJECTS_BLKD_MMIO) {
		add(c, "-b%s", p->blkd);
		add(c, "-E%s", s->how);
	}
}

void
subjects_command(const struct subjects_row *s, const struct cells_row *cell,
    const struct subjects_place *p, struct subjects_command *c)
{
	c->n = c->used = 0;
	if (s->start == SUBJECTS_FIO) {
		add_fio(cell, p, c);
		return;
	}
	add_load(s, cell, p, c);
	if (s->start != SUBJECTS_QSD && s->start != SUBJECTS_BLKD_VHOST)
		return;
	add(c, "-s%s", p->socket);
	add(c, "--");
	if (s->start == SUBJECTS_QSD)
		add_qsd(s, cell, p, c);
	else
		add_blkd_vhost(s, cell, p, c);
}
