/* SPDX-License-Identifier: ISC */
/*
 * The test guest: processor tables, the two 8259s, interrupts and time. Runs
 * in the guest; touches the PICs, channel 0 of the PIT, the local APIC and
 * the IDT.
 *
 * The handlers have nobody who could hand them a context, so the counters
 * here are the guest's only state outside main's.
 */
#include "console.h"
#include "cpu.h"
#include "machine.h"
#include "x86.h"

enum {
	PIC1 = 0x20,
	PIC2 = 0xa0,
	ICW1_INIT_ICW4 = 0x11,		/* edge triggered, cascaded */
	ICW4_8086 = 0x01,
	OCW2_EOI = 0x20,
	OCW3_READ_ISR = 0x0b,
	CASCADE = 2,
	TIMER = 0,

	VECTORS = 48,
	IRQ_VECTOR = 32,
	CODE_SELECTOR = 0x08,
	INTERRUPT_GATE = 0x8e00,	/* present, ring 0, 32 bits */

	/* The local APIC passes the PICs through, as a firmware leaves it. */
	LAPIC_SVR = 0xf0,
	LAPIC_LVT_LINT0 = 0x350,
	SVR_ENABLE = 0x100 | 0xff,
	LVT_EXTINT = 0x700,

	PIT_CHANNEL0 = 0x40,
	PIT_COMMAND = 0x43,
	PIT_RATE_GENERATOR = 0x34,	/* channel 0, both bytes, mode 2 */
	PIT_DIVISOR = 1193182 / (1000 / CPU_TICK_MS)
};

struct gate {
	uint16_t	offset_low;
	uint16_t	selector;
	uint16_t	flags;
	uint16_t	offset_high;
};

struct table {
	uint16_t	limit;
	uint32_t	base;
} __attribute__((packed));

/* From start.S: where each vector's handler begins. */
extern const uint32_t start_vectors[VECTORS];

static struct gate idt[VECTORS];
static volatile uint32_t counts[CPU_IRQS];

static void
load_idt(void)
{
	const struct table table = { sizeof(idt) - 1, (uint32_t)idt };
	uint32_t i;

	for (i = 0; i < VECTORS; i++) {
		idt[i].offset_low = (uint16_t)start_vectors[i];
		idt[i].selector = CODE_SELECTOR;
		idt[i].flags = INTERRUPT_GATE;
		idt[i].offset_high = (uint16_t)(start_vectors[i] >> 16);
	}
	__asm__ volatile("lidt %0" : : "m"(table));
}

/* Edge mode, vectors from 0x20, every line masked but the cascade. */
static void
init_pics(void)
{
	x86_outb(PIC1, ICW1_INIT_ICW4);
	x86_outb(PIC2, ICW1_INIT_ICW4);
	x86_outb(PIC1 + 1, IRQ_VECTOR);
	x86_outb(PIC2 + 1, IRQ_VECTOR + 8);
	x86_outb(PIC1 + 1, 1 << CASCADE);
	x86_outb(PIC2 + 1, CASCADE);
	x86_outb(PIC1 + 1, ICW4_8086);
	x86_outb(PIC2 + 1, ICW4_8086);
	x86_outb(PIC1 + 1, (uint8_t)~(1 << CASCADE));
	x86_outb(PIC2 + 1, 0xff);
}

void
cpu_write_lapic(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(CPU_LAPIC + offset) = value;
}

void
cpu_init(void)
{
	load_idt();
	init_pics();
	cpu_write_lapic(LAPIC_SVR, SVR_ENABLE);
	cpu_write_lapic(LAPIC_LVT_LINT0, LVT_EXTINT);
	x86_outb(PIT_COMMAND, PIT_RATE_GENERATOR);
	x86_outb(PIT_CHANNEL0, PIT_DIVISOR & 0xff);
	x86_outb(PIT_CHANNEL0, PIT_DIVISOR >> 8);
	cpu_unmask_irq(TIMER);
}

static uint16_t
mask_port(uint32_t irq)
{
	return irq < 8 ? PIC1 + 1 : PIC2 + 1;
}

void
cpu_unmask_irq(uint32_t irq)
{
	uint16_t port = mask_port(irq);

	x86_outb(port, (uint8_t)(x86_inb(port) & ~(1 << (irq & 7))));
}

void
cpu_mask_irq(uint32_t irq)
{
	uint16_t port = mask_port(irq);

	x86_outb(port, (uint8_t)(x86_inb(port) | 1 << (irq & 7)));
}

uint32_t
cpu_count_irq(uint32_t irq)
{
	return counts[irq];
}

bool
cpu_wait_irq(uint32_t irq, uint32_t seen, uint32_t ms)
{
	uint32_t start = counts[TIMER];

	while (counts[irq] == seen) {
		if ((counts[TIMER] - start) * CPU_TICK_MS > ms)
			return false;
		x86_wait_for_interrupt();
	}
	return true;
}

uint32_t
cpu_poll(void)
{
	x86_take_interrupts();
	return counts[TIMER] * CPU_TICK_MS;
}

void
cpu_sleep(uint32_t ms)
{
	uint32_t start = counts[TIMER];

	while ((counts[TIMER] - start) * CPU_TICK_MS <= ms)
		x86_wait_for_interrupt();
}

void
cpu_stop_timer(void)
{
	cpu_mask_irq(TIMER);
}

/*
 * The last line of each PIC also stands for "there was nothing after all".
 * Such an interrupt is not in service, is not counted and gets no EOI.
 */
static bool
is_spurious(uint32_t irq)
{
	uint16_t port = irq < 8 ? PIC1 : PIC2;

	if ((irq & 7) != 7)
		return false;
	x86_outb(port, OCW3_READ_ISR);
	return (x86_inb(port) & 0x80) == 0;
}

void
cpu_handle_irq(uint32_t irq)
{
	if (is_spurious(irq)) {
		if (irq >= 8)
			x86_outb(PIC1, OCW2_EOI);
		return;
	}
	counts[irq]++;
	if (irq >= 8)
		x86_outb(PIC2, OCW2_EOI);
	x86_outb(PIC1, OCW2_EOI);
}

void
cpu_handle_fault(uint32_t vector, const uint32_t *stack)
{
	console_printf("guest: fault %u, stack %08x %08x %08x\n", vector,
	    stack[0], stack[1], stack[2]);
	machine_exit(MACHINE_FAILED);
}
