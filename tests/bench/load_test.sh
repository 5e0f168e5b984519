# SPDX-License-Identifier: ISC
#
# The load generator against real disks for a moment, with the data checked:
# so that the benchmark cannot rot, nor measure what is wrong.  No figure is
# asserted.

load=$VMMD_BUILDDIR/tests/bench/load/load
blkd=$VMMD_BUILDDIR/blkd/blkd

# check ARGUMENT...: a run in which everything was right, and something was.
check()
{
	atf_check -o save:out "$load" -t 0.1 -u 0.05 -c -1,-1 "$@"
	cat out
	atf_check -o match:'failed 0, corrupt sectors 0, right sectors [1-9]' \
	    cat out
}

# over DOOR-ARGUMENT... -- COMMAND...: all that the generator can ask for.
over()
{
	for asked in "-q 1 -p mixed" "-q 32 -p mixed -w" "-q 8 -p read -B 64k" \
	    "-q 256 -p write -w -o" "-q 2 -p flush" "-q 3 -B 512 -p mixed"; do
		check -v $asked "$@"
	done
}

atf_test_case mmio__data_is_right
mmio__data_is_right_body()
{
	truncate -s 8M image
	over -d mmio -b "$blkd" -f image
}

atf_test_case mmio__data_is_right_with_uring
mmio__data_is_right_with_uring_body()
{
	truncate -s 8M image
	"$load" -d mmio -b "$blkd" -f image -t 0.01 -E uring ||
	    atf_skip "no io_uring here"
	over -d mmio -b "$blkd" -f image -E uring
}

atf_test_case vhost__data_is_right
vhost__data_is_right_body()
{
	truncate -s 8M image
	over -I -d vhost -s socket -- "$blkd" -s socket -q 1024 -f image
}

# Its driver follows the protocol as others understand it.
atf_test_case vhost__data_is_right_elsewhere
vhost__data_is_right_elsewhere_body()
{
	command -v qemu-storage-daemon >/dev/null ||
	    atf_skip "qemu-storage-daemon is missing"
	truncate -s 8M image
	over -d vhost -s socket -- qemu-storage-daemon \
	    --blockdev file,node-name=f,filename=image \
	    --export type=vhost-user-blk,id=e,node-name=f,writable=on,addr.type=unix,addr.path=socket
}

# A disk that answers with errors is no figure, whatever its speed.
atf_test_case vhost__failures_are_told
vhost__failures_are_told_body()
{
	command -v qemu-storage-daemon >/dev/null ||
	    atf_skip "qemu-storage-daemon is missing"
	truncate -s 8M image
	atf_check -s exit:1 -o match:'failed [1-9]' \
	    "$load" -d vhost -s socket -t 0.1 -p write -q 4 -- \
	    qemu-storage-daemon --blockdev file,node-name=f,filename=image \
	    --export type=vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=socket
}

atf_test_case limits__run
limits__run_body()
{
	truncate -s 8M image
	for limit in loop mmap event "event -w"; do
		atf_check -o match:'kIOPS' "$load" -d $limit -f image \
		    -t 0.05 -u 0.01 -p mixed
	done
}

atf_test_case json__is_whole
json__is_whole_body()
{
	truncate -s 8M image
	atf_check -o save:out "$load" -d mmio -b "$blkd" -f image -t 0.05 -j
	for key in iops p50_us p99_us p999_us max_us our_cpu_us their_cpu_us \
	    kicks_per_request irqs_per_request failed corrupt; do
		atf_check -o match:"\"$key\":[0-9]" cat out
	done
}

atf_init_test_cases()
{
	atf_add_test_case mmio__data_is_right
		atf_add_test_case mmio__data_is_right_with_uring
	atf_add_test_case vhost__data_is_right
	atf_add_test_case vhost__data_is_right_elsewhere
	atf_add_test_case vhost__failures_are_told
	atf_add_test_case limits__run
	atf_add_test_case json__is_whole
}
