/* SPDX-License-Identifier: ISC */
/*
 * A 16550A (National Semiconductor's data sheet).  Runs in the vm process,
 * registers on the vCPU threads, input on the console's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "vmmd/layout.h"
#include "vmmd/serial.h"

enum serial_register {
	REG_DATA	= 0,	/* divisor low with LCR.DLAB */
	REG_IER		= 1,	/* divisor high with LCR.DLAB */
	REG_IIR_FCR	= 2,
	REG_LCR		= 3,
	REG_MCR		= 4,
	REG_LSR		= 5,
	REG_MSR		= 6,
	REG_SCRATCH	= 7,
	REG_COUNT
};

#define IER_RECEIVED	0x01
#define IER_EMPTY	0x02
#define IER_BITS	0x0f

#define IIR_NONE	0x01
#define IIR_EMPTY	0x02
#define IIR_RECEIVED	0x04
#define IIR_TIMEOUT	0x0c	/* received, below the trigger level */
#define IIR_FIFO	0xc0

#define FCR_ENABLE	0x01
#define FCR_CLEAR_RX	0x02
#define FCR_TRIGGER(v)	((v) >> 6)

#define LCR_DLAB	0x80

#define MCR_DTR		0x01
#define MCR_RTS		0x02
#define MCR_OUT1	0x04
#define MCR_OUT2	0x08
#define MCR_LOOP	0x10
#define MCR_BITS	0x1f

#define LSR_DATA	0x01
#define LSR_OVERRUN	0x02
#define LSR_EMPTY	0x60	/* holding register and transmitter */

#define MSR_CTS		0x10
#define MSR_DSR		0x20
#define MSR_RI		0x40
#define MSR_DCD		0x80

#define DIVISOR_9600	12

struct serial {
	pthread_mutex_t		lock;
	struct serial_line	line;
	uint8_t			ier;
	uint8_t			fcr;
	uint8_t			lcr;
	uint8_t			mcr;
	uint8_t			scratch;
	uint16_t		divisor;
	bool			overrun;
	bool			empty_pending;	/* the EMPTY interrupt is due */
	bool			busy;		/* the line has no room */
	int			level;		/* of the interrupt line */
	uint8_t			fifo[SERIAL_FIFO];
	size_t			first;		/* of the fifo */
	size_t			count;
};

struct serial *
serial_new(const struct serial_line *line)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	s->line = *line;
	s->mcr = MCR_OUT2;
	s->divisor = DIVISOR_9600;
	return s;
}

void
serial_free(struct serial *s)
{
	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static size_t
trigger(const struct serial *s)
{
	static const uint8_t level[] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? level[FCR_TRIGGER(s->fcr)] : 1;
}

static size_t
fifo_size(const struct serial *s)
{
	return s->fcr & FCR_ENABLE ? SERIAL_FIFO : 1;
}

/* The interrupt that is due, in order of priority. */
static uint8_t
pending(const struct serial *s)
{
	if ((s->ier & IER_RECEIVED) && s->count > 0)
		return s->count >= trigger(s) ? IIR_RECEIVED : IIR_TIMEOUT;
	if ((s->ier & IER_EMPTY) && s->empty_pending)
		return IIR_EMPTY;
	return IIR_NONE;
}

static void
update_line(struct serial *s)
{
	int level = pending(s) != IIR_NONE;

	if (level == s->level)
		return;
	s->level = level;
	s->line.interrupt(s->line.ctx, level);
}

/* Room for another FIFO full?  If not, serial_sent will say so. */
static void
update_empty(struct serial *s)
{
	s->busy = !s->line.has_room(s->line.ctx);
	s->empty_pending = !s->busy;
}

static void
fifo_put(struct serial *s, uint8_t v)
{
	if (s->count == fifo_size(s)) {
		s->overrun = true;
		return;
	}
	s->fifo[(s->first + s->count++) % SERIAL_FIFO] = v;
}

static uint8_t
fifo_get(struct serial *s)
{
	uint8_t v;

	if (s->count == 0)
		return 0;
	v = s->fifo[s->first];
	s->first = (s->first + 1) % SERIAL_FIFO;
	if (--s->count == 0)
		s->line.drained(s->line.ctx);
	return v;
}

static uint8_t
read_iir(struct serial *s)
{
	uint8_t iir = pending(s);

	/* Reading it answers this one interrupt. */
	if (iir == IIR_EMPTY)
		s->empty_pending = false;
	return iir | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t
read_lsr(struct serial *s)
{
	uint8_t lsr = 0;

	if (s->busy)
		s->busy = !s->line.has_room(s->line.ctx);
	if (s->count > 0)
		lsr |= LSR_DATA;
	if (s->overrun)
		lsr |= LSR_OVERRUN;
	if (!s->busy)
		lsr |= LSR_EMPTY;
	s->overrun = false;
	return lsr;
}

static uint8_t
read_msr(const struct serial *s)
{
	/* The terminal is there, and always ready. */
	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (s->mcr & MCR_RTS ? MSR_CTS : 0) |
	    (s->mcr & MCR_DTR ? MSR_DSR : 0) |
	    (s->mcr & MCR_OUT1 ? MSR_RI : 0) |
	    (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t
read_register(struct serial *s, uint16_t offset)
{
	switch (offset) {
	case REG_DATA:
		return s->lcr & LCR_DLAB ? (uint8_t)s->divisor : fifo_get(s);
	case REG_IER:
		return s->lcr & LCR_DLAB ? s->divisor >> 8 : s->ier;
	case REG_IIR_FCR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(s);
	case REG_MSR:
		return read_msr(s);
	case REG_SCRATCH:
		return s->scratch;
	default:
		return 0xff;
	}
}

static void
write_data(struct serial *s, uint8_t v)
{
	if (s->lcr & LCR_DLAB) {
		s->divisor = (s->divisor & 0xff00) | v;
		return;
	}
	if (s->mcr & MCR_LOOP) {
		fifo_put(s, v);
		return;
	}
	/* Down and up again: an edge for each time that it becomes empty. */
	s->empty_pending = false;
	update_line(s);
	s->line.send(s->line.ctx, v);
	update_empty(s);
}

static void
write_ier(struct serial *s, uint8_t v)
{
	bool enabled;

	if (s->lcr & LCR_DLAB) {
		s->divisor = (uint16_t)(v << 8) | (s->divisor & 0xff);
		return;
	}
	enabled = (v & ~s->ier) & IER_EMPTY;
	s->ier = v & IER_BITS;
	if (enabled)
		update_empty(s);
}

static void
write_fcr(struct serial *s, uint8_t v)
{
	if (((v ^ s->fcr) & FCR_ENABLE) || (v & FCR_CLEAR_RX)) {
		s->count = 0;
		s->line.drained(s->line.ctx);
	}
	s->fcr = v;
}

static void
write_register(struct serial *s, uint16_t offset, uint8_t v)
{
	switch (offset) {
	case REG_DATA:
		write_data(s, v);
		break;
	case REG_IER:
		write_ier(s, v);
		break;
	case REG_IIR_FCR:
		write_fcr(s, v);
		break;
	case REG_LCR:
		s->lcr = v;
		break;
	case REG_MCR:
		s->mcr = v & MCR_BITS;
		/* Out of the loop, input is taken again. */
		s->line.drained(s->line.ctx);
		break;
	case REG_SCRATCH:
		s->scratch = v;
		break;
	}
}

static uint8_t
port_read(void *ctx, uint16_t offset)
{
	struct serial *s = ctx;
	uint8_t v;

	pthread_mutex_lock(&s->lock);
	v = read_register(s, offset);
	update_line(s);
	pthread_mutex_unlock(&s->lock);
	return v;
}

static void
port_write(void *ctx, uint16_t offset, uint8_t value, struct end *end)
{
	struct serial *s = ctx;

	(void)end;
	pthread_mutex_lock(&s->lock);
	write_register(s, offset, value);
	update_line(s);
	pthread_mutex_unlock(&s->lock);
}

int
serial_attach(struct serial *s, struct iobus *bus)
{
	const struct iobus_port port = {
		.base = LAYOUT_SERIAL, .count = REG_COUNT,
		.read = port_read, .write = port_write, .ctx = s,
	};

	return iobus_add(bus, &port);
}

size_t
serial_receive(struct serial *s, const uint8_t *p, size_t n)
{
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < n && s->count < fifo_size(s) &&
	    !(s->mcr & MCR_LOOP); i++)
		fifo_put(s, p[i]);
	update_line(s);
	pthread_mutex_unlock(&s->lock);
	return i;
}

void
serial_sent(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->busy) {
		update_empty(s);
		update_line(s);
	}
	pthread_mutex_unlock(&s->lock);
}
