/* SPDX-License-Identifier: ISC */
/* The vm's part of the torture: registers.  Tests only. */
#ifndef TORTURE_REGISTERS_H
#define TORTURE_REGISTERS_H

#include <stdbool.h>

/* Has the device another status than a live driver's?  No: or it is dead. */
bool	registers_lost_status(int channel);

/* As a driver does, with the one queue. */
void	registers_go_live(int channel, unsigned queues);

#endif /* TORTURE_REGISTERS_H */
