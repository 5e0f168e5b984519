/* SPDX-License-Identifier: ISC */
/*
 * What DESIGN sections 4 and 5 and virtio 1.2 say must become of a chain: a
 * second opinion, which shares no line with blkd.  It works on a copy of the
 * guest's memory and of the backing, and is plain rather than fast.
 */
#ifndef PROPERTY_MODEL_H
#define PROPERTY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_HIGH	(UINT64_C(4) << 30)	/* second region of memory */
#define MODEL_SEGS	1024u

struct model {
	uint64_t	 low, high;	/* bytes of the regions */
	uint8_t		*mem;		/* both, one after the other */
	uint8_t		*file;		/* sectors * 512 bytes */
	uint64_t	 file_bytes;	/* how much of it the file has */
	uint64_t	 sectors;
	uint64_t	 features;
	uint32_t	 queue_size;
	uint16_t	 num;
	uint64_t	 desc;		/* gpa of the descriptor table */
	bool		 readonly;
	uint8_t		 serial[20];
};

enum model_verdict {
	MODEL_POISON,
	MODEL_DROP,
	MODEL_IOERR,
	MODEL_UNSUPP,
	MODEL_OK,	/* without running */
	MODEL_RUN,
};

struct model_seg {
	uint64_t	gpa;
	uint32_t	len;
	bool		writable;
};

struct model_request {
	uint16_t		head;
	enum model_verdict	verdict;
	uint32_t		type;
	uint64_t		sector;
	uint64_t		bytes;	/* of data, or of a range */
	uint32_t		flags;
	uint64_t		status_gpa;
	uint32_t		nsegs;	/* of the chain; can exceed the array */
	struct model_seg	last;
	struct model_seg	seg[MODEL_SEGS];

	/* What came of it. */
	uint8_t			status;
	uint32_t		used_len;
	bool			short_read;
	bool			answered;
	unsigned		deaths;	/* of a blkd, since it was offered */
};

/* The copy of guest memory; NULL: not all of it is in one region. */
uint8_t	*model_at(const struct model *, uint64_t gpa, uint64_t len);

/* Judge the chain at `head`; the throttle aside. */
void	 model_judge(const struct model *, uint16_t head,
	    struct model_request *);

/*
 * Carry out a request whose verdict is RUN, or with `error` fail it: a
 * status of VIRTIO_BLK_S_*, in place of OK.
 */
void	 model_run(struct model *, struct model_request *, int error);

#endif /* PROPERTY_MODEL_H */
