/* SPDX-License-Identifier: ISC */
/* What is measured. */
#include <string.h>

#include "tests/bench/peers/cells.h"

const struct cells_row cells[] = {
	{ "tmpfs-read-1", "tmpfs, 4 KiB random read, depth 1, polling",
	    .depth = 1, .bytes = 4096, .aim = {
		{ CELLS_KIOPS, 550, NULL }, { CELLS_OF_SUBJECT, .65, "loop" },
		{ CELLS_OF_PEERS, 1, NULL } } },
	{ "tmpfs-write-1", "tmpfs, 4 KiB random write, depth 1, polling",
	    .write = true, .depth = 1, .bytes = 4096, .aim = {
		{ CELLS_KIOPS, 480, NULL }, { CELLS_OF_PEERS, 1, NULL } } },
	{ "tmpfs-read-32", "tmpfs, 4 KiB random read, depth 32, polling",
	    .depth = 32, .bytes = 4096, .aim = {
		{ CELLS_OF_SUBJECT, .95, "loop" }, { CELLS_OF_PEERS, 1, NULL },
		{ CELLS_CPU, 1.3, NULL },
		/* 1.1 of what SPDK made of it at best: 1015. */
		{ CELLS_KIOPS, 1117, NULL, .mmap = true } } },
	{ "tmpfs-write-32", "tmpfs, 4 KiB random write, depth 32, polling",
	    .write = true, .depth = 32, .bytes = 4096, .aim = {
		{ CELLS_OF_SUBJECT, .95, "loop" },
		{ CELLS_OF_PEERS, 1, NULL } } },
	{ "tmpfs-read-1-wait",
	    "tmpfs, 4 KiB random read, depth 1, waiting for interrupts",
	    .wait = true, .depth = 1, .bytes = 4096, .aim = {
		{ CELLS_KIOPS, 46, NULL }, { CELLS_OF_PEERS, 1, NULL } } },
	{ "tmpfs-read-32-wait",
	    "tmpfs, 4 KiB random read, depth 32, waiting for interrupts",
	    .wait = true, .depth = 32, .bytes = 4096, .aim = {
		{ CELLS_KIOPS, 600, NULL }, { CELLS_OF_PEERS, 1, NULL } } },
	{ "tmpfs-read-128k", "tmpfs, 128 KiB random read, depth 8, polling",
	    .depth = 8, .bytes = 128 << 10, .aim = {
		{ CELLS_OF_SUBJECT, .95, "loop" },
		{ CELLS_OF_PEERS, 1, NULL } } },
	{ "disk-read-32", "disk, 4 KiB random read, depth 32, polling",
	    .disk = true, .depth = 32, .bytes = 4096, .aim = {
		{ CELLS_OF_SUBJECT, 1, "fio" }, { CELLS_OF_PEERS, 1, NULL },
		{ CELLS_CPU, 3.4, NULL } } },
	{ "disk-write-32", "disk, 4 KiB random write, depth 32, polling",
	    .disk = true, .write = true, .depth = 32, .bytes = 4096, .aim = {
		{ CELLS_OF_SUBJECT, 1, "fio" },
		{ CELLS_OF_PEERS, 1, NULL } } },
	{ "disk-read-1", "disk, 4 KiB random read, depth 1, polling",
	    .disk = true, .depth = 1, .bytes = 4096, .aim = {
		{ CELLS_OF_SUBJECT, 1, "fio" },
		{ CELLS_OF_PEERS, 1, NULL } } },
};
const size_t cells_count = sizeof(cells) / sizeof(cells[0]);

const struct cells_row *
cells_find(const char *name)
{
	size_t i;

	for (i = 0; i < cells_count; i++)
		if (strcmp(cells[i].name, name) == 0)
			return &cells[i];
	return NULL;
}
