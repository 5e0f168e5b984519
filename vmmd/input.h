/* SPDX-License-Identifier: ISC */
/*
 * What a machine is made of besides its disks: kernel, initrd, memory,
 * /dev/kvm.
 */
#ifndef VMMD_INPUT_H
#define VMMD_INPUT_H

#include "vmmd/exitcode.h"

struct conf_vm;

struct input {
	int	kvm_fd;
	int	gmem_fd;
	int	kernel_fd;
	int	initrd_fd;	/* -1: none */
};

void	input_init(struct input *);
/*
 * Open all of it; also see that the disk process can be executed.  What is
 * wrong is logged as one sentence, and its reason returned.
 */
enum exitcode_reason	input_open(struct input *, const struct conf_vm *,
			    const char *blkd);
void	input_close(struct input *);

#endif /* VMMD_INPUT_H */
