/* SPDX-License-Identifier: ISC */
/* What a figure was measured on, without saying whose it is. */
#ifndef PEERS_MACHINE_H
#define PEERS_MACHINE_H

#include <jansson.h>

/* A new reference; exits where there is no memory. */
json_t	*machine_describe(void);

#endif /* PEERS_MACHINE_H */
