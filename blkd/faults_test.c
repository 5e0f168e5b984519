/* SPDX-License-Identifier: ISC */
/* blkd/faults: which operations a rule strikes, again and again the same. */
#include <atf-c.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "blkd/faults.h"
#include "shm/memfd.h"

#define OPS	10000u

struct world {
	int		 fd;
	struct faults	*faults;
};

static void
set_up(struct world *w)
{
	w->fd = memfd_make("faults", PROTO_FAULT_BYTES);
	ATF_REQUIRE(w->fd != -1);
	w->faults = faults_open(w->fd);
	ATF_REQUIRE(w->faults != NULL);
}

static void
tear_down(struct world *w)
{
	faults_close(w->faults);
	close(w->fd);
}

/* As after the death of a blkd. */
static void
succeed(struct world *w)
{
	faults_close(w->faults);
	w->faults = faults_open(w->fd);
	ATF_REQUIRE(w->faults != NULL);
}

static struct proto_fault
rule(uint32_t id, uint32_t action, uint32_t ops)
{
	return (struct proto_fault) {
		.m_id = id, .m_action = action, .m_ops = ops,
		.m_last = UINT64_MAX, .m_every = 1, .m_ppm = PROTO_FAULT_PPM,
	};
}

static void
add(struct world *w, struct proto_fault f)
{
	ATF_REQUIRE_EQ(0, faults_command(w->faults, &f));
}

static struct fault_verdict
judge(struct world *w, enum proto_fault_op op, uint64_t sector, uint64_t n)
{
	struct fault_operation o = { op, sector, n };
	struct fault_verdict v;

	faults_judge(w->faults, &o, &v);
	return v;
}

static uint32_t
struck(struct world *w, enum proto_fault_op op, uint64_t sector, uint64_t n)
{
	return judge(w, op, sector, n).action;
}

ATF_TC_WITHOUT_HEAD(faults__none_at_first);
ATF_TC_BODY(faults__none_at_first, tc)
{
	struct proto_fault_row row[PROTO_FAULTS_MAX];
	struct world w;
	size_t i;

	set_up(&w);
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_WRITE, 0, 8));
	ATF_CHECK(!faults_hold(w.faults));
	faults_list(w.faults, row);
	for (i = 0; i < PROTO_FAULTS_MAX; i++)
		ATF_CHECK_EQ(0, row[i].m_fault.m_id);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(faults__match_operation_and_range);
ATF_TC_BODY(faults__match_operation_and_range, tc)
{
	struct proto_fault f = rule(1, PROTO_FAULT_EIO,
	    PROTO_FAULT_WRITE | PROTO_FAULT_FLUSH);
	struct world w;

	set_up(&w);
	f.m_first = 100;
	f.m_last = 199;
	add(&w, f);
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_READ, 100, 8));
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_WRITE, 92, 8));
	ATF_CHECK_EQ(PROTO_FAULT_EIO, struck(&w, PROTO_FAULT_WRITE, 93, 8));
	ATF_CHECK_EQ(PROTO_FAULT_EIO, struck(&w, PROTO_FAULT_WRITE, 199, 1));
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_WRITE, 200, 8));
	/* What has no sectors is in no range. */
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_FLUSH, 0, 0));
	add(&w, rule(2, PROTO_FAULT_ENOSPC, PROTO_FAULT_FLUSH));
	ATF_CHECK_EQ(PROTO_FAULT_ENOSPC, struck(&w, PROTO_FAULT_FLUSH, 0, 0));
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(faults__skip_every_and_count);
ATF_TC_BODY(faults__skip_every_and_count, tc)
{
	struct proto_fault f = rule(1, PROTO_FAULT_EIO, PROTO_FAULT_READ);
	struct proto_fault_row row[PROTO_FAULTS_MAX];
	struct world w;
	unsigned i;

	set_up(&w);
	f.m_skip = 2;
	f.m_every = 3;
	f.m_count = 2;
	add(&w, f);
	for (i = 0; i < 20; i++)
		ATF_CHECK_EQ_MSG(i == 4 || i == 7 ? PROTO_FAULT_EIO : 0,
		    struck(&w, PROTO_FAULT_READ, i, 1), "%u", i);
	faults_list(w.faults, row);
	ATF_CHECK_EQ(8, row[0].m_seen);
	ATF_CHECK_EQ(2, row[0].m_struck);
	tear_down(&w);
}

/* Which of OPS operations are struck; each `death` a successor takes over. */
static unsigned
run(uint64_t seed, unsigned death, bool hit[OPS])
{
	struct proto_fault f = rule(1, PROTO_FAULT_EIO, PROTO_FAULT_READ);
	unsigned i, n = 0;
	struct world w;

	set_up(&w);
	f.m_ppm = 50000;
	f.m_seed = seed;
	add(&w, f);
	for (i = 0; i < OPS; i++) {
		if (death != 0 && i % death == 0)
			succeed(&w);
		hit[i] = struck(&w, PROTO_FAULT_READ, i, 1) != 0;
		n += hit[i];
	}
	tear_down(&w);
	return n;
}

ATF_TC_WITHOUT_HEAD(faults__a_seed_makes_runs_repeatable);
ATF_TC_BODY(faults__a_seed_makes_runs_repeatable, tc)
{
	static bool first[OPS], again[OPS];
	unsigned n = run(7, 0, first);

	/* 500 are expected; this is eight standard deviations. */
	ATF_CHECK_MSG(n > 325 && n < 675, "%u", n);
	ATF_CHECK_EQ(n, run(7, 0, again));
	ATF_CHECK(memcmp(first, again, sizeof(first)) == 0);
	ATF_CHECK_EQ(n, run(7, 997, again));
	ATF_CHECK(memcmp(first, again, sizeof(first)) == 0);
	run(8, 0, again);
	ATF_CHECK(memcmp(first, again, sizeof(first)) != 0);
}

/* Did the rule befall this operation, whatever its kind does? */
static bool
befell(const struct fault_verdict *v, uint32_t action)
{
	switch (action) {
	case PROTO_FAULT_DELAY:
		return v->delay_ns == 1000;
	case PROTO_FAULT_LOST_FLUSH:
		return v->hold;
	default:
		return v->action == action;
	}
}

/* Of OPS writes all over 2000 sectors, those that a rule of a kind befalls. */
static unsigned
run_kind(uint32_t action, bool hit[OPS])
{
	struct proto_fault f = rule(1, action, PROTO_FAULT_WRITE);
	struct fault_verdict v;
	unsigned i, n = 0;
	struct world w;

	f.m_first = 500;
	f.m_last = 1499;
	f.m_ppm = 200000;
	f.m_count = 600;
	f.m_seed = 42;
	f.m_delay_ns = action == PROTO_FAULT_DELAY ? 1000 : 0;
	set_up(&w);
	add(&w, f);
	for (i = 0; i < OPS; i++) {
		v = judge(&w, PROTO_FAULT_WRITE, i * 8 % 2000, 8);
		hit[i] = befell(&v, action);
		n += hit[i];
		ATF_REQUIRE(!hit[i] || (i * 8 % 2000 + 8 > 500 &&
		    i * 8 % 2000 < 1500));
	}
	tear_down(&w);
	return n;
}

/* Sectors, probability, count and seed mean the same of each kind. */
ATF_TC_WITHOUT_HEAD(faults__each_kind_obeys_its_rule);
ATF_TC_BODY(faults__each_kind_obeys_its_rule, tc)
{
	static const uint32_t kinds[] = {
		PROTO_FAULT_KILL, PROTO_FAULT_STOP, PROTO_FAULT_EIO,
		PROTO_FAULT_ENOSPC, PROTO_FAULT_DELAY, PROTO_FAULT_TORN,
		PROTO_FAULT_SHORT, PROTO_FAULT_LOST_FLUSH,
	};
	static bool first[OPS], hit[OPS];
	unsigned i, last = 0;
	size_t k;

	ATF_CHECK_EQ(600, run_kind(kinds[0], first));
	for (i = 0; i < OPS; i++)
		last = first[i] ? i : last;
	/* A fifth of the half that matches: 600 are some 6000 operations. */
	ATF_CHECK_MSG(last > 5000 && last < 7000, "%u", last);
	for (k = 1; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		ATF_CHECK_EQ_MSG(600, run_kind(kinds[k], hit), "%zu", k);
		ATF_CHECK_MSG(memcmp(first, hit, sizeof(hit)) == 0,
		    "kind %u", kinds[k]);
	}
}

ATF_TC_WITHOUT_HEAD(faults__cuts_are_within);
ATF_TC_BODY(faults__cuts_are_within, tc)
{
	struct fault_verdict v;
	struct world w;
	uint64_t n;

	set_up(&w);
	add(&w, rule(1, PROTO_FAULT_TORN, PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_WRITE, 0, 1));
	for (n = 2; n < 300; n++) {
		v = judge(&w, PROTO_FAULT_WRITE, 0, n);
		ATF_CHECK_EQ(PROTO_FAULT_TORN, v.action);
		ATF_CHECK(v.cut >= 1 && v.cut < n);
	}
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(faults__delays_add_up_and_the_first_end_wins);
ATF_TC_BODY(faults__delays_add_up_and_the_first_end_wins, tc)
{
	struct proto_fault delay = rule(1, PROTO_FAULT_DELAY,
	    PROTO_FAULT_WRITE);
	struct proto_fault_row row[PROTO_FAULTS_MAX];
	struct fault_verdict v;
	struct world w;

	set_up(&w);
	delay.m_delay_ns = 5;
	add(&w, delay);
	delay.m_id = 2;
	add(&w, delay);
	add(&w, rule(3, PROTO_FAULT_LOST_FLUSH, PROTO_FAULT_WRITE));
	add(&w, rule(4, PROTO_FAULT_ENOSPC, PROTO_FAULT_WRITE));
	add(&w, rule(5, PROTO_FAULT_EIO, PROTO_FAULT_WRITE));
	ATF_CHECK(faults_hold(w.faults));
	v = judge(&w, PROTO_FAULT_WRITE, 0, 8);
	ATF_CHECK_EQ(10, v.delay_ns);
	ATF_CHECK(v.hold);
	ATF_CHECK_EQ(PROTO_FAULT_ENOSPC, v.action);
	ATF_CHECK_EQ(4, v.id);
	faults_list(w.faults, row);
	ATF_CHECK_EQ(0, row[4].m_seen);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(faults__eight_rules_and_no_more);
ATF_TC_BODY(faults__eight_rules_and_no_more, tc)
{
	struct proto_fault f = rule(1, PROTO_FAULT_EIO, PROTO_FAULT_READ);
	struct proto_fault clear = { .m_action = PROTO_FAULT_CLEAR };
	struct proto_fault_row row[PROTO_FAULTS_MAX];
	struct world w;

	set_up(&w);
	f.m_count = 1;
	for (; f.m_id <= PROTO_FAULTS_MAX; f.m_id++)
		add(&w, f);
	ATF_CHECK_EQ(ENOSPC, faults_command(w.faults, &f));
	/* Asked for twice, it is there once. */
	f.m_id = 8;
	ATF_CHECK_EQ(0, faults_command(w.faults, &f));
	/* The first is over: its place is free. */
	ATF_CHECK_EQ(PROTO_FAULT_EIO, struck(&w, PROTO_FAULT_READ, 0, 1));
	f.m_id = 9;
	ATF_CHECK_EQ(0, faults_command(w.faults, &f));
	faults_list(w.faults, row);
	ATF_CHECK_EQ(9, row[0].m_fault.m_id);
	ATF_CHECK_EQ(0, row[0].m_struck);
	clear.m_id = 1;
	ATF_CHECK_EQ(ENOENT, faults_command(w.faults, &clear));
	clear.m_id = 9;
	ATF_CHECK_EQ(0, faults_command(w.faults, &clear));
	ATF_CHECK_EQ(ENOENT, faults_command(w.faults, &clear));
	clear.m_id = 0;
	ATF_CHECK_EQ(0, faults_command(w.faults, &clear));
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_READ, 0, 1));
	tear_down(&w);
}

/* A predecessor that the guest owned can have left anything. */
ATF_TC_WITHOUT_HEAD(faults__corrupt_memory_is_no_rule);
ATF_TC_BODY(faults__corrupt_memory_is_no_rule, tc)
{
	struct proto_fault_row row[PROTO_FAULTS_MAX];
	struct world w;
	uint8_t *p;
	size_t i;

	set_up(&w);
	p = memfd_map(w.fd, PROTO_FAULT_BYTES, true);
	ATF_REQUIRE(p != NULL);
	memset(p, 0xff, 4096);
	ATF_CHECK_EQ(0, struck(&w, PROTO_FAULT_WRITE, 0, 8));
	faults_list(w.faults, row);
	for (i = 0; i < PROTO_FAULTS_MAX; i++)
		ATF_CHECK_EQ(0, row[i].m_fault.m_id);
	add(&w, rule(1, PROTO_FAULT_EIO, PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(PROTO_FAULT_EIO, struck(&w, PROTO_FAULT_WRITE, 0, 8));
	memfd_unmap(p, PROTO_FAULT_BYTES);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, faults__none_at_first);
	ATF_TP_ADD_TC(tp, faults__match_operation_and_range);
	ATF_TP_ADD_TC(tp, faults__skip_every_and_count);
	ATF_TP_ADD_TC(tp, faults__a_seed_makes_runs_repeatable);
	ATF_TP_ADD_TC(tp, faults__each_kind_obeys_its_rule);
	ATF_TP_ADD_TC(tp, faults__cuts_are_within);
	ATF_TP_ADD_TC(tp, faults__delays_add_up_and_the_first_end_wins);
	ATF_TP_ADD_TC(tp, faults__eight_rules_and_no_more);
	ATF_TP_ADD_TC(tp, faults__corrupt_memory_is_no_rule);
	return atf_no_error();
}
