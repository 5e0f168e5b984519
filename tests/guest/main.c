/* SPDX-License-Identifier: ISC */
/*
 * The test guest: from the loader's hand-over to the test. Runs in the guest,
 * in 32-bit protected mode without paging: addresses are physical ones.
 * Trusts the loader's start info after its magic was seen.
 */
#include <stddef.h>

#include "args.h"
#include "console.h"
#include "cpu.h"
#include "machine.h"
#include "tests.h"

enum { START_MAGIC = 0x336ec578 };

/* The PVH start info, version 0 (Xen's public headers define it). */
struct start_info {
	uint32_t	magic;
	uint32_t	version;
	uint32_t	flags;
	uint32_t	module_count;
	uint64_t	modules_addr;
	uint64_t	cmdline_addr;
	uint64_t	rsdp_addr;
};

void	guest_main(const struct start_info *) __attribute__((noreturn));

void
guest_main(const struct start_info *info)
{
	static struct args args;
	static struct tests tests;
	const char *line = "", *why;

	console_init();
	if (info->magic != START_MAGIC) {
		console_printf("guest: usage: not started by a PVH loader\n");
		machine_exit(MACHINE_USAGE);
	}
	/* Before anything else: it may lie where the guest writes later. */
	if (info->cmdline_addr != 0)
		line = (const char *)(uint32_t)info->cmdline_addr;
	why = args_parse(&args, line);
	if (why != NULL) {
		console_printf("guest: usage: %s\n", why);
		machine_exit(MACHINE_USAGE);
	}
	console_printf("guest: %s, %u disks\n",
	    args_get(&args, "test", "no test"), args.device_count);
	cpu_init();
	tests_run(&tests, &args);
}
