/* SPDX-License-Identifier: ISC */
/*
 * The manuals say what the tables say: exit codes (vmmd.8) and keys of the
 * configuration (vmmd.conf.5).
 */
#include <atf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/counters.h"
#include "vmmd/conf.h"
#include "vmmd/exitcode.h"
#include "vmmd/request.h"

static char *
read_manual(const char *name)
{
	char path[4096], *text;
	size_t n;
	FILE *f;

	ATF_REQUIRE(getenv("VMMD_SRCDIR") != NULL);
	snprintf(path, sizeof(path), "%s/%s", getenv("VMMD_SRCDIR"), name);
	ATF_REQUIRE_MSG((f = fopen(path, "re")) != NULL, "%s", path);
	ATF_REQUIRE((text = malloc(1 << 20)) != NULL);
	n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static unsigned
count(const char *text, const char *needle)
{
	unsigned n = 0;

	for (; (text = strstr(text, needle)) != NULL; text++)
		n++;
	return n;
}

ATF_TC_WITHOUT_HEAD(exit_codes__in_the_manual);
ATF_TC_BODY(exit_codes__in_the_manual, tc)
{
	char *text = read_manual("vmmd/vmmd.8"), *list, *end, want[512];
	const struct exitcode *row;
	unsigned rows = 0;
	int reason;

	ATF_REQUIRE((list = strstr(text, ".Sh EXIT STATUS")) != NULL);
	if ((end = strstr(list, "\n.El")) != NULL)
		end[1] = '\0';
	for (reason = 1; reason < EXITCODE_REASONS; reason++) {
		row = exitcode_row((enum exitcode_reason)reason);
		ATF_REQUIRE(row != NULL);
		if (reason == EXITCODE_GUEST)
			snprintf(want, sizeof(want), ".It 1 to %d\n%s\n",
			    row->code, row->sentence);
		else
			snprintf(want, sizeof(want), ".It %d\n%s\n",
			    row->code, row->sentence);
		ATF_CHECK_MSG(strstr(list, want) != NULL,
		    "vmmd.8 lacks:\n%s", want);
		rows++;
	}
	ATF_CHECK_EQ(rows, count(list, "\n.It "));
	free(text);
}

ATF_TC_WITHOUT_HEAD(exit_codes__distinct);
ATF_TC_BODY(exit_codes__distinct, tc)
{
	int a, b;

	for (a = 1; a < EXITCODE_REASONS; a++) {
		for (b = 1; b < a; b++)
			ATF_CHECK_MSG(
			    exitcode_of((enum exitcode_reason)a, 63) !=
			    exitcode_of((enum exitcode_reason)b, 63),
			    "%d and %d", a, b);
	}
	ATF_CHECK_EQ(0, exitcode_of(EXITCODE_GUEST, 0));
	ATF_CHECK_EQ(7, exitcode_of(EXITCODE_GUEST, 7));
	ATF_CHECK_EQ(63, exitcode_of(EXITCODE_GUEST, 63));
	ATF_CHECK_EQ(63, exitcode_of(EXITCODE_GUEST, 64));
	ATF_CHECK_EQ(63, exitcode_of(EXITCODE_GUEST, UINT32_MAX));
}

ATF_TC_WITHOUT_HEAD(keys__in_the_manual);
ATF_TC_BODY(keys__in_the_manual, tc)
{
	char *text = read_manual("etc/vmmd.conf.5"), *disk, *group;
	char want[128];
	struct conf_key_name key;
	unsigned keys = 0;
	size_t i;

	ATF_REQUIRE((disk = strstr(text, ".Ss disk")) != NULL);
	disk[-1] = '\0';
	ATF_REQUIRE((group = strstr(disk, ".Ss group")) != NULL);
	group[-1] = '\0';
	for (i = 0; conf_key_at(i, &key) == 0; i++) {
		snprintf(want, sizeof(want), "\n.It Cm %s Ns", key.key);
		ATF_CHECK_MSG(strstr(strcmp(key.section, "vm") == 0 ? text :
		    strcmp(key.section, "disk") == 0 ? disk : group, want) != NULL, "vmmd.conf.5 lacks %s of %s",
		    key.key, key.section);
		keys++;
	}
	ATF_CHECK_EQ(keys, count(text, "\n.It Cm ") +
	    count(disk, "\n.It Cm ") + count(group, "\n.It Cm "));
	free(text);
}

ATF_TC_WITHOUT_HEAD(counters__in_the_manual);
ATF_TC_BODY(counters__in_the_manual, tc)
{
	static const char *const kinds[] = {
		[COUNTER_KIND_REQUESTS] = "request",
		[COUNTER_KIND_BYTES] = "bytes",
		[COUNTER_KIND_EVENTS] = "event",
		[COUNTER_KIND_TIME] = "time",
		[COUNTER_KIND_GAUGE] = "gauge",
	};
	char *text = read_manual("blkd/blkd.8"), *list, want[256];
	const struct counter_row *row;
	int i;

	ATF_REQUIRE((list = strstr(text, ".It Sy counter Ta")) != NULL);
	list = strchr(list, '\n') + 1;
	for (i = 0; i < COUNTER_COUNT; i++) {
		row = counter_row((enum counter)i);
		snprintf(want, sizeof(want), ".It %s Ta %s Ta %s\n",
		    row->name, kinds[row->kind], row->meaning);
		ATF_REQUIRE_MSG(strncmp(list, want, strlen(want)) == 0,
		    "blkd.8 has: %.60s, the table: %s", list, want);
		list += strlen(want);
	}
	ATF_CHECK(strncmp(list, ".El\n", 4) == 0);
	free(text);
}

ATF_TC_WITHOUT_HEAD(commands__in_the_manual);
ATF_TC_BODY(commands__in_the_manual, tc)
{
	char *text = read_manual("vmmd/vmmctl.8"), want[256];
	const struct request_limit *limit;
	const struct request_row *row;
	unsigned i;

	for (i = 0; i < REQUEST_COMMANDS; i++) {
		row = request_row((enum request_command)i);
		snprintf(want, sizeof(want), "\n.It Cm %s", row->name);
		ATF_CHECK_MSG(strstr(text, want) != NULL, "%s", row->name);
		snprintf(want, sizeof(want), "\n%s\n", row->does);
		ATF_CHECK_MSG(strstr(text, want) != NULL, "%s", row->does);
	}
	for (i = 0; (limit = request_limit(i)) != NULL; i++)
		ATF_CHECK_MSG(strstr(text, limit->name) != NULL, "%s",
		    limit->name);
	free(text);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, exit_codes__in_the_manual);
	ATF_TP_ADD_TC(tp, exit_codes__distinct);
	ATF_TP_ADD_TC(tp, keys__in_the_manual);
	ATF_TP_ADD_TC(tp, counters__in_the_manual);
	ATF_TP_ADD_TC(tp, commands__in_the_manual);
	return atf_no_error();
}
