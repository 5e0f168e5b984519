/* SPDX-License-Identifier: ISC */
/*
 * The memory table of a front-end.  Runs in blkd, main thread, inside the
 * sandbox; trusts no number and no descriptor.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "blkd/vhost_mem.h"

#define PAGE	UINT64_C(4096)

static int __attribute__((__format__(__printf__, 2, 3)))
refuse(struct vhost_mem *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* Do two ranges share an address?  Both are known not to wrap. */
static bool
overlap(uint64_t a, uint64_t b, uint64_t abytes, uint64_t bbytes)
{
	return a < b + bbytes && b < a + abytes;
}

static int
check_region(struct vhost_mem *m, const struct vhost_mem_region *r)
{
	uint64_t total = r->m_bytes;
	size_t i;

	if (r->m_bytes == 0 || r->m_bytes > GMEM_BYTES_MAX)
		return refuse(m, "a region of %#jx bytes",
		    (uintmax_t)r->m_bytes);
	if (r->m_gpa > UINT64_MAX - r->m_bytes ||
	    r->m_address > UINT64_MAX - r->m_bytes ||
	    r->m_offset > INT64_MAX - PAGE - r->m_bytes)
		return refuse(m, "a region that ends past the end of"
		    " addresses");
	for (i = 0; i < m->n; i++) {
		const struct vhost_mem_region *e = &m->entry[i].region;

		if (overlap(r->m_gpa, e->m_gpa, r->m_bytes, e->m_bytes) ||
		    overlap(r->m_address, e->m_address, r->m_bytes,
		    e->m_bytes))
			return refuse(m, "the region at %#jx overlaps the"
			    " one at %#jx", (uintmax_t)r->m_gpa,
			    (uintmax_t)e->m_gpa);
		total += e->m_bytes;
	}
	if (total > GMEM_BYTES_MAX)
		return refuse(m, "more than %#jx bytes of memory",
		    (uintmax_t)GMEM_BYTES_MAX);
	if (m->n == GMEM_REGIONS_MAX)
		return refuse(m, "more than %u regions", GMEM_REGIONS_MAX);
	return 0;
}

/*
 * Memory only: of a memory file system, as memfd_create(2), /dev/shm and
 * hugetlbfs have, which alone know of seals.  A page of any other file may
 * take for ever to come.
 */
static int
check_file(struct vhost_mem *m, const struct vhost_mem_region *r, int fd,
    uint64_t *page)
{
	struct statx st;

	if (fcntl(fd, F_GET_SEALS) == -1)
		return refuse(m, "the descriptor of the region at %#jx is no"
		    " memory file", (uintmax_t)r->m_gpa);
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
	    STATX_BASIC_STATS, &st) == -1)
		return refuse(m, "the descriptor of the region at %#jx: %s",
		    (uintmax_t)r->m_gpa, strerror(errno));
	if (st.stx_size < r->m_offset ||
	    st.stx_size - r->m_offset < r->m_bytes)
		return refuse(m, "%#jx bytes of memory at offset %#jx are"
		    " announced, and the descriptor has %#jx",
		    (uintmax_t)r->m_bytes, (uintmax_t)r->m_offset,
		    (uintmax_t)st.stx_size);
	/* Of huge pages only whole ones can be mapped. */
	*page = st.stx_blksize;
	if (*page < PAGE || (*page & (*page - 1)) != 0)
		*page = PAGE;
	return 0;
}

int
vhost_mem_add(struct vhost_mem *m, const struct vhost_mem_region *r, int fd)
{
	struct vhost_mem_entry *e = &m->entry[m->n];
	uint64_t page, start, bytes;
	void *map;

	if (check_region(m, r) == -1 || check_file(m, r, fd, &page) == -1)
		return -1;
	start = r->m_offset & ~(page - 1);
	bytes = (r->m_offset - start + r->m_bytes + page - 1) & ~(page - 1);
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, fd, (off_t)start);
	if (map == MAP_FAILED)
		return refuse(m, "the region at %#jx cannot be mapped: %s",
		    (uintmax_t)r->m_gpa, strerror(errno));
	*e = (struct vhost_mem_entry) {
		.region = *r, .map = map, .map_bytes = bytes,
		.base = (uint8_t *)map + (r->m_offset - start),
	};
	m->n++;
	return 0;
}

int
vhost_mem_remove(struct vhost_mem *m, const struct vhost_mem_region *r)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		struct vhost_mem_entry *e = &m->entry[i];

		if (e->region.m_gpa != r->m_gpa ||
		    e->region.m_address != r->m_address ||
		    e->region.m_bytes != r->m_bytes)
			continue;
		munmap(e->map, e->map_bytes);
		m->n--;
		memmove(e, e + 1, (m->n - i) * sizeof(*e));
		return 0;
	}
	return refuse(m, "there is no region of %#jx bytes at %#jx",
	    (uintmax_t)r->m_bytes, (uintmax_t)r->m_gpa);
}

void
vhost_mem_clear(struct vhost_mem *m)
{
	while (m->n > 0) {
		m->n--;
		munmap(m->entry[m->n].map, m->entry[m->n].map_bytes);
	}
}

struct gmem *
vhost_mem_open(const struct vhost_mem *m)
{
	struct gmem_region region[GMEM_REGIONS_MAX];
	void *base[GMEM_REGIONS_MAX];
	size_t i;

	for (i = 0; i < m->n; i++) {
		region[i] = (struct gmem_region) {
			.gpa = m->entry[i].region.m_gpa,
			.bytes = m->entry[i].region.m_bytes,
			.offset = m->entry[i].region.m_offset,
		};
		base[i] = m->entry[i].base;
	}
	return gmem_wrap(region, base, m->n);
}

bool
vhost_mem_gpa(const struct vhost_mem *m, uint64_t address, uint64_t *gpa)
{
	uint64_t into;
	size_t i;

	for (i = 0; i < m->n; i++) {
		into = address - m->entry[i].region.m_address;
		if (into < m->entry[i].region.m_bytes) {
			*gpa = m->entry[i].region.m_gpa + into;
			return true;
		}
	}
	return false;
}
