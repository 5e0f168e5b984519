/* SPDX-License-Identifier: ISC */
/*
 * Messages to people: one line each, to stderr or to syslog.
 *
 * log_open() is called once, early in main(), before threads are made and
 * before the sandbox closes (syslog's socket is opened there).  The log_*
 * functions may then be called from any thread; they keep errno, never exit,
 * and make one write(2) a line, so that lines of several processes that share
 * a terminal do not mix.  The text is encoded by vis(3): whatever a guest or
 * a peer puts into it, it stays one line and holds no control characters.
 *
 *	vmmd: warning: disk root: respawned after signal 9
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,	/* somebody has to do something */
	LOG_LEVEL_WARNING,	/* went wrong and was dealt with */
	LOG_LEVEL_INFO,		/* what a log is read for */
	LOG_LEVEL_DEBUG		/* for those who change the code */
};

enum log_target {
	LOG_TO_STDERR,
	LOG_TO_SYSLOG
};

/* Bytes of a message before encoding; what is longer is cut with "...". */
#define LOG_MESSAGE_MAX	1024

/*
 * `title` comes before every line ("vmmd", "vmmd: vm", "blkd: root"); it is
 * copied, encoded, and cut at 63 bytes.  May be called again to change all
 * three, while there is one thread.  Never fails.
 */
void	log_open(const char *title, enum log_target target,
	    enum log_level level);

void	log_error(const char *fmt, ...)
	    __attribute__((__format__(__printf__, 1, 2)));
void	log_warning(const char *fmt, ...)
	    __attribute__((__format__(__printf__, 1, 2)));
void	log_info(const char *fmt, ...)
	    __attribute__((__format__(__printf__, 1, 2)));
void	log_debug(const char *fmt, ...)
	    __attribute__((__format__(__printf__, 1, 2)));

#endif /* UTIL_LOG_H */
