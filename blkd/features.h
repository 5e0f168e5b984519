/* SPDX-License-Identifier: ISC */
/*
 * The feature bits that a disk offers: one row each, with its reason, from
 * which the register machine, the manual and the tests are checked.
 */
#ifndef BLKD_FEATURES_H
#define BLKD_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;

#define FEATURE(bit)	(UINT64_C(1) << (bit))

struct feature_row {
	unsigned	 bit;		/* VIRTIO_F_*, VIRTIO_BLK_F_* */
	const char	*name;		/* as in the specification */
	bool		(*offered)(const struct disk *); /* NULL: always */
	const char	*reason;	/* a sentence */
};

/* All rows: NULL past the last.  Any thread. */
const struct feature_row *features_row(size_t index);

/* The bits that this disk offers.  Any thread. */
uint64_t	features_offered(const struct disk *);

/*
 * May FEATURES_OK stick?  Only with VERSION_1 and nothing that was not
 * offered (virtio 1.2, 2.2.2 and 6.2).
 */
bool		features_acceptable(uint64_t offered, uint64_t driver);

#endif /* BLKD_FEATURES_H */
