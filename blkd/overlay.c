/* SPDX-License-Identifier: ISC */
/*
 * Held sectors.  Runs in blkd, any thread that has the lock of the faults;
 * touches their memory, the buffers of requests, and the backing to drain.
 *
 * A table of sectors with open addressing.  A sector's place is its own
 * number, so that neighbours lie side by side and go out in one write.  All
 * are forgotten at once, by a new generation.
 */
#include <errno.h>
#include <string.h>

#include "blkd/backing.h"
#include "blkd/fault_memory.h"
#include "blkd/overlay.h"
#include "shm/shared.h"

#define SECTOR		512u
#define MASK		(FAULT_MEMORY_SECTORS - 1)
/* Fuller, and it is slow to find what is not there. */
#define USED_MAX	(FAULT_MEMORY_SECTORS / 4 * 3)
#define RUN_MAX		2048u	/* sectors of one write: 1 MiB */

static uint64_t
now(const struct fault_memory *m)
{
	return shared_load(&m->s_generation) + 1;
}

static bool
is_live(const struct fault_memory *m, uint32_t i)
{
	return shared_load_acquire(&m->s_entry[i].s_generation) == now(m);
}

/*
 * The place of a sector: true, it is there; false, it would go there.  The
 * end of the search is a bound, too, should the table be corrupt.
 */
static bool
find(const struct fault_memory *m, uint64_t sector, uint32_t *place)
{
	uint32_t i, n;

	for (n = 0; n < FAULT_MEMORY_SECTORS; n++) {
		i = (uint32_t)(sector + n) & MASK;
		*place = i;
		if (!is_live(m, i))
			return false;
		if (shared_load(&m->s_entry[i].s_sector) == sector)
			return true;
	}
	return false;
}

/* --- sectors of buffers ------------------------------------------------- */

enum direction { FROM_BUFFER, TO_BUFFER };

/* Copy one sector at byte `at` of the buffers; ends where they end. */
static void
copy(enum direction d, const struct iovec *iov, size_t niov, uint64_t at,
    uint8_t *sector)
{
	size_t i, n, done = 0;
	uint8_t *p;

	for (i = 0; i < niov && done < SECTOR; i++) {
		if (at >= iov[i].iov_len) {
			at -= iov[i].iov_len;
			continue;
		}
		p = (uint8_t *)iov[i].iov_base + at;
		n = iov[i].iov_len - (size_t)at;
		if (n > SECTOR - done)
			n = SECTOR - done;
		if (d == FROM_BUFFER)
			memcpy(sector + done, p, n);
		else
			memcpy(p, sector + done, n);
		done += n;
		at = 0;
	}
}

static uint64_t
count_sectors(const struct iovec *iov, size_t niov)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < niov; i++)
		bytes += iov[i].iov_len;
	return bytes / SECTOR;
}

/* --- for the engine ----------------------------------------------------- */

bool
overlay_holds(const struct fault_memory *m)
{
	return shared_load(&m->s_used) != 0;
}

/* Cut off by SIGKILL anywhere, the request is written again. */
static void
put_one(struct fault_memory *m, const struct iovec *iov, size_t niov,
    uint64_t at, uint64_t sector)
{
	uint32_t i;

	if (find(m, sector, &i)) {
		copy(FROM_BUFFER, iov, niov, at, m->s_data[i]);
		return;
	}
	shared_store(&m->s_used, shared_load(&m->s_used) + 1);
	copy(FROM_BUFFER, iov, niov, at, m->s_data[i]);
	shared_store(&m->s_entry[i].s_sector, sector);
	shared_store_release(&m->s_entry[i].s_generation, now(m));
}

int
overlay_put(struct fault_memory *m, const struct iovec *iov, size_t niov,
    uint64_t sector)
{
	uint64_t i, n = count_sectors(iov, niov);
	uint64_t used = shared_load(&m->s_used);

	if (n > USED_MAX || used > USED_MAX - n) {
		errno = ENOSPC;
		return -1;
	}
	for (i = 0; i < n; i++)
		put_one(m, iov, niov, i * SECTOR, sector + i);
	return 0;
}

void
overlay_update(struct fault_memory *m, const struct iovec *iov, size_t niov,
    uint64_t sector)
{
	uint64_t i, n = count_sectors(iov, niov);
	uint32_t place;

	for (i = 0; i < n; i++) {
		if (find(m, sector + i, &place))
			copy(FROM_BUFFER, iov, niov, i * SECTOR,
			    m->s_data[place]);
	}
}

void
overlay_patch(const struct fault_memory *m, const struct iovec *iov,
    size_t niov, uint64_t sector)
{
	uint64_t i, n = count_sectors(iov, niov);
	uint8_t data[SECTOR];
	uint32_t place;

	for (i = 0; i < n; i++) {
		if (!find(m, sector + i, &place))
			continue;
		memcpy(data, m->s_data[place], SECTOR);
		copy(TO_BUFFER, iov, niov, i * SECTOR, data);
	}
}

/* --- draining ----------------------------------------------------------- */

/* How many sectors from place i on are neighbours in the file, too. */
static uint32_t
run_length(const struct fault_memory *m, uint32_t i, uint64_t sector,
    uint64_t end)
{
	uint32_t n = 1;

	while (n < RUN_MAX && i + n < FAULT_MEMORY_SECTORS &&
	    sector + n < end && is_live(m, i + n) &&
	    shared_load(&m->s_entry[i + n].s_sector) == sector + n)
		n++;
	return n;
}

int
overlay_drain(struct fault_memory *m, struct backing *b, uint64_t sectors)
{
	struct iovec iov;
	uint64_t sector;
	uint32_t i, n;

	if (!overlay_holds(m))
		return 0;
	for (i = 0; i < FAULT_MEMORY_SECTORS; i += n) {
		n = 1;
		if (!is_live(m, i))
			continue;
		/* The image may have shrunk, or a predecessor lied. */
		sector = shared_load(&m->s_entry[i].s_sector);
		if (sector >= sectors)
			continue;
		n = run_length(m, i, sector, sectors);
		iov = (struct iovec) { m->s_data[i], (size_t)n * SECTOR };
		if (backing_write(b, &iov, 1, sector * SECTOR) == -1)
			return -1;
	}
	/* The generation first: what counts none must hold none. */
	shared_store_release(&m->s_generation, now(m));
	shared_store_release(&m->s_used, 0);
	return 0;
}
