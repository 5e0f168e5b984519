/* SPDX-License-Identifier: ISC */
/*
 * The vm process, seen by the monitor: one child from MACHINE to EXIT.  It
 * is not respawned: the guest lives in it.
 */
#ifndef VMMD_MACHINE_H
#define VMMD_MACHINE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"
#include "vmmd/exitcode.h"

struct children;
struct conf_vm;
struct disk;
struct event_base;
struct machine;

/* What a machine is made of; outlives it.  Descriptors stay the caller's. */
struct machine_host {
	struct event_base *base;
	struct children	*children;
	const char	*vmmd;		/* path of this program */
	const struct conf_vm *conf;
	uid_t		 uid;		/* for its sandbox; 0: any of its own */
	gid_t		 gid;
	bool		 strict;
	int		 kvm_fd;
	int		 gmem_fd;
	int		 kernel_fd;
	int		 initrd_fd;	/* -1: none */
	int		 serial_in;
	int		 serial_out;

	void		*ctx;
	/* It can run. */
	void		(*ready)(void *ctx);
	/* The guest has ended, or the process has failed, as was logged. */
	void		(*ended)(void *ctx, enum exitcode_reason,
			    uint32_t detail);
	/* A register access of a disk is not answered. */
	void		(*stuck)(void *ctx, unsigned disk);
	/* An operator asks: machine_answer; or is gone. */
	void		(*asked)(void *ctx, const struct proto_vm_ask *,
			    uint32_t sequence);
	void		(*client_gone)(void *ctx, uint32_t client);
	/* The process is reaped; `ended` was called before. */
	void		(*gone)(void *ctx);
};

/* Start the process and tell it everything.  NULL: logged. */
struct machine	*machine_start(const struct machine_host *,
		    struct disk *const disks[], size_t ndisks);
void		 machine_free(struct machine *);	/* NULL is fine */

/* A line for the log, once it is ready. */
void		 machine_log_sandbox(const struct machine *);

void		 machine_run(struct machine *);
/* End the guest; then, bounded, the process. */
void		 machine_stop(struct machine *);
/* The newest MMIO channel of a disk that was replaced. */
void		 machine_replace_channel(struct machine *, struct disk *);
/* An operator has connected; the descriptor stays the caller's. */
void		 machine_send_client(struct machine *, uint32_t client,
		    int fd);
void		 machine_answer(struct machine *, uint32_t sequence,
		    struct proto_vm_answer *);
/* Fill in what is known here. */
void		 machine_status(const struct machine *,
		    struct proto_machine_status *);
bool		 machine_is_gone(const struct machine *);

#endif /* VMMD_MACHINE_H */
