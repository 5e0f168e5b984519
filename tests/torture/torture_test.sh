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

# Several queues, each of which recovers on its own.
atf_test_case kill__several_queues
kill__several_queues_body()
{
	atf_check -o save:out -e save:err \
	    "$torture" -n 4 -k 100 -s 60 "$blkd" image
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

# Kills with many requests in flight, which finish in any order: on the page
# cache, which blkd gives to kernel threads, and past it.
uring_kills()
{
	atf_check -o save:out -e save:err \
	    "$torture" -E uring "$@" -k 200 -s 60 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
}

atf_test_case kill__uring_on_the_page_cache
kill__uring_on_the_page_cache_body()
{
	need_io_uring
	uring_kills
}

atf_test_case kill__uring_past_the_page_cache
kill__uring_past_the_page_cache_body()
{
	need_io_uring
	: >probe
	dd if=/dev/zero of=probe bs=4096 count=1 oflag=direct 2>/dev/null ||
	    atf_skip "no O_DIRECT here"
	uring_kills -d
}

# Kills without mercy: what is in flight in three deaths may fail, nothing
# else, and each of those is counted.
mercy()
{
	atf_check -o save:out -e save:err \
	    "$torture" -a 1000 "$@" -k 400 -s 60 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0' cat out
}

atf_test_case kill__again_and_again
kill__again_and_again_body()
{
	mercy -E sync
}

atf_test_case kill__again_and_again_uring
kill__again_and_again_uring_body()
{
	need_io_uring
	mercy -E uring
}

# A blkd that dies of each write to the first 4 KiB: those fail, and none of
# those that were in flight beside them.
atf_test_case poison__spares_its_neighbours
poison__spares_its_neighbours_body()
{
	poisoned=$VMMD_BUILDDIR/tests/torture/poisoned
	atf_check -o save:out -e save:err \
	    "$torture" -P -k 1 -s 5 "$poisoned" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
	atf_check -o not-match:'poisonous 0,' cat out
}

# Nor of those that were in flight in other queues.
atf_test_case poison__spares_other_queues
poison__spares_other_queues_body()
{
	poisoned=$VMMD_BUILDDIR/tests/torture/poisoned
	atf_check -o save:out -e save:err \
	    "$torture" -P -n 4 -k 1 -s 5 "$poisoned" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
	atf_check -o not-match:'poisonous 0,' cat out
}

need_io_uring()
{
	case $(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null) in
	2)	atf_skip "io_uring is switched off" ;;
	esac
}

# The same for the threads of sync, which are made to take everything.
atf_test_case kill__threads_on_the_page_cache
kill__threads_on_the_page_cache_body()
{
	atf_check -o save:out -e save:err \
	    "$torture" -E sync -T 8 -k 300 -s 60 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
}

# Copies that end at any instruction.
atf_test_case kill__mmap
kill__mmap_body()
{
	atf_check -o save:out -e save:err \
	    "$torture" -E mmap -k 300 -s 60 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
}

# A file each of whose reads and writes takes 20 ms in another process, or what
# the arguments say, and cannot be called back once it is there; nbd.log says when each was there.
slow_file()
{
	for program in nbdkit nbdfuse fusermount3; do
		command -v $program >/dev/null || atf_skip "$program is missing"
	done
	test -w /dev/fuse || atf_skip "/dev/fuse is refused"
	truncate -s 4M backing
	: >image
	TZ=UTC nbdkit -U "$PWD/s.sock" -P nbdkit.pid --filter=log \
	    --filter=delay file backing logfile="$PWD/nbd.log" \
	    "${1:-wdelay=20ms}" "${2:-rdelay=20ms}" || atf_skip "nbdkit does not start"
	nbdfuse -P nbdfuse.pid -o allow_other image --unix s.sock \
	    >/dev/null 2>err &
	n=0
	until test -s nbdfuse.pid; do
		n=$((n + 1))
		test $n -lt 100 || atf_skip "nbdfuse: $(cat err)"
		sleep 0.05
	done
}

slow_file_cleanup()
{
	fusermount3 -u image || true
	for f in nbdfuse.pid nbdkit.pid; do
		test ! -s $f || kill "$(cat $f)" || true
	done
}

# What had begun when a blkd was killed, must have ended when its successor
# says that it is ready.
no_stale_io()
{
	atf_check -o save:out -e save:err \
	    "$torture" -dev -E "$1" -T "$4" -k "$2" -s 40 -i 4 "$blkd" "$3"
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
	grep -q "kills 0," out && atf_fail "nothing was killed"
	awk 'function clock(s, t) {
		split(s, t, ":")
		return t[1] * 3600 + t[2] * 60 + t[3]
	    }
	    FNR == NR && / at / && /^killed/ { killed[++kills] = $3 }
	    FNR == NR && / at / && /^ready/ && kills > 0 { ready[kills] = $3 }
	    FNR == NR { next }
	    { id = $0; sub(/.* id=/, "", id); sub(/ .*/, "", id)
		now = clock($2) }
	    / (Read|Write) id=/ { begun[id] = now; all++ }
	    / \.\.\.(Read|Write) id=/ && id in begun {
		for (i = 1; i <= kills; i++)
			if (i in ready && begun[id] < killed[i] &&
			    now > killed[i]) {
				crossed++
				if (now > ready[i] && begun[id] < ready[i])
					stale++
			}
		delete begun[id]
	    }
	    END { print all + 0 " requests, " crossed + 0 \
		" in flight in a death, stale " stale + 0 }' \
	    err nbd.log >counted
	cat counted
	grep -q ' 0 in flight' counted && atf_fail "nothing was in flight"
	atf_check -o match:'stale 0$' cat counted
}

atf_test_case stale__sync cleanup
stale__sync_body()
{
	slow_file
	no_stale_io sync 30 image 0
}
stale__sync_cleanup()
{
	slow_file_cleanup
}

# Several threads wait for the file when they are killed.
atf_test_case stale__threads cleanup
stale__threads_body()
{
	slow_file
	no_stale_io sync 30 image 8
}
stale__threads_cleanup()
{
	slow_file_cleanup
}

# FUSE waits in kernel threads of the dead process, which end before it does;
# blkd/stale_test has a device that does not wait.
atf_test_case stale__uring cleanup
stale__uring_body()
{
	need_io_uring
	slow_file
	no_stale_io uring 30 image 0
}
stale__uring_cleanup()
{
	slow_file_cleanup
}

# Reads end at once, and writes wait for one another: 128 requests are done
# soon, while others are still in flight from before the last kill.  A harness
# that took the one for the other killed those a third time, and blkd gave
# them up.
atf_test_case kill__uring_behind_slow_writes cleanup
kill__uring_behind_slow_writes_body()
{
	need_io_uring
	slow_file wdelay=40ms rdelay=1ms
	atf_check -o save:out -e save:err \
	    "$torture" -eu -E uring -k 20 -s 15 -i 4 "$blkd" image
	cat out
	atf_check -o match:'corrupt 0, failed 0, poisonous 0, given up 0' \
	    cat out
	atf_check -o save:out -e save:err \
	    "$torture" -eu -a 1000 -E uring -k 20 -s 15 -i 4 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0' cat out
}
kill__uring_behind_slow_writes_cleanup()
{
	slow_file_cleanup
}

atf_init_test_cases()
{
	atf_add_test_case upgrade__under_load
	atf_add_test_case stale__sync
	atf_add_test_case stale__threads
	atf_add_test_case stale__uring
	atf_add_test_case kill__uring_behind_slow_writes
	atf_add_test_case kill__threads_on_the_page_cache
	atf_add_test_case kill__mmap
	atf_add_test_case kill__uring_on_the_page_cache
	atf_add_test_case kill__uring_past_the_page_cache
	atf_add_test_case kill__at_random_instants
	atf_add_test_case kill__several_queues
	atf_add_test_case kill__again_and_again
	atf_add_test_case kill__again_and_again_uring
	atf_add_test_case poison__spares_its_neighbours
	atf_add_test_case poison__spares_other_queues
}
