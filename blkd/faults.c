/* SPDX-License-Identifier: ISC */
/*
 * The rules of faults on purpose.  Runs in blkd, all threads; touches the
 * memory of the faults, which a hostile predecessor may have written: each
 * rule is copied and checked before it is used.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/fault_clock.h"
#include "blkd/fault_memory.h"
#include "blkd/faults.h"
#include "proto/table.h"
#include "shm/memfd.h"
#include "shm/shared.h"

#define KILLED	137	/* as a shell has it: 128 and SIGKILL */

struct faults {
	struct fault_memory	*memory;
	struct fault_clock	*clock;
	pthread_mutex_t		 lock;		/* of the rules */
	pthread_mutex_t		 held;		/* of overlay.h */
	int			 eventfd;	/* the register thread's */
	uint32_t		 stopped;
};

/* --- memory ------------------------------------------------------------- */

struct faults *
faults_open(int fd)
{
	struct faults *f;

	if (memfd_check(fd, PROTO_FAULT_BYTES) == -1 ||
	    (f = calloc(1, sizeof(*f))) == NULL)
		return NULL;
	f->eventfd = -1;
	f->memory = memfd_map(fd, PROTO_FAULT_BYTES, true);
	if (f->memory == NULL) {
		free(f);
		return NULL;
	}
	pthread_mutex_init(&f->lock, NULL);
	pthread_mutex_init(&f->held, NULL);
	return f;
}

void
faults_close(struct faults *f)
{
	if (f == NULL)
		return;
	fault_clock_free(f->clock);
	memfd_unmap(f->memory, PROTO_FAULT_BYTES);
	pthread_mutex_destroy(&f->lock);
	pthread_mutex_destroy(&f->held);
	free(f);
}

int
faults_start(struct faults *f, int eventfd_)
{
	f->eventfd = eventfd_;
	return (f->clock = fault_clock_make()) == NULL ? -1 : 0;
}

struct fault_clock *
faults_clock(const struct faults *f)
{
	return f->clock;
}

struct fault_memory *
faults_lock(struct faults *f)
{
	pthread_mutex_lock(&f->held);
	return f->memory;
}

void
faults_unlock(struct faults *f)
{
	pthread_mutex_unlock(&f->held);
}

/* --- rules -------------------------------------------------------------- */

/* A copy of rule i; false: there is none in that place. */
static bool
read_rule(const struct faults *f, size_t i, struct proto_fault_row *row)
{
	shared_copy(row, &f->memory->s_rule[i].s_row, sizeof(*row));
	if (row->m_fault.m_id != 0 &&
	    row->m_fault.m_action >= PROTO_FAULT_FIRST &&
	    proto_fault_valid(&row->m_fault))
		return true;
	memset(row, 0, sizeof(*row));
	return false;
}

static bool
is_spent(const struct proto_fault_row *row)
{
	return row->m_fault.m_count != 0 &&
	    row->m_struck >= row->m_fault.m_count;
}

static int
add(struct faults *f, const struct proto_fault *fault)
{
	struct proto_fault_row row, *to;
	size_t i, place = PROTO_FAULTS_MAX;

	/* A free place, or else that of a rule that is over. */
	for (i = PROTO_FAULTS_MAX; i-- > 0;) {
		if (!read_rule(f, i, &row)) {
			place = i;
		} else if (row.m_fault.m_id == fault->m_id)
			return 0;
	}
	for (i = 0; place == PROTO_FAULTS_MAX && i < PROTO_FAULTS_MAX; i++) {
		if (read_rule(f, i, &row) && is_spent(&row))
			place = i;
	}
	if (place == PROTO_FAULTS_MAX)
		return ENOSPC;
	to = &f->memory->s_rule[place].s_row;
	shared_store_release(&to->m_fault.m_id, 0);
	row = (struct proto_fault_row) { .m_fault = *fault };
	row.m_fault.m_id = 0;
	memcpy(to, &row, sizeof(row));
	shared_store_release(&to->m_fault.m_id, fault->m_id);
	return 0;
}

static int
clear(struct faults *f, uint32_t id)
{
	struct proto_fault_row row;
	int error = id == 0 ? 0 : ENOENT;
	size_t i;

	for (i = 0; i < PROTO_FAULTS_MAX; i++) {
		if (read_rule(f, i, &row) &&
		    (id == 0 || row.m_fault.m_id == id)) {
			shared_store(&f->memory->s_rule[i].s_row.m_fault.m_id,
			    0);
			error = 0;
		}
	}
	return error;
}

int
faults_command(struct faults *f, const struct proto_fault *fault)
{
	int error = 0;

	pthread_mutex_lock(&f->lock);
	if (fault->m_action == PROTO_FAULT_CLEAR)
		error = clear(f, fault->m_id);
	else if (fault->m_action != PROTO_FAULT_LIST)
		error = add(f, fault);
	pthread_mutex_unlock(&f->lock);
	return error;
}

void
faults_list(struct faults *f, struct proto_fault_row row[PROTO_FAULTS_MAX])
{
	size_t i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < PROTO_FAULTS_MAX; i++)
		read_rule(f, i, &row[i]);
	pthread_mutex_unlock(&f->lock);
}

/* --- matching ----------------------------------------------------------- */

/* A number of a seed and a place: the same in each run. */
static uint64_t
draw(uint64_t seed, uint64_t n)
{
	/* The mixing function of splitmix64. */
	uint64_t x = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static bool
matches(const struct proto_fault *r, const struct fault_operation *o)
{
	if ((r->m_ops & o->op) == 0)
		return false;
	if (o->sectors == 0)
		return r->m_first == 0 && r->m_last == UINT64_MAX;
	/* One sector cannot be cut. */
	if ((r->m_action == PROTO_FAULT_TORN ||
	    r->m_action == PROTO_FAULT_SHORT) && o->sectors < 2)
		return false;
	return o->sector <= r->m_last && o->sector + o->sectors > r->m_first;
}

/* Of its n-th match, from 0 on. */
static bool
strikes(const struct proto_fault *r, uint64_t n)
{
	return n >= r->m_skip && (n - r->m_skip + 1) % r->m_every == 0 &&
	    draw(r->m_seed, n) % PROTO_FAULT_PPM < r->m_ppm;
}

static void
pronounce(const struct proto_fault *r, uint64_t n,
    const struct fault_operation *o, struct fault_verdict *v)
{
	if (r->m_action == PROTO_FAULT_DELAY) {
		v->delay_ns += r->m_delay_ns;
	} else if (r->m_action == PROTO_FAULT_LOST_FLUSH) {
		v->hold = true;
	} else {
		v->action = r->m_action;
		v->id = r->m_id;
		v->after = r->m_after != 0;
		if (o->sectors > 1)
			v->cut = 1 + draw(~r->m_seed, n) % (o->sectors - 1);
	}
}

unsigned
faults_judge(struct faults *f, const struct fault_operation *o,
    struct fault_verdict *v)
{
	struct proto_fault_row row, *shared;
	unsigned struck = 0;
	size_t i;

	*v = (struct fault_verdict) { 0 };
	faults_hang_if_stopped(f);
	pthread_mutex_lock(&f->lock);
	for (i = 0; i < PROTO_FAULTS_MAX && v->action == 0; i++) {
		if (!read_rule(f, i, &row) || is_spent(&row) ||
		    !matches(&row.m_fault, o))
			continue;
		/* Counted before it happens: a successor does not repeat it. */
		shared = &f->memory->s_rule[i].s_row;
		shared_store(&shared->m_seen, row.m_seen + 1);
		if (!strikes(&row.m_fault, row.m_seen))
			continue;
		shared_store(&shared->m_struck, row.m_struck + 1);
		pronounce(&row.m_fault, row.m_seen, o, v);
		struck++;
	}
	pthread_mutex_unlock(&f->lock);
	return struck;
}

bool
faults_hold(struct faults *f)
{
	struct proto_fault_row row;
	bool hold = false;
	size_t i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < PROTO_FAULTS_MAX; i++)
		hold |= read_rule(f, i, &row) &&
		    row.m_fault.m_action == PROTO_FAULT_LOST_FLUSH;
	pthread_mutex_unlock(&f->lock);
	return hold;
}

/* --- the end, and the like ---------------------------------------------- */

/*
 * The first process of its namespace gets no signal from itself; this ends
 * all threads at once, with nothing in between.
 */
void
faults_kill(void)
{
	_exit(KILLED);
}

static void __attribute__((noreturn))
hang(void)
{
	for (;;)
		(void)ppoll(NULL, 0, NULL, NULL);
}

void
faults_stop(struct faults *f)
{
	shared_store_release(&f->stopped, 1);
	(void)eventfd_write(f->eventfd, 1);
	hang();
}

void
faults_hang_if_stopped(const struct faults *f)
{
	if (shared_load_acquire(&f->stopped) != 0)
		hang();
}
