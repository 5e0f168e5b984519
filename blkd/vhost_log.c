/* SPDX-License-Identifier: ISC */
/*
 * What is said about front-ends.  Runs in blkd, main thread, inside the
 * sandbox; the log is others' room, which a front-end may not fill.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "blkd/disk.h"
#include "blkd/vhost_impl.h"
#include "util/log.h"
#include "util/lograte.h"

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void
vhost_log_catch_up(struct vhost *v)
{
	uint64_t n = lograte_take_unsaid(&v->lograte);

	if (n > 0)
		log_warning("%s: front-ends: %ju lines were too many, and are"
		    " not here", v->disk->name, (uintmax_t)n);
}

void
vhost_log_line(struct vhost *v, enum log_level level, const char *fmt, ...)
{
	char text[LOG_MESSAGE_MAX];
	va_list ap;

	if (!lograte_may_say(&v->lograte, now()))
		return;
	vhost_log_catch_up(v);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	switch (level) {
	case LOG_LEVEL_ERROR:
		log_error("%s: %s", v->disk->name, text);
		break;
	case LOG_LEVEL_WARNING:
		log_warning("%s: %s", v->disk->name, text);
		break;
	case LOG_LEVEL_INFO:
	case LOG_LEVEL_DEBUG:
		log_info("%s: %s", v->disk->name, text);
		break;
	}
}
