/* SPDX-License-Identifier: ISC */
/*
 * The memory of faults on purpose: what a disk's blkds hand on to each other
 * of them.  The monitor makes it (a memfd, all zeroes) and never looks in;
 * nobody else has it.
 *
 *	rules		with their counts: faults.c
 *	entries, data	writes that are held back: overlay.c
 *
 * A predecessor may have been the guest's: each field is read once, and
 * checked before it is used.
 */
#ifndef BLKD_FAULT_MEMORY_H
#define BLKD_FAULT_MEMORY_H

#include <assert.h>
#include <stdint.h>

#include "proto/proto.h"

#define FAULT_MEMORY_SECTORS	(1u << 17)	/* 64 MiB: a power of two */

/* One rule.  Its id is written last, and taken away first. */
struct fault_memory_rule {
	struct proto_fault_row	s_row;
	uint64_t		s_pad[4];
};
static_assert(sizeof(struct fault_memory_rule) == 128, "no padding");

/* A held sector is there if its generation is that of now. */
struct fault_memory_entry {
	uint64_t	s_sector;
	uint64_t	s_generation;	/* stored after sector and data */
};

struct fault_memory {
	uint64_t	s_generation;	/* now - 1: zeroes are a valid start */
	uint64_t	s_used;		/* entries of now; not below the truth */
	uint64_t	s_pad[14];
	struct fault_memory_rule s_rule[PROTO_FAULTS_MAX];
	uint8_t		s_rest[4096 - 128 - PROTO_FAULTS_MAX * 128];
	struct fault_memory_entry s_entry[FAULT_MEMORY_SECTORS];
	uint8_t		s_data[FAULT_MEMORY_SECTORS][512];
};
static_assert(sizeof(struct fault_memory) == PROTO_FAULT_BYTES,
    "the monitor makes as much as there is");

#endif /* BLKD_FAULT_MEMORY_H */
