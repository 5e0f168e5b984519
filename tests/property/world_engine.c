/* SPDX-License-Identifier: ISC */
/* An engine with whims.  Runs in tests only. */
#include <sys/stat.h>
#include <linux/virtio_blk.h>

#include <errno.h>
#include <stdlib.h>

#include "blkd/engine.h"
#include "blkd/request.h"
#include "shm/gmem.h"
#include "shm/state.h"
#include "tests/property/world.h"
#include "tests/property/world_engine.h"

struct engine {
	struct world		*w;
	struct engine		*inner;		/* of engine_sync */
	unsigned		 npending;
	struct engine_op	*pending[STATE_QUEUE_SIZE_MAX];
	unsigned		 nfinished;
	struct engine_op	*finished[STATE_QUEUE_SIZE_MAX];
};

/* Only what the model let through may come here, as the model saw it. */
static struct model_request *
find(struct world *w, struct engine_op *op)
{
	static const struct {
		uint32_t		type;
		enum engine_op_type	op;
	} types[] = {
		{ VIRTIO_BLK_T_IN, ENGINE_READ },
		{ VIRTIO_BLK_T_OUT, ENGINE_WRITE },
		{ VIRTIO_BLK_T_FLUSH, ENGINE_FLUSH },
		{ VIRTIO_BLK_T_DISCARD, ENGINE_DISCARD },
		{ VIRTIO_BLK_T_WRITE_ZEROES, ENGINE_ZERO },
	};
	uint16_t head = request_of_op(op)->head;
	struct model_request *r;
	size_t i = 0;

	if (head >= STATE_QUEUE_SIZE_MAX || w->by_head[head] == -1)
		world_fail(w, "head %u runs unasked", head);
	r = &w->offered[w->by_head[head]];
	while (i < 4 && types[i].type != r->type)
		i++;
	if (r->verdict != MODEL_RUN || types[i].type != r->type ||
	    types[i].op != op->type || (op->type != ENGINE_FLUSH &&
	    (op->offset != r->sector * 512 || op->bytes != r->bytes)))
		world_fail(w, "head %u: verdict %d, but it runs operation %d "
		    "of %llu bytes at %llu", head, r->verdict, op->type,
		    (unsigned long long)op->bytes,
		    (unsigned long long)op->offset);
	return r;
}

/* Answered is answered: and what runs again, runs in its old order. */
static void
check_once(struct world *w, uint16_t head)
{
	const struct virtq_used *used = w->serve.vq.used;
	uint16_t i;

	for (i = w->used_idx; i != used->g_idx; i++)
		if (used->g_ring[i & (w->setup.num - 1)].g_id == head)
			world_fail(w, "head %u runs after its answer", head);
	if (!w->config.shuffle && w->by_head[head] <= w->ran_last)
		world_fail(w, "head %u runs out of order", head);
	w->ran_last = w->by_head[head];
}

/* Nothing is known of it, but it must not leave the disk or memory. */
static void
check_bounds(struct world *w, const struct engine_op *op)
{
	uint64_t bytes = w->config.sectors * 512;
	const struct gmem_region *region;
	const uint8_t *base, *p;
	size_t i, j;

	if (op->type != ENGINE_FLUSH &&
	    (op->offset > bytes || op->bytes > bytes - op->offset))
		world_fail(w, "operation %d past the end", op->type);
	for (i = 0; i < op->niov; i++) {
		p = op->iov[i].iov_base;
		for (j = 0; (region = gmem_region(w->disk.gmem, j)); j++) {
			base = gmem_region_base(w->disk.gmem, j);
			if (p >= base && p + op->iov[i].iov_len <=
			    base + region->bytes)
				break;
		}
		if (region == NULL)
			world_fail(w, "operation %d out of memory", op->type);
	}
}

/* How zeroes make a file longer is the file system's affair. */
static void
note_write(struct world *w)
{
	struct stat st;

	w->file_touched = true;
	if (w->config.file_bytes < w->config.sectors * 512 &&
	    fstat(w->filefd, &st) == 0)
		w->model.file_bytes = (uint64_t)st.st_size;
}

static void
carry_out(struct engine *e, struct engine_op *op)
{
	struct model_request *r = e->w->lawless ? NULL : find(e->w, op);
	bool range = op->type == ENGINE_DISCARD || op->type == ENGINE_ZERO;
	int error = 0;

	if (e->w->config.faults && rng_once_in(e->w->rng, 8))
		error = range && rng_once_in(e->w->rng, 2) ? EOPNOTSUPP : EIO;
	check_bounds(e->w, op);
	if (r != NULL)
		check_once(e->w, r->head);
	op->zeroed = 0;
	op->error = error;
	if (error == 0) {
		engine_sync.submit(e->inner, op);
		if (engine_sync.reap(e->inner) != op || op->error != 0)
			world_fail(e->w, "I/O failed: errno %d", op->error);
	}
	if (r != NULL)
		model_run(&e->w->model, r, error == 0 ? VIRTIO_BLK_S_OK :
		    error == EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP :
		    VIRTIO_BLK_S_IOERR);
	if (error == 0 && op->type != ENGINE_READ)
		note_write(e->w);
	e->finished[e->nfinished++] = op;
}

static void
whim_submit(struct engine *e, struct engine_op *op)
{
	if (e->w->config.shuffle)
		e->pending[e->npending++] = op;
	else
		carry_out(e, op);
}

static void
whim_kick(struct engine *e)
{
	unsigned i;

	while (e->npending > 0 && !rng_once_in(e->w->rng, 4)) {
		i = rng_below(e->w->rng, e->npending);
		carry_out(e, e->pending[i]);
		e->pending[i] = e->pending[--e->npending];
	}
}

static struct engine_op *
whim_reap(struct engine *e)
{
	struct engine_op *op;
	unsigned i;

	if (e->nfinished == 0 && e->npending > 0 &&
	    rng_once_in(e->w->rng, 3))
		whim_kick(e);
	if (e->nfinished == 0)
		return NULL;
	i = rng_below(e->w->rng, e->nfinished);
	op = e->finished[i];
	e->finished[i] = e->finished[--e->nfinished];
	return op;
}

static int
whim_wait_fd(struct engine *e)
{
	(void)e;
	return -1;
}

static void
whim_free(struct engine *e)
{
	engine_sync.free(e->inner);
	free(e);
}

static const struct engine_ops whim = {
	.name = "whim", .submit = whim_submit, .kick = whim_kick,
	.reap = whim_reap, .wait_fd = whim_wait_fd, .free = whim_free,
};

void
world_engine_install(struct world *w)
{
	const struct engine_setup setup = {
		.backing = w->disk.backing, .depth = 1,
	};
	struct engine *e = calloc(1, sizeof(*e));

	if (e == NULL || (e->inner = engine_sync.make(&setup)) == NULL)
		world_fail(w, "no memory");
	e->w = w;
	w->serve.ops->free(w->serve.engine);
	w->serve.ops = &whim;
	w->serve.engine = e;
}
