/* SPDX-License-Identifier: ISC */
/* proto/table: every fact holds, and no packet is beyond proto_check. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <atf-c.h>

#include "proto/chan.h"
#include "proto/proto.h"
#include "proto/table.h"

/* A valid packet of each type, to be spoilt one way at a time. */
static size_t
make_valid(const struct proto_fact *fact, struct msg *m)
{
	memset(m, 0, sizeof(*m));
	chan_header(&m->hdr, (enum proto_type)fact->type, 7);
	switch (fact->type) {
	case PROTO_BLK_ATTACH:
		strcpy(m->attach.m_name, "vda");
		m->attach.m_memory = 1 << 20;
		m->attach.m_queues = 1;
		m->attach.m_queue_size = 256;
		m->attach.m_block_size = 512;
		return PROTO_ATTACH_KICK + 1;
	case PROTO_BLK_FAIL:
	case PROTO_VM_FAIL:
		m->fail.m_errno = EIO;
		return 0;
	case PROTO_BLK_REPLACE:
		m->replace.m_reason = PROTO_REPLACE_RESET;
		return 0;
	case PROTO_BLK_FAULT:
		m->fault.m_fault = (struct proto_fault) {
			.m_id = 1, .m_action = PROTO_FAULT_KILL,
			.m_ops = PROTO_FAULT_OPS, .m_every = 1,
			.m_ppm = PROTO_FAULT_PPM,
		};
		return 0;
	case PROTO_BLK_FAULTS:
		return 1;
	case PROTO_MMIO_READ:
		m->mmio_read.m_size = 4;
		return 0;
	case PROTO_MMIO_WRITE:
		m->mmio_write.m_size = 4;
		return 0;
	case PROTO_VM_MACHINE:
		strcpy(m->machine.m_name, "demo");
		m->machine.m_memory = 2 << 20;
		m->machine.m_vcpus = 1;
		return PROTO_MACHINE_INITRD_FD;
	case PROTO_VM_DISK:
		m->vm_disk.m_queues = 2;
		m->vm_disk.m_queue_size = 64;
		strcpy(m->vm_disk.m_name, "vda");
		return PROTO_VM_DISK_KICK + 2;
	case PROTO_VM_EXIT:
		m->vm_exit.m_reason = PROTO_EXIT_POWEROFF;
		return 0;
	case PROTO_VM_CLIENT:
		return 1;
	case PROTO_VM_ASK:
		m->ask.m_verb = PROTO_VERB_DISK;
		return 0;
	default:
		return 0;
	}
}

ATF_TC_WITHOUT_HEAD(table__valid_packets_are_accepted);
ATF_TC_BODY(table__valid_packets_are_accepted, tc)
{
	const struct proto_fact *fact;
	struct msg m;
	size_t i, nfds;

	for (i = 0; (fact = proto_fact_at(i)) != NULL; i++) {
		nfds = make_valid(fact, &m);
		ATF_CHECK_EQ_MSG(PROTO_OK,
		    proto_check(m.bytes, fact->size, nfds), "%s", fact->name);
	}
	ATF_CHECK(i >= 28);
}

ATF_TC_WITHOUT_HEAD(table__types_are_unique_and_sorted);
ATF_TC_BODY(table__types_are_unique_and_sorted, tc)
{
	const struct proto_fact *fact;
	unsigned last = 0;
	size_t i;

	for (i = 0; (fact = proto_fact_at(i)) != NULL; i++) {
		ATF_CHECK_MSG(fact->type > last, "%s", fact->name);
		ATF_CHECK(fact->size >= sizeof(struct proto_header));
		ATF_CHECK(fact->size <= PROTO_PACKET_MAX);
		ATF_CHECK(fact->fds_min <= fact->fds_max);
		ATF_CHECK(fact->fds_max <= PROTO_FDS_MAX);
		ATF_CHECK_EQ(fact, proto_fact(fact->type));
		last = fact->type;
	}
}

ATF_TC_WITHOUT_HEAD(table__header_errors_are_distinct);
ATF_TC_BODY(table__header_errors_are_distinct, tc)
{
	const struct proto_fact *fact;
	struct msg m;
	size_t i, n;

	for (i = 0; (fact = proto_fact_at(i)) != NULL; i++) {
		n = make_valid(fact, &m);
		ATF_CHECK_EQ(PROTO_E_SHORT,
		    proto_check(m.bytes, sizeof(m.hdr) - 1, n));
		ATF_CHECK_EQ(PROTO_E_LENGTH,
		    proto_check(m.bytes, fact->size + 1u, n));
		ATF_CHECK_EQ(PROTO_E_FDS,
		    proto_check(m.bytes, fact->size, fact->fds_max + 1u));
		if (fact->fds_min > 0)
			ATF_CHECK_EQ(PROTO_E_FDS, proto_check(m.bytes,
			    fact->size, fact->fds_min - 1u));
		m.hdr.m_length++;
		ATF_CHECK_EQ(PROTO_E_LENGTH,
		    proto_check(m.bytes, fact->size, n));
		m.hdr.m_length--;
		m.hdr.m_version++;
		ATF_CHECK_EQ(PROTO_E_VERSION,
		    proto_check(m.bytes, fact->size, n));
		m.hdr.m_version--;
		m.hdr.m_magic ^= 1;
		ATF_CHECK_EQ(PROTO_E_MAGIC,
		    proto_check(m.bytes, fact->size, n));
		m.hdr.m_magic ^= 1;
		m.hdr.m_type = 99;
		ATF_CHECK_EQ(PROTO_E_TYPE,
		    proto_check(m.bytes, fact->size, n));
	}
}

/* One spoilt field of an otherwise valid packet. */
#define SPOIL(t, field, v) do {						\
	size_t nfds_ = make_valid(proto_fact(PROTO_##t), &m);		\
	m.field = (v);							\
	ATF_CHECK_EQ_MSG(PROTO_E_VALUE, proto_check(m.bytes,		\
	    proto_fact(PROTO_##t)->size, nfds_), "%s %s=%s", #t, #field, #v); \
} while (0)

ATF_TC_WITHOUT_HEAD(table__values_out_of_range_are_refused);
ATF_TC_BODY(table__values_out_of_range_are_refused, tc)
{
	struct msg m;

	SPOIL(BLK_ATTACH, attach.m_name[0], '\0');
	SPOIL(BLK_ATTACH, attach.m_flags, 1u << 31);
	SPOIL(BLK_ATTACH, attach.m_flags, PROTO_DISK_GROUP);
	SPOIL(BLK_ATTACH, attach.m_group.m_ops_burst, 1);
	SPOIL(BLK_ATTACH, attach.m_group_slot, PROTO_GROUP_SLOTS);
	SPOIL(BLK_ATTACH, attach.m_memory, 0);
	SPOIL(BLK_ATTACH, attach.m_queues, 0);
	SPOIL(BLK_ATTACH, attach.m_queues, 2);	/* one kick came */
	SPOIL(BLK_ATTACH, attach.m_queues, UINT32_MAX);
	SPOIL(BLK_ATTACH, attach.m_queue_size, 0);
	SPOIL(BLK_ATTACH, attach.m_queue_size, 100);
	SPOIL(BLK_ATTACH, attach.m_queue_size, 2048);
	SPOIL(BLK_ATTACH, attach.m_block_size, 1024);
	SPOIL(BLK_ATTACH, attach.m_cpu[7], PROTO_CPUS_MAX + 1);
	SPOIL(BLK_ATTACH, attach.m_poll_us, PROTO_POLL_US_MAX + 1);
	SPOIL(BLK_ATTACH, attach.m_threads, PROTO_THREADS_MAX + 1);
	SPOIL(BLK_ATTACH, attach.m_slow_us, PROTO_SLOW_US_MAX + 1);
	SPOIL(BLK_ATTACH, attach.m_engine, PROTO_ENGINE_LAST + 1);
	SPOIL(BLK_READY, ready.m_engine, PROTO_ENGINE_AUTO);
	SPOIL(BLK_READY, ready.m_engine, PROTO_ENGINE_LAST + 1);
	SPOIL(BLK_READY, ready.m_reserved, 1);
	SPOIL(BLK_ATTACH, attach.m_limits.m_ops_rate, UINT64_MAX);
	SPOIL(BLK_ATTACH, attach.m_limits.m_bytes_rate, PROTO_LIMIT_MAX + 1);
	SPOIL(BLK_LIMITS, limits.m_limits.m_ops_rate, PROTO_LIMIT_MAX + 1);
	SPOIL(BLK_ATTACH, attach.m_limits.m_bytes_burst, 1);
	SPOIL(BLK_LIMITS, limits.m_limits.m_ops_burst, 1);
	SPOIL(BLK_TAKE_OVER, take_over.m_flags, PROTO_DISK_STANDBY);
	SPOIL(BLK_TAKE_OVER, take_over.m_limits.m_ops_burst, 1);
	SPOIL(BLK_LIMITS, limits.m_group.m_ops_burst, 1);
	SPOIL(BLK_LIMITS, limits.m_group_slot, PROTO_GROUP_SLOTS);
	SPOIL(BLK_LIMITS, limits.m_limits.m_bytes_rate, UINT64_MAX);
	SPOIL(BLK_FAULT, fault.m_fault.m_id, 0);
	SPOIL(BLK_FAULT, fault.m_fault.m_action, 0);
	SPOIL(BLK_FAULT, fault.m_fault.m_action, PROTO_FAULT_LAST + 1);
	SPOIL(BLK_FAULT, fault.m_fault.m_action, PROTO_FAULT_TORN);
	SPOIL(BLK_FAULT, fault.m_fault.m_action, PROTO_FAULT_DELAY);
	SPOIL(BLK_FAULT, fault.m_fault.m_ops, 0);
	SPOIL(BLK_FAULT, fault.m_fault.m_ops, PROTO_FAULT_OPS + 1);
	SPOIL(BLK_FAULT, fault.m_fault.m_after, 2);
	SPOIL(BLK_FAULT, fault.m_fault.m_first, 1);	/* past the last */
	SPOIL(BLK_FAULT, fault.m_fault.m_every, 0);
	SPOIL(BLK_FAULT, fault.m_fault.m_skip, UINT64_MAX);
	SPOIL(BLK_FAULT, fault.m_fault.m_count, UINT64_MAX);
	SPOIL(BLK_FAULT, fault.m_fault.m_delay_ns, 1);
	SPOIL(BLK_FAULT, fault.m_fault.m_ppm, 0);
	SPOIL(BLK_FAULT, fault.m_fault.m_ppm, PROTO_FAULT_PPM + 1);
	SPOIL(BLK_FAULT, fault.m_fault.m_reserved, 1);
	SPOIL(BLK_FAULTED, faulted.m_errno, -1);
	SPOIL(BLK_FAULTED, faulted.m_reserved, 1);
	SPOIL(BLK_FAULTED, faulted.m_row[7].m_fault.m_id, 1);
	SPOIL(BLK_READY, ready.m_layers, 1u << 31);
	SPOIL(BLK_FAIL, fail.m_errno, 0);
	SPOIL(BLK_FAIL, fail.m_errno, -1);
	SPOIL(BLK_REPLACE, replace.m_reason, 0);
	SPOIL(BLK_REPLACE, replace.m_reason, PROTO_REPLACE_LAST + 1);
	SPOIL(MMIO_READ, mmio_read.m_size, 0);
	SPOIL(MMIO_READ, mmio_read.m_size, 3);
	SPOIL(MMIO_READ, mmio_read.m_size, 16);
	SPOIL(MMIO_READ, mmio_read.m_offset, 4096);
	SPOIL(MMIO_READ, mmio_read.m_offset, 4093);
	SPOIL(MMIO_READ, mmio_read.m_offset, UINT32_MAX);
	SPOIL(MMIO_WRITE, mmio_write.m_size, 5);
	SPOIL(MMIO_WRITE, mmio_write.m_offset, 4095);
	SPOIL(MMIO_NOTIFY, notify.m_queue, PROTO_QUEUES_MAX);
	SPOIL(VM_MACHINE, machine.m_name[0], '\0');
	SPOIL(VM_MACHINE, machine.m_memory, 0);
	SPOIL(VM_MACHINE, machine.m_memory, 4096);
	SPOIL(VM_MACHINE, machine.m_vcpus, 0);
	SPOIL(VM_MACHINE, machine.m_vcpus, PROTO_VCPUS_MAX + 1);
	SPOIL(VM_MACHINE, machine.m_disks, PROTO_DISKS_MAX + 1);
	SPOIL(VM_MACHINE, machine.m_flags, PROTO_MACHINE_INITRD);
	SPOIL(VM_MACHINE, machine.m_flags, 1u << 31);
	SPOIL(VM_MACHINE, machine.m_reserved, 1);
	SPOIL(VM_DISK, vm_disk.m_index, PROTO_DISKS_MAX);
	SPOIL(VM_DISK, vm_disk.m_queues, 1);
	SPOIL(VM_DISK, vm_disk.m_flags, PROTO_VM_DISK_SUCCESSOR);
	SPOIL(VM_DISK, vm_disk.m_flags, 1u << 31);
	SPOIL(VM_READY, vm_ready.m_layers, 1u << 31);
	SPOIL(VM_EXIT, vm_exit.m_reason, 0);
	SPOIL(VM_EXIT, vm_exit.m_reason, PROTO_EXIT_LAST + 1);
	SPOIL(VM_STUCK, stuck.m_index, PROTO_DISKS_MAX);
	SPOIL(VM_DISK, vm_disk.m_queue_size, 100);
	SPOIL(VM_DISK, vm_disk.m_queue_size, 2048);
	SPOIL(VM_DISK, vm_disk.m_name[0], '\0');
	SPOIL(VM_CLIENT, client.m_client, PROTO_CLIENTS_MAX);
	SPOIL(VM_CLIENT, client.m_reserved, 1);
	SPOIL(VM_CLIENT_GONE, client_gone.m_client, PROTO_CLIENTS_MAX);
	SPOIL(VM_ASK, ask.m_client, PROTO_CLIENTS_MAX);
	SPOIL(VM_ASK, ask.m_verb, 0);
	SPOIL(VM_ASK, ask.m_verb, PROTO_VERB_LAST + 1);
	SPOIL(VM_ASK, ask.m_disk, PROTO_DISKS_MAX);
	SPOIL(VM_ASK, ask.m_set, PROTO_LIMIT_BITS + 1);
	SPOIL(VM_ANSWER, answer.m_client, PROTO_CLIENTS_MAX);
	SPOIL(VM_ANSWER, answer.m_errno, -1);
	SPOIL(VM_ANSWER, answer.m_disk.m_layers, 1u << 31);
	SPOIL(VM_ANSWER, answer.m_disk.m_paused, 2);
	SPOIL(VM_ANSWER, answer.m_machine.m_layers, 1u << 31);
	SPOIL(VM_ANSWER, answer.m_row[0].m_fault.m_id, 1);
}

ATF_TC_WITHOUT_HEAD(table__unterminated_strings_are_refused);
ATF_TC_BODY(table__unterminated_strings_are_refused, tc)
{
	static const struct {
		uint16_t	type;
		size_t		offset;
		size_t		size;
	} strings[] = {
		{ PROTO_BLK_ATTACH, offsetof(struct proto_blk_attach, m_name),
		    PROTO_NAME_MAX },
		{ PROTO_BLK_FAIL, offsetof(struct proto_fail, m_text),
		    PROTO_TEXT_MAX },
		{ PROTO_VM_MACHINE, offsetof(struct proto_vm_machine, m_name),
		    PROTO_NAME_MAX },
		{ PROTO_VM_MACHINE,
		    offsetof(struct proto_vm_machine, m_cmdline),
		    PROTO_CMDLINE_MAX },
		{ PROTO_VM_EXIT, offsetof(struct proto_vm_exit, m_text),
		    PROTO_TEXT_MAX },
		{ PROTO_VM_DISK, offsetof(struct proto_vm_disk, m_name),
		    PROTO_NAME_MAX },
		{ PROTO_VM_ANSWER, offsetof(struct proto_vm_answer, m_text),
		    PROTO_TEXT_MAX },
		{ PROTO_VM_ANSWER,
		    offsetof(struct proto_vm_answer, m_disk.m_state),
		    PROTO_WORD_MAX },
		{ PROTO_VM_ANSWER,
		    offsetof(struct proto_vm_answer, m_machine.m_name),
		    PROTO_NAME_MAX },
		{ PROTO_VM_ANSWER,
		    offsetof(struct proto_vm_answer, m_machine.m_serial),
		    PROTO_WORD_MAX },
		{ PROTO_VM_ANSWER,
		    offsetof(struct proto_vm_answer, m_machine.m_terminal),
		    PROTO_TTY_MAX },
	};
	struct msg m;
	size_t i, n;

	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		n = make_valid(proto_fact(strings[i].type), &m);
		memset(m.bytes + strings[i].offset, 'x', strings[i].size);
		ATF_CHECK_EQ_MSG(PROTO_E_VALUE, proto_check(m.bytes,
		    proto_fact(strings[i].type)->size, n), "%zu", i);
	}
}

ATF_TC_WITHOUT_HEAD(table__every_error_has_a_sentence);
ATF_TC_BODY(table__every_error_has_a_sentence, tc)
{
	int i, j;

	for (i = 0; i < PROTO_E_COUNT; i++) {
		ATF_REQUIRE(proto_error(i) != NULL);
		for (j = 0; j < i; j++)
			ATF_CHECK(strcmp(proto_error(i), proto_error(j)) != 0);
	}
	ATF_CHECK_STREQ("unknown error", proto_error(PROTO_E_COUNT));
	ATF_CHECK_STREQ("unknown error", proto_error(-1));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, table__valid_packets_are_accepted);
	ATF_TP_ADD_TC(tp, table__types_are_unique_and_sorted);
	ATF_TP_ADD_TC(tp, table__header_errors_are_distinct);
	ATF_TP_ADD_TC(tp, table__values_out_of_range_are_refused);
	ATF_TP_ADD_TC(tp, table__unterminated_strings_are_refused);
	ATF_TP_ADD_TC(tp, table__every_error_has_a_sentence);
	return atf_no_error();
}
