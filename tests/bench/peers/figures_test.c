/* SPDX-License-Identifier: ISC */
/* Tests of the benchmark's arithmetic. */
#include <atf-c.h>
#include <string.h>

#include "tests/bench/peers/figures.h"

static json_t *
cell(double sync, double uring, double loop, double qsd)
{
	return json_pack("{s{sf sf} s{sf sf} s{sf} s{sf} s{sf}}",
	    "blkd-sync", "iops", sync, "their_cpu_us", 1.25,
	    "blkd-uring", "iops", uring, "their_cpu_us", 3.0,
	    "loop", "iops", loop,
	    "qsd-threads", "iops", qsd / 2, "qsd-uring", "iops", qsd);
}

ATF_TC_WITHOUT_HEAD(median__of_three_is_the_middle_run);
ATF_TC_BODY(median__of_three_is_the_middle_run, tc)
{
	json_t *runs = json_pack("[{sf sf} {sf sf} {sf sf}]", "iops", 30.0,
	    "p50_us", 1.0, "iops", 10.0, "p50_us", 2.0, "iops", 20.0,
	    "p50_us", 3.0);
	json_t *m = figures_median(runs);

	ATF_REQUIRE(m != NULL);
	ATF_CHECK_EQ(20, figures_number(m, "iops"));
	ATF_CHECK_EQ(3, figures_number(m, "p50_us"));
	ATF_CHECK_EQ(3, json_array_size(json_object_get(m, "runs")));
	json_decref(m);
	json_decref(runs);
}

ATF_TC_WITHOUT_HEAD(median__of_equal_runs_is_one_of_them);
ATF_TC_BODY(median__of_equal_runs_is_one_of_them, tc)
{
	json_t *runs = json_pack("[{sf} {sf} {sf} {sf}]", "iops", 5.0,
	    "iops", 5.0, "iops", 5.0, "iops", 5.0);
	json_t *m = figures_median(runs);

	ATF_REQUIRE(m != NULL);
	ATF_CHECK_EQ(5, figures_number(m, "iops"));
	json_decref(m);
	json_decref(runs);
}

ATF_TC_WITHOUT_HEAD(median__of_none_is_none);
ATF_TC_BODY(median__of_none_is_none, tc)
{
	json_t *runs = json_array();

	ATF_CHECK(figures_median(runs) == NULL);
	ATF_CHECK(figures_median(NULL) == NULL);
	json_decref(runs);
}

ATF_TC_WITHOUT_HEAD(best__is_of_the_role_alone);
ATF_TC_BODY(best__is_of_the_role_alone, tc)
{
	json_t *c = cell(500, 400, 900, 700);
	const char *name;

	figures_best(c, SUBJECTS_BLKD, &name);
	ATF_CHECK_STREQ("blkd-sync", name);
	figures_best(c, SUBJECTS_PEER, &name);
	ATF_CHECK_STREQ("qsd-uring", name);
	json_decref(c);
}

ATF_TC_WITHOUT_HEAD(aim__of_mmap_is_not_met_by_others);
ATF_TC_BODY(aim__of_mmap_is_not_met_by_others, tc)
{
	const struct cells_aim aim = { CELLS_KIOPS, .45, NULL, true };
	const struct cells_aim other = { CELLS_KIOPS, .55, NULL, false };
	json_t *c = cell(500, 400, 900, 700);
	struct figures_verdict v;

	(void)tc;
	ATF_CHECK(!figures_judge(c, &aim).known);
	json_object_set_new(c, "blkd-mmap", json_pack("{sf}", "iops", 600.0));
	v = figures_judge(c, &aim);
	ATF_CHECK(v.known && v.met);
	ATF_CHECK_STREQ("blkd-mmap", v.who);
	/* Nor the other way round. */
	ATF_CHECK(!figures_judge(c, &other).met);
	json_decref(c);
}

ATF_TC_WITHOUT_HEAD(ratio__of_one_that_is_missing_is_none);
ATF_TC_BODY(ratio__of_one_that_is_missing_is_none, tc)
{
	json_t *c = cell(500, 400, 1000, 700);

	ATF_CHECK_EQ(.5, figures_ratio(c, "blkd-sync", "loop"));
	ATF_CHECK_EQ(0, figures_ratio(c, "blkd-sync", "fio"));
	ATF_CHECK_EQ(0, figures_ratio(c, "fio", "loop"));
	json_decref(c);
}

static void
judge(const json_t *c, struct cells_aim aim, bool known, bool met,
    double value)
{
	struct figures_verdict v = figures_judge(c, &aim);

	ATF_CHECK_EQ(known, v.known);
	ATF_CHECK_EQ(met, v.met);
	ATF_CHECK_EQ(value, v.value);
}

ATF_TC_WITHOUT_HEAD(judge__each_kind_of_aim);
ATF_TC_BODY(judge__each_kind_of_aim, tc)
{
	json_t *c = cell(500e3, 400e3, 1000e3, 250e3);

	judge(c, (struct cells_aim) { CELLS_KIOPS, 500, NULL,
		    false }, true, true,
	    500);
	judge(c, (struct cells_aim) { CELLS_KIOPS, 501, NULL,
		    false }, true, false,
	    500);
	judge(c, (struct cells_aim) { CELLS_OF_SUBJECT, .5, "loop",
		    false }, true,
	    true, .5);
	judge(c, (struct cells_aim) { CELLS_OF_SUBJECT, .51, "loop",
		    false }, true,
	    false, .5);
	judge(c, (struct cells_aim) { CELLS_OF_SUBJECT, 1, "fio",
		    false }, false,
	    false, 0);
	judge(c, (struct cells_aim) { CELLS_OF_PEERS, 2, NULL,
		    false }, true, true,
	    2);
	judge(c, (struct cells_aim) { CELLS_CPU, 1.3, NULL,
		    false }, true, true,
	    1.25);
	judge(c, (struct cells_aim) { CELLS_CPU, 1.2, NULL,
		    false }, true, false,
	    1.25);
	json_decref(c);
}

ATF_TC_WITHOUT_HEAD(judge__without_a_blkd_nothing_is_known);
ATF_TC_BODY(judge__without_a_blkd_nothing_is_known, tc)
{
	json_t *c = json_pack("{s{sf}}", "loop", "iops", 1.0);

	judge(c, (struct cells_aim) { CELLS_KIOPS, 1, NULL,
		    false }, false, false, 0);
	json_decref(c);
}

ATF_TC_WITHOUT_HEAD(fio__its_figures_are_ours);
ATF_TC_BODY(fio__its_figures_are_ours, tc)
{
	json_t *fio = json_loads("{\"jobs\": [{\"usr_cpu\": 10,"
	    " \"sys_cpu\": 40, \"write\": {\"iops\": 0}, \"read\": {"
	    "\"iops\": 100000, \"clat_ns\": {\"max\": 9000, \"percentile\":"
	    " {\"50.000000\": 1000, \"99.000000\": 2000}}}}]}", 0, NULL);
	json_t *r = figures_of_fio(fio, false);

	ATF_REQUIRE(r != NULL);
	ATF_CHECK_EQ(100000, figures_number(r, "iops"));
	ATF_CHECK_EQ(1, figures_number(r, "p50_us"));
	ATF_CHECK_EQ(2, figures_number(r, "p99_us"));
	ATF_CHECK_EQ(9, figures_number(r, "max_us"));
	ATF_CHECK_EQ(5, figures_number(r, "their_cpu_us"));
	ATF_CHECK(figures_of_fio(fio, true) == NULL);
	json_decref(r);
	json_decref(fio);
}

/* Names are looked up, in aims too: a slip would be an aim never judged. */
ATF_TC_WITHOUT_HEAD(cells__name_what_there_is);
ATF_TC_BODY(cells__name_what_there_is, tc)
{
	const struct subjects_row *s;
	size_t i, j;

	for (i = 0; i < cells_count; i++) {
		ATF_CHECK(cells_find(cells[i].name) == &cells[i]);
		for (j = 0; j < CELLS_AIMS; j++) {
			if (cells[i].aim[j].kind != CELLS_OF_SUBJECT)
				continue;
			s = subjects_find(cells[i].aim[j].subject);
			ATF_REQUIRE(s != NULL);
			ATF_CHECK(subjects_fits(s, &cells[i]));
		}
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, median__of_three_is_the_middle_run);
	ATF_TP_ADD_TC(tp, median__of_equal_runs_is_one_of_them);
	ATF_TP_ADD_TC(tp, median__of_none_is_none);
	ATF_TP_ADD_TC(tp, best__is_of_the_role_alone);
	ATF_TP_ADD_TC(tp, aim__of_mmap_is_not_met_by_others);
	ATF_TP_ADD_TC(tp, ratio__of_one_that_is_missing_is_none);
	ATF_TP_ADD_TC(tp, judge__each_kind_of_aim);
	ATF_TP_ADD_TC(tp, judge__without_a_blkd_nothing_is_known);
	ATF_TP_ADD_TC(tp, fio__its_figures_are_ours);
	ATF_TP_ADD_TC(tp, cells__name_what_there_is);
	return atf_no_error();
}
