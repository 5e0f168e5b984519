# SPDX-License-Identifier: ISC
#
# Tests: blkd killed at random instants under full load.  What is asserted is
# that nothing is lost, repeated or corrupt; the outage is only printed, for
# this machine may be busy.

torture=$VMMD_BUILDDIR/tests/torture/torture
blkd=$VMMD_BUILDDIR/blkd/blkd

atf_test_case kill__at_random_instants
kill__at_random_instants_body()
{
	atf_check -o save:out -e save:err \
	    "$torture" -k 500 -s 120 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
}

# Nothing is lost in a stop either, and no request is run twice for it.
atf_test_case upgrade__under_load
upgrade__under_load_body()
{
	atf_check -o save:out -e save:err \
	    "$torture" -U -k 30 -s 60 "$blkd" image
	cat out
	atf_check -o match:'replayed 0, lost 0, duplicated 0, corrupt 0' \
	    cat out
}

# Each read and write takes its time in another process, and cannot be called
# back once it is there.  One queue of the sync engine has one of them at a
# time: two at once, and one is of a blkd that is dead.
atf_test_case stale__slow_device cleanup
stale__slow_device_body()
{
	for program in nbdkit nbdfuse fusermount3; do
		command -v $program >/dev/null || atf_skip "$program is missing"
	done
	test -w /dev/fuse || atf_skip "/dev/fuse is refused"
	truncate -s 4M backing
	: >image
	nbdkit -U "$PWD/s.sock" -P nbdkit.pid --filter=log --filter=delay \
	    file backing logfile="$PWD/nbd.log" \
	    wdelay=20ms rdelay=20ms || atf_skip "nbdkit does not start"
	nbdfuse -P nbdfuse.pid -o allow_other image --unix s.sock 2>err &
	n=0
	until test -s nbdfuse.pid; do
		n=$((n + 1))
		test $n -lt 100 || atf_skip "nbdfuse: $(cat err)"
		sleep 0.05
	done
	atf_check -o save:out -e save:err \
	    "$torture" -de -k 30 -s 60 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
	grep -q "kills 0," out && atf_fail "nothing was killed"
	# What is longer is the kernel, reading ahead for the last check.
	awk '{ id = $0; sub(/.* id=/, "", id); sub(/ .*/, "", id) }
	    / (Read|Write) id=.* count=0x(...|1000) / {
		if (++n > max) max = n; all++; is[id] = 1 }
	    / \.\.\.(Read|Write) id=/ { if (is[id]) n--; delete is[id] }
	    END { print all " requests, at once " max }' nbd.log >counted
	cat counted
	atf_check -o match:'at once 1$' cat counted
}
stale__slow_device_cleanup()
{
	fusermount3 -u image || true
	for f in nbdfuse.pid nbdkit.pid; do
		test ! -s $f || kill "$(cat $f)" || true
	done
}

atf_init_test_cases()
{
	atf_add_test_case upgrade__under_load
	atf_add_test_case stale__slow_device
	atf_add_test_case kill__at_random_instants
}
