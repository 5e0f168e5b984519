/* SPDX-License-Identifier: ISC */
/* What a figure was measured on.  Runs in peers; reads /proc. */
#include <sys/utsname.h>

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/peers/machine.h"

/* The value of the first line that begins with the key, in a /proc file. */
static void
look_up(const char *path, const char *key, char *value, size_t size)
{
	char line[512], *colon;
	FILE *f = fopen(path, "re");

	snprintf(value, size, "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		colon = strchr(line, ':');
		if (colon == NULL || strncmp(line, key, strlen(key)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		colon += 1 + strspn(colon + 1, " \t");
		snprintf(value, size, "%s", colon);
		break;
	}
	if (f != NULL)
		fclose(f);
}

json_t *
machine_describe(void)
{
	char cpu[128], memory[64], mhz[128];
	struct utsname u;
	json_t *j;

	look_up("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	look_up("/proc/meminfo", "MemTotal", memory, sizeof(memory));
	look_up("/proc/cpuinfo", "cpu MHz", mhz, sizeof(mhz));
	if (uname(&u) == -1)
		err(1, "uname");
	j = json_pack("{ss ss ss si ss ss}", "kernel", u.release, "cpu", cpu,
	    "mhz", mhz, "cores", (int)sysconf(_SC_NPROCESSORS_ONLN),
	    "memory", memory, "placement",
	    "driver on core 0, back-end and limits on core 1; kernel workers"
	    " of io_uring go where the kernel puts them");
	if (j == NULL)
		errx(1, "no memory");
	return j;
}
