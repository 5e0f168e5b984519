/* SPDX-License-Identifier: ISC */
/*
 * A real blkd behind vhost-user with a test in the place of its front-end and
 * of the guest's driver.  Tests only.
 *
 * What fails in here ends the test case (ATF_REQUIRE); each wait is bounded.
 */
#ifndef BLKD_VHOST_HARNESS_H
#define BLKD_VHOST_HARNESS_H

#include <sys/types.h>

#include <atf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "blkd/ring_harness.h"
#include "blkd/vhost_conn.h"
#include "blkd/vhost_wire.h"

#define HARNESS_SOCKET		"socket"
#define HARNESS_LOG		"log"
#define HARNESS_ADDRESS		UINT64_C(0x7f0000000000)	/* of gpa 0 */
#define HARNESS_NUM		128
#define HARNESS_FEATURES	(RING_FEATURES | \
	RING_FEATURE(VHOST_F_PROTOCOL_FEATURES))

struct vhost_harness {
	struct ring_harness	 ring;
	pid_t			 pid;		/* 0: none */
	const char		*program;	/* NULL: blkd/blkd */
	int			 listenfd;	/* -1: blkd makes its socket */
	bool			 activated;	/* listenfd: not by --fd */
	bool			 no_socket;	/* not a word about it */
	struct vhost_conn	 conn;
	int			 errfd;
	int			 inflightfd;	/* -1: none */
	struct vhost_inflight	 inflight;
};

/* Memory, a ring, a backing; no process. */
void	harness_make(struct vhost_harness *);
void	harness_free(struct vhost_harness *);

/*
 * Keep the listening socket, as systemd does, and give it to each blkd: by
 * socket activation, or with --fd.
 */
void	harness_listen(struct vhost_harness *, bool activated);

/* In a child: become a blkd. */
void	harness_exec(const struct vhost_harness *, const char *const *more)
	    __attribute__((__noreturn__));
/* Start a blkd with more arguments, which end with NULL; it listens. */
void	harness_spawn(struct vhost_harness *, const char *const *more);
/* Wait for its end; returns waitpid's status. */
int	harness_wait(struct vhost_harness *);
/* It was killed: what it leaves behind is taken away. */
void	harness_killed(struct vhost_harness *);
/* SIGKILL, and wait. */
void	harness_kill(struct vhost_harness *);
/* Is this in what it has logged? */
bool	harness_has_said(const char *);
/* Wait until it is. */
void	harness_wait_said(const char *);

void	harness_connect(struct vhost_harness *);
void	harness_disconnect(struct vhost_harness *);

/* Send a message; need: with NEED_REPLY. */
void	harness_send(struct vhost_harness *, uint32_t request,
	    const void *payload, uint32_t bytes, const int *fds, size_t nfds);
void	harness_send_need(struct vhost_harness *, uint32_t request,
	    const void *payload, uint32_t bytes, const int *fds, size_t nfds);
/* Raw bytes, with descriptors. */
void	harness_send_raw(struct vhost_harness *, const void *, size_t,
	    const int *fds, size_t nfds);
/* Wait for a reply to this message, in conn.msg. */
void	harness_reply(struct vhost_harness *, uint32_t request);
uint64_t harness_ask_u64(struct vhost_harness *, uint32_t request);
void	harness_tell_u64(struct vhost_harness *, uint32_t request, uint64_t);
void	harness_tell_state(struct vhost_harness *, uint32_t request,
	    uint32_t index, uint32_t num);
/* Wait until all that was sent is dealt with. */
void	harness_sync(struct vhost_harness *);
/* Wait until blkd has closed the connection. */
void	harness_expect_closed(struct vhost_harness *);
/* It has, the log says why, and the next connection, made here, is served. */
void	harness_expect_refused(struct vhost_harness *, const char *why);

/* The steps of a start, and all of them. */
void	harness_negotiate(struct vhost_harness *, uint64_t features,
	    uint64_t protocol);
void	harness_region(struct vhost_harness *, struct vhost_mem_region *);
void	harness_memory(struct vhost_harness *);
void	harness_ring(struct vhost_harness *, unsigned index, uint16_t base);
void	harness_get_inflight(struct vhost_harness *);
void	harness_set_inflight(struct vhost_harness *);
void	harness_go_live(struct vhost_harness *);
/* GET_VRING_BASE of ring 0. */
uint16_t harness_base(struct vhost_harness *);

/* A block to this sector through ring 0, and back; the file has it. */
void	harness_write_and_read(struct vhost_harness *, unsigned sector);

#endif /* BLKD_VHOST_HARNESS_H */
