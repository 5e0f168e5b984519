/* SPDX-License-Identifier: ISC */
/* What one run of the load generator is asked to do. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_DEPTH_MAX	256u
#define OPTIONS_BYTES_MIN	512u
#define OPTIONS_BYTES_MAX	(1u << 20)

enum options_what {
	OPTIONS_MMIO,		/* blkd, by control and MMIO channel */
	OPTIONS_VHOST,		/* a vhost-user back-end */
	OPTIONS_LOOP,		/* limit: bare preadv, pwritev */
	OPTIONS_MMAP,		/* limit: memcpy from and to a mapping */
	OPTIONS_EVENT,		/* limit: an eventfd there and back */
};

enum options_pattern {
	OPTIONS_READ,
	OPTIONS_WRITE,
	OPTIONS_MIXED,		/* 7 reads to 3 writes */
	OPTIONS_FLUSH,
};

struct options {
	enum options_what	 what;
	enum options_pattern	 pattern;
	bool			 sequential;
	bool			 wait;		/* for interrupts; else poll */
	bool			 verify;	/* the data */
	bool			 direct;	/* O_DIRECT */
	bool			 no_inflight;	/* vhost-user's table */
	bool			 json;
	bool			 loud;
	bool			 real_time;	/* both sides */
	uint32_t		 depth;
	uint32_t		 bytes;
	uint32_t		 poll_us;	/* blkd's, before it sleeps */
	double			 seconds;
	double			 warm_up;
	uint64_t		 requests;	/* at most; 0: any */
	uint64_t		 seed;
	int			 core[2];	/* ours, the back-end's; -1 */
	const char		*blkd;
	uint32_t		 engine;	/* enum proto_engine */
	uint16_t		 threads;	/* of sync, for slow I/O */
	uint16_t		 slow_us;	/* from so long on */
	const char		*file;
	const char		*socket;
	char			**command;	/* the back-end's; NULL */
};

/* Exits (EX_USAGE) where they make no sense. */
void	options_parse(struct options *, int argc, char **argv);

/* Their names, as they are asked for. */
const char	*options_what_name(enum options_what);
const char	*options_pattern_name(enum options_pattern);

#endif /* LOAD_OPTIONS_H */
