/* SPDX-License-Identifier: ISC */
/* What /proc says of a process.  Runs in the scale benchmark. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/scale/procmem.h"

int
procmem_read(pid_t pid, struct procmem *m)
{
	unsigned long long kib;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	if ((f = fopen(path, "re")) == NULL)
		return -1;
	*m = (struct procmem) { .pss_kib = 0 };
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Private_Clean: %llu", &kib) == 1 ||
		    sscanf(line, "Private_Dirty: %llu", &kib) == 1)
			m->private_kib += kib;
		else if (sscanf(line, "Pss: %llu", &kib) == 1)
			m->pss_kib = kib;
	}
	fclose(f);
	return 0;
}

/* Both kinds: who is pushed off a core has been on it. */
static uint64_t
switches_of(pid_t pid, const char *task)
{
	unsigned long long n;
	uint64_t sum = 0;
	char path[320], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, task);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

uint64_t
procmem_switches(pid_t pid)
{
	struct dirent *d;
	uint64_t sum = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	if ((dir = opendir(path)) == NULL)
		return UINT64_MAX;
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			sum += switches_of(pid, d->d_name);
	closedir(dir);
	return sum;
}
