/* SPDX-License-Identifier: ISC */
/*
 * The test guest: where it starts, and where its interrupts arrive.
 *
 * A PVH loader enters in 32-bit protected mode, flat segments, no paging,
 * interrupts off, with the address of struct hvm_start_info in %ebx. What the
 * segment registers point to is the loader's, so our own GDT comes first.
 */

	.set	CODE, 0x08
	.set	DATA, 0x10
	.set	STACK_SIZE, 16384
	.set	AP_STACK_SIZE, 4096
	.set	AP_MAX, 63

	.section .note.Xen, "a", @note
	.align	4
	.long	4			/* length of the name */
	.long	4			/* length of the value */
	.long	18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	start

	.section .text.start, "ax", @progbits
	.globl	start
	.type	start, @function
start:
	cli
	cld
	movl	$stack_top, %esp
	lgdt	gdt_pointer
	ljmp	$CODE, $1f
1:	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	lldt	%ax
	pushl	$0
	popfl
	xorl	%ebp, %ebp
	subl	$12, %esp		/* the ABI wants 16 before the call */
	pushl	%ebx
	call	guest_main
2:	cli
	hlt
	jmp	2b

	.text
	.altmacro

	.macro	fault_entry n
fault_\n:
	pushl	$\n
	jmp	fault_common
	.endm

	.macro	irq_entry n
irq_\n:
	pushl	$\n
	jmp	irq_common
	.endm

	.set	i, 0
	.rept	32
	fault_entry %i
	.set	i, i + 1
	.endr

	.set	i, 0
	.rept	16
	irq_entry %i
	.set	i, i + 1
	.endr

fault_common:
	movl	%esp, %eax
	addl	$4, %eax
	movl	(%esp), %edx
	subl	$4, %esp
	pushl	%eax
	pushl	%edx
	call	cpu_handle_fault
3:	hlt
	jmp	3b

/*
 * On entry: number, eip, cs, eflags. The way back is not iret, which an
 * emulating KVM may lack: the flags are restored with interrupts off, sti
 * opens them after the far return, which drops the flags from the stack.
 */
irq_common:
	pushal
	cld
	pushl	32(%esp)
	call	cpu_handle_irq
	addl	$4, %esp
	popal
	addl	$4, %esp
	pushl	8(%esp)
	andl	$~0x200, (%esp)
	popfl
	sti
	lret	$4

/*
 * The first instructions of an application processor: copied to a page below
 * 1 MiB, entered in real mode at its beginning.
 */
	.globl	start_ap, start_ap_end
	.code16
start_ap:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	start_ap_gdt - start_ap
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE, $ap_protected
	.align	4
start_ap_gdt:
	.word	gdt_end - gdt - 1
	.long	gdt
start_ap_end:

	.code32
ap_protected:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$1, %eax
	lock
	xaddl	%eax, ap_next
	cmpl	$AP_MAX, %eax
	jae	4f
	movl	%eax, %edx
	incl	%edx
	imull	$AP_STACK_SIZE, %edx
	leal	ap_stacks(%edx), %esp
	subl	$12, %esp
	pushl	%eax
	call	smp_run_ap
4:	cli
	hlt
	jmp	4b

	.section .rodata
	.align	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff	/* code: flat, ring 0 */
	.quad	0x00cf92000000ffff	/* data: flat, ring 0 */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

	.align	4
	.globl	start_vectors
start_vectors:
	.macro	vector_of kind, n
	.long	\kind\()_\n
	.endm
	.set	i, 0
	.rept	32
	vector_of fault, %i
	.set	i, i + 1
	.endr
	.set	i, 0
	.rept	16
	vector_of irq, %i
	.set	i, i + 1
	.endr

	.bss
	.align	16
	.skip	STACK_SIZE
stack_top:
ap_stacks:
	.skip	AP_STACK_SIZE * AP_MAX
	.align	4
ap_next:
	.skip	4

	.section .note.GNU-stack, "", @progbits
