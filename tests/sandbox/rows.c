/* SPDX-License-Identifier: ISC */
/*
 * Prints the tables of system calls of blkd, of blkd behind vhost-user, of
 * the vm process and of the sweeper, as every normal build has them: a line
 * each of
 *	PROCESS STAGE CALL REASON
 * for trace and seen_test.
 */
#include "config.h"

#include <stdio.h>

#include "blkd/seccomp_table.h"
#include "vmmd/sweeper_seccomp.h"
#include "vmmd/vm_seccomp.h"

static void
print(const struct filter_table *table, const char *process, unsigned stage,
    const char *name)
{
	const struct filter_row *row;
	size_t i;

	for (i = 0; i < table->nrows; i++) {
		row = &table->rows[i];
		if ((row->stages & stage) != 0)
			printf("%s %s %s %s\n", process, name, row->name,
			    row->reason);
	}
	/* No row of a table: filter_compile adds it to each. */
	if (stage == FILTER_START)
		printf("%s %s getppid FILTER_CANARY: is it in force\n",
		    process, name);
}

int
main(void)
{
	static const struct {
		const struct filter_table *table;
		const char		*process;
	} tables[] = {
		{ &seccomp_table_blkd, "blkd" },
		{ &seccomp_table_vhost, "vhost" },
		{ &vm_seccomp_table, "vm" },
		{ &sweeper_seccomp_table, "sweeper" },
	};
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		print(tables[i].table, tables[i].process, FILTER_START,
		    "start");
		print(tables[i].table, tables[i].process, FILTER_SERVE,
		    "serve");
	}
	return 0;
}
