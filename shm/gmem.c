/* SPDX-License-Identifier: ISC */
/*
 * Guest memory and its gate.  Runs in the vm process and in blkd; trusts no
 * address and no length.
 */
#include <errno.h>
#include <stdlib.h>

#include "shm/gmem.h"
#include "shm/memfd.h"

int
gmem_layout(uint64_t bytes, struct gmem_region r[2])
{
	if (bytes == 0 || bytes % 4096 != 0 || bytes > GMEM_BYTES_MAX) {
		errno = EINVAL;
		return -1;
	}
	r[0] = (struct gmem_region) { .gpa = 0, .bytes = bytes, .offset = 0 };
	if (bytes <= GMEM_LOW_MAX)
		return 1;
	r[0].bytes = GMEM_LOW_MAX;
	r[1] = (struct gmem_region) { .gpa = GMEM_HIGH_BASE,
	    .bytes = bytes - GMEM_LOW_MAX, .offset = GMEM_LOW_MAX };
	return 2;
}

struct gmem *
gmem_open(int fd, uint64_t bytes)
{
	struct gmem *g;
	int n;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return NULL;
	if ((n = gmem_layout(bytes, g->region)) == -1 ||
	    memfd_check(fd, bytes) == -1 ||
	    (g->map = memfd_map(fd, bytes, true)) == NULL) {
		free(g);
		return NULL;
	}
	g->bytes = bytes;
	g->nregions = (size_t)n;
	for (n = 0; (size_t)n < g->nregions; n++)
		g->base[n] = g->map + g->region[n].offset;
	return g;
}

struct gmem *
gmem_wrap(const struct gmem_region *region, void *const *base, size_t n)
{
	struct gmem *g;
	size_t i;

	if (n > GMEM_REGIONS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return NULL;
	g->nregions = n;
	for (i = 0; i < n; i++) {
		g->region[i] = region[i];
		g->base[i] = base[i];
	}
	return g;
}

void
gmem_close(struct gmem *g)
{
	if (g == NULL)
		return;
	memfd_unmap(g->map, g->bytes);
	free(g);
}

const struct gmem_region *
gmem_region(const struct gmem *g, size_t i)
{
	return i < g->nregions ? &g->region[i] : NULL;
}

void *
gmem_region_base(const struct gmem *g, size_t i)
{
	return i < g->nregions ? g->base[i] : NULL;
}

int
gmem_iov(const struct gmem *g, uint64_t gpa, uint64_t len, struct iovec *iov,
    size_t max, size_t *n)
{
	size_t at = *n;
	uint64_t here;
	uint8_t *p;

	if (len == 0 || gpa > UINT64_MAX - len) {
		errno = EFAULT;
		return -1;
	}
	for (; len > 0; gpa += here, len -= here) {
		if ((here = gmem_find(g, gpa, &p)) == 0) {
			errno = EFAULT;
			return -1;
		}
		if (at == max) {
			errno = E2BIG;
			return -1;
		}
		if (here > len)
			here = len;
		iov[at++] = (struct iovec) { p, (size_t)here };
	}
	*n = at;
	return 0;
}
