/* SPDX-License-Identifier: ISC */
/*
 * Tests of vmmd/control.c: what an operator may write, and what comes of it.
 * The monitor is played here; nothing waits, the loop runs until idle.
 */
#include <sys/socket.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "shm/shared.h"
#include "shm/state.h"
#include "vmmd/control.h"
#include "vmmd/request.h"

#define NDISKS		2
#define QUEUES		2
#define QUEUE_SIZE	64

struct world {
	struct event_base	*base;
	struct control_host	 host;
	struct control		*control;
	struct state		*state[NDISKS];
	int			 end[PROTO_CLIENTS_MAX];	/* ours */
	struct proto_vm_ask	 ask;		/* the last one */
	uint32_t		 asked;		/* so many, and its number */
	int			 gone;
	uint32_t		 last_gone;
};

static uint32_t
on_ask(void *ctx, struct proto_vm_ask *ask)
{
	struct world *w = ctx;

	w->ask = *ask;
	return ++w->asked;
}

static void
on_gone(void *ctx, uint32_t client)
{
	struct world *w = ctx;

	w->gone++;
	w->last_gone = client;
}

static void
add_disk(struct world *w, uint32_t index, const char *name)
{
	struct proto_vm_disk m = {
		.m_index = index, .m_queues = QUEUES,
		.m_queue_size = QUEUE_SIZE,
	};
	int fd = state_make(QUEUES, QUEUE_SIZE);

	ATF_REQUIRE(fd != -1);
	snprintf(m.m_name, sizeof(m.m_name), "%s", name);
	w->state[index] = state_map(fd, QUEUES, QUEUE_SIZE);
	ATF_REQUIRE(w->state[index] != NULL);
	ATF_REQUIRE_EQ(0, control_add_disk(w->control, &m, fd));
	close(fd);
}

static void
connect_client(struct world *w, uint32_t client)
{
	int ends[2];

	ATF_REQUIRE_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, ends));
	w->end[client] = ends[0];
	ATF_REQUIRE_EQ(0, control_add_client(w->control, client, ends[1]));
}

static void
set_up(struct world *w)
{
	memset(w, 0, sizeof(*w));
	ATF_REQUIRE((w->base = event_base_new()) != NULL);
	w->host = (struct control_host) {
		.base = w->base, .ctx = w, .ask = on_ask, .gone = on_gone,
	};
	ATF_REQUIRE((w->control = control_new(&w->host)) != NULL);
	add_disk(w, 0, "vda");
	add_disk(w, 1, "vdb");
	connect_client(w, 0);
}

static void
tear_down(struct world *w)
{
	size_t i;

	control_free(w->control);
	for (i = 0; i < NDISKS; i++)
		state_unmap(w->state[i]);
	for (i = 0; i < PROTO_CLIENTS_MAX; i++) {
		if (w->end[i] > 0)
			close(w->end[i]);
	}
	event_base_free(w->base);
}

/* Let the control do all that it can do now. */
static void
run(struct world *w)
{
	int i;

	for (i = 0; i < 64; i++)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void
say_bytes(struct world *w, const char *bytes, size_t n)
{
	ATF_REQUIRE_EQ((ssize_t)n, write(w->end[0], bytes, n));
	run(w);
}

static void
say(struct world *w, const char *line)
{
	say_bytes(w, line, strlen(line));
}

/* The next reply, of many that may have come; NULL: there is none. */
static json_t *
hear(struct world *w)
{
	static char text[1 << 18];
	ssize_t n = recv(w->end[0], text, sizeof(text), MSG_PEEK);
	char *end;
	json_t *reply;

	if (n <= 0 || (end = memchr(text, '\n', (size_t)n)) == NULL)
		return NULL;
	n = recv(w->end[0], text, (size_t)(end + 1 - text), 0);
	reply = json_loadb(text, (size_t)n, 0, NULL);
	ATF_REQUIRE_MSG(json_is_object(reply), "%.*s", (int)n, text);
	return reply;
}

static void
expect_error(struct world *w, int error, const char *what)
{
	json_t *reply = hear(w);

	ATF_REQUIRE_MSG(reply != NULL, "no reply to %s", what);
	ATF_CHECK(json_is_false(json_object_get(reply, "ok")));
	ATF_CHECK_EQ_MSG(error, json_integer_value(json_object_get(reply,
	    "errno")), "%s", what);
	ATF_CHECK_MSG(json_string_length(json_object_get(reply, "error")) > 0,
	    "%s", what);
	json_decref(reply);
}

static void
expect_ok(struct world *w, size_t disks)
{
	json_t *reply = hear(w);

	ATF_REQUIRE(reply != NULL);
	ATF_CHECK(json_is_true(json_object_get(reply, "ok")));
	ATF_CHECK_EQ(disks, json_array_size(json_object_get(reply, "disks")));
	json_decref(reply);
}

/* The monitor answers the last question. */
static void
answer(struct world *w, int error)
{
	struct proto_vm_answer m = {
		.m_client = w->ask.m_client, .m_errno = error,
	};

	snprintf(m.m_machine.m_name, sizeof(m.m_machine.m_name), "web");
	snprintf(m.m_disk.m_state, sizeof(m.m_disk.m_state), "running");
	if (error != 0)
		snprintf(m.m_text, sizeof(m.m_text), "because");
	control_answer(w->control, &m, w->asked);
	run(w);
}

/* --- what is well formed ------------------------------------------------ */

ATF_TC_WITHOUT_HEAD(control__status_asks_for_each_disk);
ATF_TC_BODY(control__status_asks_for_each_disk, tc)
{
	struct world w;

	set_up(&w);
	say(&w, "{\"command\": \"status\"}\n");
	ATF_REQUIRE_EQ(1, w.asked);
	ATF_CHECK_EQ(PROTO_VERB_MACHINE, w.ask.m_verb);
	answer(&w, 0);
	ATF_REQUIRE_EQ(2, w.asked);
	ATF_CHECK_EQ(PROTO_VERB_DISK, w.ask.m_verb);
	ATF_CHECK_EQ(0, w.ask.m_disk);
	answer(&w, 0);
	ATF_REQUIRE_EQ(3, w.asked);
	ATF_CHECK_EQ(1, w.ask.m_disk);
	ATF_CHECK(hear(&w) == NULL);
	answer(&w, 0);
	ATF_CHECK_EQ(3, w.asked);
	expect_ok(&w, 2);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__throttle_says_which_limits);
ATF_TC_BODY(control__throttle_says_which_limits, tc)
{
	struct world w;

	set_up(&w);
	say(&w, "{\"command\": \"throttle\", \"disk\": \"vdb\", \"limits\":"
	    " {\"iops\": 7, \"bps-burst\": 0}}\n");
	answer(&w, 0);
	ATF_REQUIRE_EQ(PROTO_VERB_THROTTLE, w.ask.m_verb);
	ATF_CHECK_EQ(1, w.ask.m_disk);
	ATF_CHECK_EQ(PROTO_LIMIT_OPS_RATE | PROTO_LIMIT_BYTES_BURST,
	    w.ask.m_set);
	ATF_CHECK_EQ(7, w.ask.m_limits.m_ops_rate);
	answer(&w, 0);
	expect_ok(&w, 1);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__fault_says_which);
ATF_TC_BODY(control__fault_says_which, tc)
{
	const struct proto_fault *f;
	struct world w;

	set_up(&w);
	f = &w.ask.m_fault;
	say(&w, "{\"command\": \"fault\", \"disk\": \"vdb\", \"fault\":"
	    " {\"action\": \"kill\", \"operation\": \"read,flush\","
	    " \"last\": 99, \"ppm\": 5, \"seed\": 7, \"after\": true}}\n");
	answer(&w, 0);
	ATF_REQUIRE_EQ(PROTO_VERB_FAULT, w.ask.m_verb);
	ATF_CHECK_EQ(1, w.ask.m_disk);
	ATF_CHECK_EQ(PROTO_FAULT_KILL, f->m_action);
	ATF_CHECK_EQ(PROTO_FAULT_READ | PROTO_FAULT_FLUSH, f->m_ops);
	ATF_CHECK_EQ(0, f->m_first);
	ATF_CHECK_EQ(99, f->m_last);
	ATF_CHECK_EQ(1, f->m_count);
	ATF_CHECK_EQ(1, f->m_every);
	ATF_CHECK_EQ(1, f->m_after);
	ATF_CHECK_EQ(5, f->m_ppm);
	ATF_CHECK_EQ(7, f->m_seed);
	answer(&w, 0);
	expect_ok(&w, 1);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__stats_add_up_over_queues);
ATF_TC_BODY(control__stats_add_up_over_queues, tc)
{
	json_t *reply, *disk, *counters, *buckets;
	struct world w;

	set_up(&w);
	counter_add(&w.state[1]->queue[0].s_counters, COUNTER_READS, 5);
	counter_add(&w.state[1]->queue[1].s_counters, COUNTER_READS, 6);
	counter_add(&w.state[1]->counters, COUNTER_RESETS, 2);
	counter_latency(&w.state[1]->queue[0].s_counters,
	    COUNTER_LATENCY_READ, 1000);
	counter_latency(&w.state[1]->queue[1].s_counters,
	    COUNTER_LATENCY_READ, 1023);
	say(&w, "{\"command\": \"stats\", \"disk\": \"vdb\"}\n");
	answer(&w, 0);
	ATF_REQUIRE((reply = hear(&w)) != NULL);
	disk = json_array_get(json_object_get(reply, "disks"), 0);
	ATF_CHECK_STREQ("vdb",
	    json_string_value(json_object_get(disk, "name")));
	counters = json_object_get(disk, "counters");
	ATF_CHECK_EQ(COUNTER_COUNT, json_object_size(counters));
	ATF_CHECK_EQ(11, json_integer_value(json_object_get(counters,
	    "reads")));
	ATF_CHECK_EQ(2, json_integer_value(json_object_get(counters,
	    "resets")));
	ATF_CHECK_EQ(2023, json_integer_value(json_object_get(counters,
	    "read_ns")));
	buckets = json_object_get(json_object_get(disk, "latency_buckets"),
	    "read");
	ATF_CHECK_EQ(COUNTER_BUCKETS, json_array_size(buckets));
	ATF_CHECK_EQ(2, json_integer_value(json_array_get(buckets, 9)));
	json_decref(reply);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__refusal_of_the_monitor_is_told);
ATF_TC_BODY(control__refusal_of_the_monitor_is_told, tc)
{
	struct world w;

	set_up(&w);
	say(&w, "{\"command\": \"pause\"}\n");
	answer(&w, 0);
	ATF_REQUIRE_EQ(PROTO_VERB_PAUSE, w.ask.m_verb);
	answer(&w, ETIMEDOUT);
	expect_error(&w, ETIMEDOUT, "pause");
	ATF_CHECK_EQ(2, w.asked);
	/* And the connection goes on. */
	say(&w, "{\"command\": \"stop\"}\n");
	ATF_CHECK_EQ(PROTO_VERB_STOP, w.ask.m_verb);
	answer(&w, 0);
	expect_ok(&w, 0);
	tear_down(&w);
}

/* --- what is not --------------------------------------------------------- */

#define FAULT(f)	"{\"command\": \"fault\", \"disk\": \"vda\"," \
	    " \"fault\": " f "}"

static const char *const hostile[] = {
	"", " ", "\r", "x", "{", "}", "{}", "[]", "null", "1", "\"status\"",
	"{\"command\"}", "{\"command\": null}", "{\"command\": 1}",
	"{\"command\": \"\"}", "{\"command\": \"statu\"}",
	"{\"command\": \"status\"} x", "{\"command\": \"status\"}{}",
	"{\"command\": \"status\", \"command\": \"stop\"}",
	"{\"command\": \"status\", \"x\": 1}",
	"{\"command\": \"status\", \"disk\": 1}",
	"{\"command\": \"status\", \"disk\": \"\"}",
	"{\"command\": \"status\", \"disk\": \"vda\\u0000\"}",
	"{\"command\": \"status\", \"limits\": {\"iops\": 1}}",
	"{\"command\": \"stop\", \"disk\": \"vda\"}",
	"{\"command\": \"resize\"}", "{\"command\": \"throttle\"}",
	"{\"command\": \"throttle\", \"disk\": \"vda\"}",
	"{\"command\": \"throttle\", \"disk\": \"vda\", \"limits\": []}",
	"{\"command\": \"throttle\", \"disk\": \"vda\", \"limits\": {}}",
	"{\"command\": \"throttle\", \"disk\": \"vda\","
	    " \"limits\": {\"iop\": 1}}",
	"{\"command\": \"throttle\", \"disk\": \"vda\","
	    " \"limits\": {\"iops\": -1}}",
	"{\"command\": \"throttle\", \"disk\": \"vda\","
	    " \"limits\": {\"iops\": 1.5}}",
	"{\"command\": \"throttle\", \"disk\": \"vda\","
	    " \"limits\": {\"iops\": 1e3}}",
	"{\"command\": \"throttle\", \"disk\": \"vda\","
	    " \"limits\": {\"iops\": 2305843009213693953}}",
	"{\"command\": \"throttle\", \"disk\": \"vda\","
	    " \"limits\": {\"iops\": 99999999999999999999}}",
	"{\"command\": \"throttle\", \"disk\": \"vda\","
	    " \"limits\": {\"iops\": \"1\"}}",
	"{\"command\": \"fault\", \"disk\": \"vda\"}",
	FAULT("[]"), FAULT("{}"), FAULT("{\"action\": 1}"),
	FAULT("{\"action\": \"eat\"}"), FAULT("{\"action\": \"delay\"}"),
	FAULT("{\"action\": \"eio\", \"x\": 1}"),
	FAULT("{\"action\": \"eio\", \"id\": 1}"),
	FAULT("{\"action\": \"eio\", \"after\": true}"),
	FAULT("{\"action\": \"eio\", \"delay_ns\": 1}"),
	FAULT("{\"action\": \"eio\", \"every\": 0}"),
	FAULT("{\"action\": \"eio\", \"ppm\": 4294967297}"),
	FAULT("{\"action\": \"eio\", \"ppm\": 0}"),
	FAULT("{\"action\": \"eio\", \"count\": -1}"),
	FAULT("{\"action\": \"eio\", \"operation\": \"\"}"),
	FAULT("{\"action\": \"eio\", \"operation\": \"read,\"}"),
	FAULT("{\"action\": \"torn\", \"operation\": \"read\"}"),
	FAULT("{\"action\": \"eio\", \"first\": 2, \"last\": 1}"),
	"{\"command\": \"pause\", \"fault\": {\"action\": \"eio\"}}",
	"{\"command\": \"status\", \"disk\":"
	    " \"01234567890123456789012345678901\"}",
	"\xff\xfe\x00", "{\"command\": \"\xc3\x28\"}",
	"{\"\\ud800\": \"status\"}", "\033[2J",
};

ATF_TC_WITHOUT_HEAD(control__hostile_lines_are_refused);
ATF_TC_BODY(control__hostile_lines_are_refused, tc)
{
	struct world w;
	size_t i;

	set_up(&w);
	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		say(&w, hostile[i]);
		say(&w, "\n");
		expect_error(&w, EINVAL, hostile[i]);
	}
	say_bytes(&w, "\0{\"command\": \"status\"}\0\n", 24);
	expect_error(&w, EINVAL, "NUL");
	say(&w, "{\"command\": \"status\", \"disk\": \"vdx\"}\n");
	expect_error(&w, ENOENT, "no such disk");
	ATF_CHECK_EQ(0, w.asked);
	ATF_CHECK_EQ(0, w.gone);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__deep_nesting_is_refused);
ATF_TC_BODY(control__deep_nesting_is_refused, tc)
{
	char line[REQUEST_LINE_MAX];
	struct world w;

	set_up(&w);
	memset(line, '[', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	say_bytes(&w, line, sizeof(line));
	expect_error(&w, EINVAL, "[[[[");
	ATF_CHECK_EQ(0, w.gone);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__line_without_end_closes);
ATF_TC_BODY(control__line_without_end_closes, tc)
{
	static char line[REQUEST_LINE_MAX + 10];
	struct world w;
	char byte;

	set_up(&w);
	memset(line, ' ', sizeof(line));
	say_bytes(&w, line, REQUEST_LINE_MAX - 1);
	ATF_CHECK_EQ(0, w.gone);
	say_bytes(&w, line, 1);
	expect_error(&w, EMSGSIZE, "a line without end");
	ATF_CHECK_EQ(1, w.gone);
	ATF_CHECK_EQ(0, read(w.end[0], &byte, 1));
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__half_lines_wait_for_the_rest);
ATF_TC_BODY(control__half_lines_wait_for_the_rest, tc)
{
	static const char line[] = "{\"command\": \"status\"}\n";
	struct world w;
	size_t i;

	set_up(&w);
	for (i = 0; i < sizeof(line) - 1; i++) {
		ATF_CHECK_EQ(0, w.asked);
		say_bytes(&w, line + i, 1);
	}
	ATF_CHECK_EQ(1, w.asked);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__lines_at_once_are_answered_in_turn);
ATF_TC_BODY(control__lines_at_once_are_answered_in_turn, tc)
{
	static char lines[REQUEST_LINE_MAX];
	struct world w;
	int i, replies = 0, idle = 0;
	json_t *reply;

	set_up(&w);
	memset(lines, '\n', sizeof(lines));
	say_bytes(&w, lines, sizeof(lines));
	for (i = 0; idle < 10; i++) {
		if ((reply = hear(&w)) == NULL) {
			idle++;
			run(&w);
			continue;
		}
		idle = 0;
		replies++;
		json_decref(reply);
	}
	ATF_CHECK_EQ(REQUEST_LINE_MAX, replies);
	/* One question at a time, whatever waits. */
	say(&w, "{\"command\": \"status\"}\n{\"command\": \"stop\"}\n");
	ATF_CHECK_EQ(1, w.asked);
	answer(&w, 0);
	answer(&w, 0);
	ATF_CHECK_EQ(3, w.asked);
	answer(&w, 0);
	ATF_CHECK_EQ(4, w.asked);
	ATF_CHECK_EQ(PROTO_VERB_STOP, w.ask.m_verb);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__client_that_does_not_read_costs_one_reply);
ATF_TC_BODY(control__client_that_does_not_read_costs_one_reply, tc)
{
	static const char line[] = "{\"command\": \"stats\"}\n";
	struct world w;
	uint32_t before;
	int i;

	set_up(&w);
	/* Until its socket takes no more replies, nor ours requests. */
	for (i = 0; i < 100000; i++) {
		before = w.asked;
		if (write(w.end[0], line, sizeof(line) - 1) == -1)
			break;
		run(&w);
		if (w.asked != before)
			answer(&w, 0);
	}
	ATF_CHECK(i > 10 && i < 100000);
	ATF_CHECK(w.asked < 1000);
	ATF_CHECK_EQ(0, w.gone);
	close(w.end[0]);
	w.end[0] = -1;
	run(&w);
	ATF_CHECK_EQ(1, w.gone);
	tear_down(&w);
}

/* --- clients ------------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(control__clients_are_bounded_and_come_back);
ATF_TC_BODY(control__clients_are_bounded_and_come_back, tc)
{
	struct world w;
	uint32_t i;
	int ends[2];

	set_up(&w);
	for (i = 1; i < PROTO_CLIENTS_MAX; i++)
		connect_client(&w, i);
	ATF_REQUIRE_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	ATF_CHECK_EQ(-1, control_add_client(w.control, 3, ends[1]));
	ATF_REQUIRE_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	ATF_CHECK_EQ(-1, control_add_client(w.control, PROTO_CLIENTS_MAX,
	    ends[1]));
	close(w.end[3]);
	run(&w);
	ATF_CHECK_EQ(1, w.gone);
	ATF_CHECK_EQ(3, w.last_gone);
	connect_client(&w, 3);
	run(&w);
	ATF_CHECK_EQ(1, w.gone);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(control__answer_to_who_has_gone_is_nobodys);
ATF_TC_BODY(control__answer_to_who_has_gone_is_nobodys, tc)
{
	struct proto_vm_answer late = { .m_client = 0 };
	struct world w;

	set_up(&w);
	/* Nobody asked. */
	control_answer(w.control, &late, 1);
	say(&w, "{\"command\": \"status\"}\n");
	/* To another question. */
	control_answer(w.control, &late, w.asked + 1);
	run(&w);
	ATF_CHECK_EQ(1, w.asked);
	close(w.end[0]);
	w.end[0] = -1;
	answer(&w, 0);
	answer(&w, 0);
	answer(&w, 0);
	ATF_CHECK_EQ(1, w.gone);
	answer(&w, 0);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, control__status_asks_for_each_disk);
	ATF_TP_ADD_TC(tp, control__throttle_says_which_limits);
	ATF_TP_ADD_TC(tp, control__fault_says_which);
	ATF_TP_ADD_TC(tp, control__stats_add_up_over_queues);
	ATF_TP_ADD_TC(tp, control__refusal_of_the_monitor_is_told);
	ATF_TP_ADD_TC(tp, control__hostile_lines_are_refused);
	ATF_TP_ADD_TC(tp, control__deep_nesting_is_refused);
	ATF_TP_ADD_TC(tp, control__line_without_end_closes);
	ATF_TP_ADD_TC(tp, control__half_lines_wait_for_the_rest);
	ATF_TP_ADD_TC(tp, control__lines_at_once_are_answered_in_turn);
	ATF_TP_ADD_TC(tp, control__client_that_does_not_read_costs_one_reply);
	ATF_TP_ADD_TC(tp, control__clients_are_bounded_and_come_back);
	ATF_TP_ADD_TC(tp, control__answer_to_who_has_gone_is_nobodys);
	return atf_no_error();
}
