/* SPDX-License-Identifier: ISC */
/* vmmd-protocol(7) says what the table says, and nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atf-c.h>

#include "proto/proto.h"
#include "proto/table.h"

/* The row of the manual that a fact should have, up to its meaning. */
static void
format_row(const struct proto_fact *fact, char *row, size_t size)
{
	char fds[16];

	if (fact->fds_min == fact->fds_max)
		snprintf(fds, sizeof(fds), "%u", fact->fds_min);
	else
		snprintf(fds, sizeof(fds), "%u-%u", fact->fds_min,
		    fact->fds_max);
	snprintf(row, size, ".It %s Ta %u Ta %u Ta %s Ta ", fact->name,
	    fact->type, fact->size, fds);
}

ATF_TC(manual__rows_are_the_table);
ATF_TC_HEAD(manual__rows_are_the_table, tc)
{
	atf_tc_set_md_var(tc, "require.files", PROTO_MANUAL);
}
ATF_TC_BODY(manual__rows_are_the_table, tc)
{
	const struct proto_fact *fact;
	char line[256], row[128];
	FILE *f = fopen(PROTO_MANUAL, "r");
	size_t i = 0;

	ATF_REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, ".It ", 4) != 0 ||
		    strncmp(line, ".It Sy ", 7) == 0)
			continue;
		fact = proto_fact_at(i++);
		ATF_REQUIRE_MSG(fact != NULL, "no such message: %s", line);
		format_row(fact, row, sizeof(row));
		ATF_CHECK_MSG(strncmp(line, row, strlen(row)) == 0,
		    "manual: %stable:  %s", line, row);
	}
	fclose(f);
	ATF_CHECK_MSG(proto_fact_at(i) == NULL, "not in the manual: %s",
	    proto_fact_at(i)->name);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, manual__rows_are_the_table);
	return atf_no_error();
}
