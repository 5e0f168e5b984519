/* SPDX-License-Identifier: ISC */
/*
 * Replies to operators.  Runs in the vm process; turns checked numbers into
 * JSON.  Numbers of the state page are cut to what JSON has here: 63 bits.
 */
#include <stdint.h>

#include "proto/table.h"
#include "shm/counters.h"
#include "util/sandbox.h"
#include "vmmd/reply.h"
#include "vmmd/request.h"

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)(n & INT64_MAX));
}

static json_t *
layers(uint32_t bits)
{
	json_t *list = json_array();
	uint32_t bit;

	for (bit = 1; bit <= PROTO_LAYERS; bit <<= 1) {
		if (bits & bit)
			json_array_append_new(list,
			    json_string(sandbox_layer_name(bit)));
	}
	return list;
}

static json_t *
limits(const struct proto_limits *l)
{
	const struct request_limit *limit;
	json_t *object = json_object();
	size_t i;

	for (i = 0; (limit = request_limit(i)) != NULL; i++)
		json_object_set_new(object, limit->name,
		    number(request_get_limit(l, limit)));
	return object;
}

json_t *
reply_machine(const struct proto_machine_status *m)
{
	json_t *o = json_pack("{s:s, s:i, s:i, s:i, s:o, s:s, s:o, s:o}",
	    "name", m->m_name, "monitor", m->m_monitor, "vm", m->m_vm,
	    "vcpus", (int)m->m_vcpus, "memory", number(m->m_memory),
	    "serial", m->m_serial, "layers", layers(m->m_layers),
	    "missing", layers(sandbox_missing(m->m_layers)));

	if (m->m_terminal[0] != '\0')
		json_object_set_new(o, "terminal",
		    json_string(m->m_terminal));
	return o;
}

json_t *
reply_disk(const char *name, const struct proto_disk_status *d)
{
	json_t *o = json_pack(
	    "{s:s, s:i, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "name", name, "pid", d->m_pid, "state", d->m_state,
	    "paused", (int)d->m_paused,
	    "engine", proto_engine_name(d->m_engine),
	    "respawns", number(d->m_deaths),
	    "hangs", number(d->m_hangs),
	    "attached", number(d->m_incarnation),
	    "capacity", number(d->m_capacity),
	    "layers", layers(d->m_layers),
	    "missing", layers(sandbox_missing(d->m_layers)),
	    "limits", limits(&d->m_limits));

	if (d->m_group_name[0] != '\0')
		json_object_set_new(o, "group", json_pack("{s:s, s:o}",
		    "name", d->m_group_name, "limits", limits(&d->m_group)));
	return o;
}

static json_t *
histograms(const struct stats *stats)
{
	json_t *object = json_object(), *list;
	unsigned i, j;

	for (i = 0; i < COUNTER_LATENCY_COUNT; i++) {
		list = json_array();
		for (j = 0; j < COUNTER_BUCKETS; j++)
			json_array_append_new(list,
			    number(stats->latency[i][j]));
		json_object_set_new(object,
		    stats_latency_name((enum counter_latency)i), list);
	}
	return object;
}

json_t *
reply_stats(const char *name, const struct stats *stats)
{
	json_t *counters = json_object();
	unsigned i;

	for (i = 0; i < COUNTER_COUNT; i++)
		json_object_set_new(counters,
		    counter_row((enum counter)i)->name,
		    number(stats->value[i]));
	return json_pack("{s:s, s:o, s:o}", "name", name,
	    "counters", counters, "latency_buckets", histograms(stats));
}

json_t *
reply_error(int error, const char *text)
{
	return json_pack("{s:b, s:i, s:s}", "ok", 0, "errno", error,
	    "error", text);
}
