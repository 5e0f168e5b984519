/* SPDX-License-Identifier: ISC */
/* proto/peer: dispatch, and the one way in which a peer ends. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <atf-c.h>

#include "proto/chan.h"
#include "proto/peer.h"

enum { IDLE, BUSY };

struct fixture {
	struct event_base	*base;
	struct peer		*peer;
	int			 other;		/* the peer's far end */
	unsigned		 pings;
	unsigned		 ends;
	bool			 free_in_handler;
	struct peer_end		 end;
};

static void
on_ping(void *ctx, struct msg *m)
{
	struct fixture *f = ctx;
	struct proto_empty pong;

	f->pings++;
	if (f->free_in_handler) {
		peer_free(f->peer);
		f->peer = NULL;
		return;
	}
	ATF_CHECK_EQ(0, peer_answer(f->peer, m->hdr.m_sequence,
	    PROTO_BLK_PONG, &pong, NULL, 0));
}

static void
on_pause(void *ctx, struct msg *m)
{
	struct fixture *f = ctx;

	(void)m;
	peer_set_state(f->peer, BUSY);
}

static void
on_ended(void *ctx, const struct peer_end *end)
{
	struct fixture *f = ctx;

	f->ends++;
	f->end = *end;
}

static const struct peer_rule rules[] = {
	{ PROTO_BLK_PING, PEER_ANY, on_ping },
	{ PROTO_BLK_PAUSE, PEER_IN(IDLE), on_pause },
};
static const struct peer_role role = { "tester", rules, 2, on_ended };

static void
setup(struct fixture *f)
{
	int end[2];

	memset(f, 0, sizeof(*f));
	ATF_REQUIRE((f->base = event_base_new()) != NULL);
	ATF_REQUIRE_EQ(0, chan_pair(end));
	f->other = end[1];
	ATF_REQUIRE((f->peer = peer_new(f->base, end[0], &role, f)) != NULL);
}

static void
teardown(struct fixture *f)
{
	peer_free(f->peer);
	event_base_free(f->base);
	close(f->other);
}

static void
say(struct fixture *f, enum proto_type type, uint32_t sequence)
{
	struct proto_empty e;

	chan_header(&e.m_hdr, type, sequence);
	ATF_REQUIRE_EQ(0, chan_send(f->other, &e, NULL, 0));
}

static void
turn(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

ATF_TC_WITHOUT_HEAD(peer__question_is_answered_with_its_number);
ATF_TC_BODY(peer__question_is_answered_with_its_number, tc)
{
	struct fixture f;
	struct msg m;

	setup(&f);
	say(&f, PROTO_BLK_PING, 77);
	turn(&f);
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv_nowait(f.other, &m));
	ATF_CHECK_EQ(PROTO_BLK_PONG, m.hdr.m_type);
	ATF_CHECK_EQ(77, m.hdr.m_sequence);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(peer__message_of_another_role_ends_it);
ATF_TC_BODY(peer__message_of_another_role_ends_it, tc)
{
	struct fixture f;
	char line[200];
	struct msg m;

	setup(&f);
	say(&f, PROTO_BLK_RESUME, 1);
	say(&f, PROTO_BLK_PING, 2);
	turn(&f);
	turn(&f);
	ATF_CHECK_EQ(1, f.ends);
	ATF_CHECK_EQ(0, f.pings);
	ATF_CHECK_EQ(PROTO_E_ROLE, f.end.error);
	ATF_CHECK_EQ(PROTO_BLK_RESUME, f.end.type);
	ATF_CHECK_EQ(PROTO_E_EOF, chan_recv_nowait(f.other, &m));
	peer_end_describe(&role, &f.end, line, sizeof(line));
	ATF_CHECK_STREQ("tester: BLK_RESUME (16 bytes, state 0): "
	    "the message is not one for this process", line);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(peer__message_out_of_state_ends_it);
ATF_TC_BODY(peer__message_out_of_state_ends_it, tc)
{
	struct fixture f;

	setup(&f);
	say(&f, PROTO_BLK_PAUSE, 1);
	turn(&f);
	ATF_CHECK_EQ(0, f.ends);
	say(&f, PROTO_BLK_PAUSE, 2);
	turn(&f);
	ATF_CHECK_EQ(1, f.ends);
	ATF_CHECK_EQ(PROTO_E_STATE, f.end.error);
	ATF_CHECK_EQ(BUSY, f.end.state);
	ATF_CHECK(!peer_is_open(f.peer));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(peer__garbage_ends_it);
ATF_TC_BODY(peer__garbage_ends_it, tc)
{
	struct fixture f;

	setup(&f);
	ATF_REQUIRE_EQ(7, write(f.other, "garbage", 7));
	turn(&f);
	ATF_CHECK_EQ(1, f.ends);
	ATF_CHECK_EQ(PROTO_E_SHORT, f.end.error);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(peer__handler_may_free_it);
ATF_TC_BODY(peer__handler_may_free_it, tc)
{
	struct fixture f;

	setup(&f);
	f.free_in_handler = true;
	say(&f, PROTO_BLK_PING, 1);
	turn(&f);
	ATF_CHECK_EQ(1, f.pings);
	ATF_CHECK_EQ(0, f.ends);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(peer__last_message_of_a_dead_peer_is_read);
ATF_TC_BODY(peer__last_message_of_a_dead_peer_is_read, tc)
{
	struct proto_empty e;
	struct fixture f;

	setup(&f);
	say(&f, PROTO_BLK_PAUSE, 1);
	close(f.other);
	ATF_CHECK_EQ(0, peer_send(f.peer, PROTO_BLK_PONG, &e, NULL, 0));
	turn(&f);
	ATF_CHECK_EQ(BUSY, peer_state(f.peer));
	ATF_CHECK_EQ(0, f.ends);
	turn(&f);
	ATF_CHECK_EQ(1, f.ends);
	ATF_CHECK_EQ(PROTO_E_EOF, f.end.error);
	f.other = -1;
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(peer__one_that_does_not_read_is_ended);
ATF_TC_BODY(peer__one_that_does_not_read_is_ended, tc)
{
	struct proto_empty e;
	struct fixture f;
	int i;

	setup(&f);
	for (i = 0; i < 100000; i++) {
		if (peer_send(f.peer, PROTO_BLK_PONG, &e, NULL, 0) == 0)
			break;
	}
	ATF_CHECK_ERRNO(EAGAIN, i < 100000);
	ATF_CHECK_EQ(0, f.ends);
	turn(&f);
	ATF_CHECK_EQ(1, f.ends);
	ATF_CHECK_EQ(PROTO_E_SYSTEM, f.end.error);
	ATF_CHECK_EQ(EAGAIN, f.end.errnum);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(peer__ended_by_us_says_so_once);
ATF_TC_BODY(peer__ended_by_us_says_so_once, tc)
{
	struct fixture f;

	setup(&f);
	peer_end(f.peer, PROTO_E_SEQUENCE);
	peer_end(f.peer, PROTO_E_VALUE);
	turn(&f);
	turn(&f);
	ATF_CHECK_EQ(1, f.ends);
	ATF_CHECK_EQ(PROTO_E_SEQUENCE, f.end.error);
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, peer__question_is_answered_with_its_number);
	ATF_TP_ADD_TC(tp, peer__message_of_another_role_ends_it);
	ATF_TP_ADD_TC(tp, peer__message_out_of_state_ends_it);
	ATF_TP_ADD_TC(tp, peer__garbage_ends_it);
	ATF_TP_ADD_TC(tp, peer__handler_may_free_it);
	ATF_TP_ADD_TC(tp, peer__last_message_of_a_dead_peer_is_read);
	ATF_TP_ADD_TC(tp, peer__one_that_does_not_read_is_ended);
	ATF_TP_ADD_TC(tp, peer__ended_by_us_says_so_once);
	return atf_no_error();
}
