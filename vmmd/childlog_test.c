/* SPDX-License-Identifier: ISC */
/* Tests of vmmd/childlog.c: what reaches the log of what a child says. */
#include <atf-c.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/log.h"
#include "vmmd/childlog.h"

static char logged[1 << 20];

/*
 * Feed bytes to a childlog, end it, and return what came on stderr, which is
 * a file meanwhile.
 */
static const char *
feed(const char *bytes, size_t length)
{
	struct event_base *base = event_base_new();
	struct childlog *cl;
	int ends[2], saved, file;
	size_t done = 0, part;
	ssize_t n;

	file = open("log", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	saved = dup(STDERR_FILENO);
	ATF_REQUIRE(file != -1 && saved != -1 && base != NULL);
	ATF_REQUIRE(dup2(file, STDERR_FILENO) != -1);
	log_open("test", LOG_TO_STDERR, LOG_LEVEL_INFO);
	ATF_REQUIRE_EQ(0, pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	ATF_REQUIRE((cl = childlog_new(base, ends[0], "child")) != NULL);
	while (done < length) {
		part = length - done < 4096 ? length - done : 4096;
		ATF_REQUIRE_EQ((ssize_t)part, write(ends[1], bytes + done,
		    part));
		done += part;
		childlog_drain(cl);
	}
	close(ends[1]);
	childlog_drain(cl);
	childlog_free(cl);
	event_base_free(base);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(file, logged, sizeof(logged) - 1, 0);
	ATF_REQUIRE(n >= 0);
	logged[n] = '\0';
	close(file);
	return logged;
}

static const char *
feed_text(const char *text)
{
	return feed(text, strlen(text));
}

ATF_TC_WITHOUT_HEAD(line__named);
ATF_TC_BODY(line__named, tc)
{
	ATF_CHECK_STREQ("test: child: one\ntest: child: two\n",
	    feed_text("one\ntwo\n"));
}

ATF_TC_WITHOUT_HEAD(line__keeps_its_level);
ATF_TC_BODY(line__keeps_its_level, tc)
{
	ATF_CHECK_STREQ("test: error: child: one\n"
	    "test: warning: child: two\n",
	    feed_text("error: one\nwarning: two\ndebug: three\n"));
}

ATF_TC_WITHOUT_HEAD(line__unfinished);
ATF_TC_BODY(line__unfinished, tc)
{
	ATF_CHECK_STREQ("test: child: last words\n", feed_text("last words"));
}

ATF_TC_WITHOUT_HEAD(line__encoded);
ATF_TC_BODY(line__encoded, tc)
{
	static const char bytes[] = "a\0b\033[31mc\r\n";
	const char *text = feed(bytes, sizeof(bytes) - 1);

	ATF_CHECK(strchr(text, '\033') == NULL);
	ATF_CHECK(strchr(text, '\r') == NULL);
	ATF_CHECK(strstr(text, "child: a?b") != NULL);
}

ATF_TC_WITHOUT_HEAD(line__cut);
ATF_TC_BODY(line__cut, tc)
{
	static char bytes[20000];

	memset(bytes, 'x', sizeof(bytes));
	ATF_CHECK_EQ(CHILDLOG_LINE_MAX + strlen("test: child: \n"),
	    strlen(feed(bytes, sizeof(bytes))));
}

ATF_TC_WITHOUT_HEAD(flood__dropped_and_counted);
ATF_TC_BODY(flood__dropped_and_counted, tc)
{
	static char bytes[20000];
	unsigned lines = 0, dropped = 0;
	const char *p;

	memset(bytes, '\n', sizeof(bytes));
	p = feed(bytes, sizeof(bytes));
	for (; *p != '\0'; p = strchr(p, '\n') + 1) {
		if (strncmp(p, "test: child: \n", 14) == 0)
			lines++;
		else if (sscanf(p, "test: warning: child: %u lines dropped",
		    &dropped) == 1)
			lines += dropped;
		else
			atf_tc_fail("unexpected: %s", p);
	}
	ATF_CHECK_EQ(sizeof(bytes), lines);
	/* A slow machine lets some more through, at CHILDLOG_RATE. */
	ATF_CHECK(dropped > sizeof(bytes) / 2);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, line__named);
	ATF_TP_ADD_TC(tp, line__keeps_its_level);
	ATF_TP_ADD_TC(tp, line__unfinished);
	ATF_TP_ADD_TC(tp, line__encoded);
	ATF_TP_ADD_TC(tp, line__cut);
	ATF_TP_ADD_TC(tp, flood__dropped_and_counted);
	return atf_no_error();
}
