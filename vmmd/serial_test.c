/* SPDX-License-Identifier: ISC */
/* The registers of the 16550A, on a line that the test plays. */
#include "config.h"

#include <atf-c.h>
#include <string.h>

#include "vmmd/layout.h"
#include "vmmd/serial.h"

#define DATA	(LAYOUT_SERIAL + 0)
#define IER	(LAYOUT_SERIAL + 1)
#define IIR	(LAYOUT_SERIAL + 2)
#define FCR	(LAYOUT_SERIAL + 2)
#define LCR	(LAYOUT_SERIAL + 3)
#define MCR	(LAYOUT_SERIAL + 4)
#define LSR	(LAYOUT_SERIAL + 5)
#define MSR	(LAYOUT_SERIAL + 6)
#define SCR	(LAYOUT_SERIAL + 7)

struct line {
	struct serial	*serial;
	struct iobus	 bus;
	char		 sent[64];
	size_t		 nsent;
	bool		 full;
	int		 level;
	int		 edges;		/* upwards */
	int		 drained;
};

static void
on_interrupt(void *ctx, int level)
{
	struct line *l = ctx;

	l->edges += level && !l->level;
	l->level = level;
}

static void
on_send(void *ctx, uint8_t byte)
{
	struct line *l = ctx;

	l->sent[l->nsent++ % sizeof(l->sent)] = (char)byte;
}

static bool
on_has_room(void *ctx)
{
	return !((struct line *)ctx)->full;
}

static void
on_drained(void *ctx)
{
	((struct line *)ctx)->drained++;
}

static void
setup(struct line *l)
{
	const struct serial_line line = {
		on_interrupt, on_send, on_has_room, on_drained, l,
	};

	memset(l, 0, sizeof(*l));
	l->serial = serial_new(&line);
	ATF_REQUIRE(l->serial != NULL);
	ATF_REQUIRE_EQ(0, serial_attach(l->serial, &l->bus));
}

static uint8_t
in(struct line *l, uint16_t port)
{
	uint8_t v;

	iobus_read(&l->bus, port, &v, 1);
	return v;
}

static void
out(struct line *l, uint16_t port, uint8_t v)
{
	struct end end = { .reason = 0 };

	iobus_write(&l->bus, port, &v, 1, &end);
	ATF_CHECK_EQ(0, end.reason);
}

ATF_TC_WITHOUT_HEAD(serial__sends_what_is_written);
ATF_TC_BODY(serial__sends_what_is_written, tc)
{
	struct line l;

	(void)tc;
	setup(&l);
	ATF_CHECK_EQ(0x60, in(&l, LSR));
	out(&l, DATA, 'o');
	out(&l, DATA, 'k');
	ATF_CHECK_STREQ("ok", l.sent);
	ATF_CHECK_EQ(0, l.edges);
	serial_free(l.serial);
}

ATF_TC_WITHOUT_HEAD(serial__divisor_is_behind_dlab);
ATF_TC_BODY(serial__divisor_is_behind_dlab, tc)
{
	struct line l;

	(void)tc;
	setup(&l);
	out(&l, LCR, 0x83);
	out(&l, DATA, 0x01);
	out(&l, IER, 0x02);
	ATF_CHECK_EQ(0x01, in(&l, DATA));
	ATF_CHECK_EQ(0x02, in(&l, IER));
	out(&l, LCR, 0x03);
	ATF_CHECK_EQ(0, in(&l, IER));
	ATF_CHECK_EQ(0, l.nsent);
	out(&l, SCR, 0xa5);
	ATF_CHECK_EQ(0xa5, in(&l, SCR));
	serial_free(l.serial);
}

ATF_TC_WITHOUT_HEAD(serial__empty_interrupt_comes_once);
ATF_TC_BODY(serial__empty_interrupt_comes_once, tc)
{
	struct line l;

	(void)tc;
	setup(&l);
	ATF_CHECK_EQ(0x01, in(&l, IIR));
	out(&l, IER, 0x02);
	ATF_CHECK_EQ(1, l.level);
	ATF_CHECK_EQ(0x02, in(&l, IIR));
	ATF_CHECK_EQ(0, l.level);
	ATF_CHECK_EQ(0x01, in(&l, IIR));
	/* each byte is an edge of its own, also where nobody read IIR */
	out(&l, DATA, 'a');
	out(&l, DATA, 'b');
	ATF_CHECK_EQ(3, l.edges);
	serial_free(l.serial);
}

ATF_TC_WITHOUT_HEAD(serial__busy_while_the_line_is_full);
ATF_TC_BODY(serial__busy_while_the_line_is_full, tc)
{
	struct line l;

	(void)tc;
	setup(&l);
	out(&l, IER, 0x02);
	(void)in(&l, IIR);
	l.full = true;
	out(&l, DATA, 'a');
	ATF_CHECK_EQ(0, in(&l, LSR) & 0x60);
	ATF_CHECK_EQ(0x01, in(&l, IIR));
	ATF_CHECK_EQ(0, l.level);
	l.full = false;
	serial_sent(l.serial);
	ATF_CHECK_EQ(1, l.level);
	ATF_CHECK_EQ(0x02, in(&l, IIR));
	ATF_CHECK_EQ(0x60, in(&l, LSR));
	serial_free(l.serial);
}

ATF_TC_WITHOUT_HEAD(serial__input_interrupts_and_is_read);
ATF_TC_BODY(serial__input_interrupts_and_is_read, tc)
{
	struct line l;

	(void)tc;
	setup(&l);
	out(&l, FCR, 0x81);		/* FIFO, trigger 8 */
	out(&l, IER, 0x01);
	ATF_CHECK_EQ(3, serial_receive(l.serial, (const uint8_t *)"abc", 3));
	ATF_CHECK_EQ(1, l.level);
	ATF_CHECK_EQ(0xcc, in(&l, IIR));	/* timeout: below 8 */
	ATF_CHECK_EQ(5, serial_receive(l.serial, (const uint8_t *)"defgh", 5));
	ATF_CHECK_EQ(0xc4, in(&l, IIR));
	ATF_CHECK_EQ(0x61, in(&l, LSR));
	ATF_CHECK_EQ('a', in(&l, DATA));
	ATF_CHECK_EQ('b', in(&l, DATA));
	out(&l, FCR, 0x83);		/* clear */
	ATF_CHECK_EQ(0, l.level);
	ATF_CHECK_EQ(0x60, in(&l, LSR));
	ATF_CHECK_EQ(0, in(&l, DATA));
	serial_free(l.serial);
}

ATF_TC_WITHOUT_HEAD(serial__takes_no_more_than_a_fifo);
ATF_TC_BODY(serial__takes_no_more_than_a_fifo, tc)
{
	static const uint8_t bytes[40] = { 0 };
	struct line l;
	int i, before;

	(void)tc;
	setup(&l);
	ATF_CHECK_EQ(1, serial_receive(l.serial, bytes, sizeof(bytes)));
	out(&l, FCR, 0x01);
	ATF_CHECK_EQ(SERIAL_FIFO,
	    serial_receive(l.serial, bytes, sizeof(bytes)));
	ATF_CHECK_EQ(0, serial_receive(l.serial, bytes, sizeof(bytes)));
	before = l.drained;
	for (i = 0; i < SERIAL_FIFO - 1; i++)
		(void)in(&l, DATA);
	ATF_CHECK_EQ(before, l.drained);
	(void)in(&l, DATA);
	ATF_CHECK_EQ(before + 1, l.drained);
	ATF_CHECK_EQ(0, in(&l, LSR) & 0x02);
	serial_free(l.serial);
}

ATF_TC_WITHOUT_HEAD(serial__loop_is_found_by_a_driver);
ATF_TC_BODY(serial__loop_is_found_by_a_driver, tc)
{
	struct line l;

	(void)tc;
	setup(&l);
	ATF_CHECK_EQ(0xb0, in(&l, MSR));
	out(&l, MCR, 0x1a);		/* LOOP, OUT2, RTS: Linux asks so */
	ATF_CHECK_EQ(0x90, in(&l, MSR) & 0xf0);
	out(&l, DATA, 'x');
	ATF_CHECK_EQ(0, l.nsent);
	ATF_CHECK_EQ('x', in(&l, DATA));
	out(&l, DATA, 'y');
	out(&l, DATA, 'z');		/* one too many without a FIFO */
	ATF_CHECK_EQ(0x63, in(&l, LSR));
	ATF_CHECK_EQ(0x61, in(&l, LSR));
	ATF_CHECK_EQ(0, serial_receive(l.serial, (const uint8_t *)"a", 1));
	serial_free(l.serial);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, serial__sends_what_is_written);
	ATF_TP_ADD_TC(tp, serial__divisor_is_behind_dlab);
	ATF_TP_ADD_TC(tp, serial__empty_interrupt_comes_once);
	ATF_TP_ADD_TC(tp, serial__busy_while_the_line_is_full);
	ATF_TP_ADD_TC(tp, serial__input_interrupts_and_is_read);
	ATF_TP_ADD_TC(tp, serial__takes_no_more_than_a_fifo);
	ATF_TP_ADD_TC(tp, serial__loop_is_found_by_a_driver);
	return atf_no_error();
}
