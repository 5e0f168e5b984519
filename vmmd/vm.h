/* SPDX-License-Identifier: ISC */
/*
 * The vm process, "vmmd: vm": one virtual machine under KVM.
 */
#ifndef VMMD_VM_H
#define VMMD_VM_H

#include <sys/types.h>

/*
 * Be the vm process: called by main.c in a process that was started for it,
 * with log_open done and one thread.  `channel` is the vm's end of the
 * machine channel (proto.h, 4xx down, 5xx up), which becomes ours.  Shuts
 * itself in before it reads the first message, with these ids (as
 * sandbox_policy has them: 0 is any of its own).
 *
 * Returns the exit code of the process: 0 after VM_EXIT was sent; else not 0,
 * with the reason in VM_FAIL or, where the channel is gone, in the log.
 */
int	vm_main(int channel, uid_t uid, gid_t gid);

#endif /* VMMD_VM_H */
