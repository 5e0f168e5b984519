/* SPDX-License-Identifier: ISC */
/*
 * Messages to people.  Runs in every process of the project.  Trusts its
 * format strings, not their arguments.  Touches descriptor 2 or syslog.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#define LIBBSD_OPENBSD_VIS	/* whichever: strnvisx() is the same in both */
#include <vis.h>

#include "util/log.h"

#define TITLE_MAX	64
#define VIS_FLAGS	(VIS_CSTYLE | VIS_NL | VIS_TAB)

/*
 * The one mutable static of the project: where a line goes is a property of
 * the process, and handing it to every function that may complain would
 * cost more than it shows.  Written by log_open() alone.
 */
static struct {
	enum log_target	target;
	enum log_level	level;
	char		title[TITLE_MAX];
} log_ctx = { LOG_TO_STDERR, LOG_LEVEL_INFO, "" };

static const struct {
	int		 priority;
	const char	*prefix;
} log_levels[] = {
	[LOG_LEVEL_ERROR]	= { LOG_ERR,	"error: " },
	[LOG_LEVEL_WARNING]	= { LOG_WARNING, "warning: " },
	[LOG_LEVEL_INFO]	= { LOG_INFO,	"" },
	[LOG_LEVEL_DEBUG]	= { LOG_DEBUG,	"debug: " },
};

/*
 * Encode the text into dst, which holds four bytes for each and a NUL.
 * strnvisx() allocates: where it cannot, the text is not shown at all.
 */
static void
encode(char *dst, size_t dstsize, const char *text, size_t len)
{
	if (strnvisx(dst, dstsize, text, len, VIS_FLAGS) == -1)
		snprintf(dst, dstsize, "(message lost: cannot be encoded)");
}

static void
to_stderr(enum log_level level, const char *text)
{
	char	line[TITLE_MAX + 4 * LOG_MESSAGE_MAX + 32];
	int	len;
	ssize_t	n;

	len = snprintf(line, sizeof(line), "%s%s%s%s\n", log_ctx.title,
	    log_ctx.title[0] != '\0' ? ": " : "", log_levels[level].prefix,
	    text);
	if (len < 0 || (size_t)len >= sizeof(line))
		return;
	/* One write a line; nobody is left to be told if it fails. */
	do {
		n = write(STDERR_FILENO, line, (size_t)len);
	} while (n == -1 && errno == EINTR);
}

static void	emit(enum log_level, const char *, va_list)
		    __attribute__((__format__(__printf__, 2, 0)));

static void
emit(enum log_level level, const char *fmt, va_list ap)
{
	char	text[LOG_MESSAGE_MAX + 1], shown[4 * LOG_MESSAGE_MAX + 1];
	int	len, saved;

	if (level > log_ctx.level)
		return;
	saved = errno;
	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len < 0)
		len = snprintf(text, sizeof(text), "(message lost: %s)", fmt);
	if (len > LOG_MESSAGE_MAX) {
		memcpy(text + LOG_MESSAGE_MAX - 3, "...", 3);
		len = LOG_MESSAGE_MAX;
	}
	encode(shown, sizeof(shown), text, (size_t)len);
	if (log_ctx.target == LOG_TO_SYSLOG)
		syslog(log_levels[level].priority, "%s", shown);
	else
		to_stderr(level, shown);
	errno = saved;
}

void
log_open(const char *title, enum log_target target, enum log_level level)
{
	char	shown[4 * TITLE_MAX + 1];

	encode(shown, sizeof(shown), title, strnlen(title, TITLE_MAX));
	snprintf(log_ctx.title, sizeof(log_ctx.title), "%.*s", TITLE_MAX - 1,
	    shown);
	if (log_ctx.target == LOG_TO_SYSLOG)
		closelog();
	log_ctx.target = target;
	log_ctx.level = level;
	if (target == LOG_TO_SYSLOG)
		openlog(log_ctx.title, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_error(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void
log_warning(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_WARNING, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}
