# SPDX-License-Identifier: ISC
#
# The recovery protocol, and what becomes of a request that blkd dies of,
# checked exhaustively by spin, and proof that the models can fail: each rule
# broken on purpose is found.

# explore MODEL DEFINE...: search every state; the result is in pan.out.
explore()
{
	_model=$VMMD_SRCDIR/tests/model/$1.pml; shift
	spin -a "$@" "${_model}" >spin.out 2>&1 || {
		cat spin.out
		atf_fail "spin does not accept the model"
	}
	cc -O2 -DSAFETY -DCOLLAPSE -w -o pan pan.c ||
	    atf_fail "the generated verifier does not compile"
	./pan -m1000000 >pan.out 2>&1
	! grep -q 'max search depth too small\|out of memory' pan.out || {
		cat pan.out
		atf_fail "the search was not exhaustive"
	}
	echo "$*: $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.out)" \
	    "states"
}

errors_found()
{
	sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.out
}

# holds NAME MODEL DEFINE...: a case in which no error may be found.
holds()
{
	_name=$1; shift
	atf_test_case "${_name}"
	eval "${_name}_head() {
		atf_set descr 'it holds with: $*'
		atf_set require.progs 'spin cc'
		atf_set timeout 300
	}
	${_name}_body() {
		explore $*
		[ \"\$(errors_found)\" = 0 ] || { cat pan.out; atf_fail 'found'; }
	}"
}

# breaks NAME RULE: a case in which the broken rule must be found.
breaks()
{
	broken "$1" "$2" recovery -DREQUESTS=4 -DCRASHES=2 -DRESETS=1
}

# accuses NAME RULE: the same for the model of the suspects.
accuses()
{
	broken "$1" "$2" suspects -DREQUESTS=3 -DQUEUES=2
}

# broken NAME RULE MODEL DEFINE...
broken()
{
	_name=$1 _rule=$2; shift 2
	atf_test_case "${_name}"
	eval "${_name}_head() {
		atf_set descr 'the model finds ${_rule}'
		atf_set require.progs 'spin cc'
		atf_set timeout 300
	}
	${_name}_body() {
		explore $* -DMUTATE_${_rule}
		[ \"\$(errors_found)\" = 1 ] || atf_fail 'not found'
	}"
}

holds recovery__five_requests_two_crashes recovery -DREQUESTS=5 -DCRASHES=2
holds recovery__reset_among_two_crashes recovery -DREQUESTS=4 -DCRASHES=2 -DRESETS=1
breaks mutation__mark_before_number MARK_BEFORE_NUMBER
breaks mutation__publish_before_record PUBLISH_BEFORE_RECORD
breaks mutation__free_before_record FREE_BEFORE_RECORD
breaks mutation__settle_before_free SETTLE_BEFORE_FREE
breaks mutation__no_record NO_RECORD
breaks mutation__replay_backwards REPLAY_BACKWARDS
breaks mutation__reset_without_mark RESET_WITHOUT_MARK
breaks mutation__no_fence NO_FENCE
holds suspects__four_requests_two_queues suspects -DREQUESTS=4 -DQUEUES=2
holds suspects__three_requests_three_queues suspects -DREQUESTS=3 -DQUEUES=3
accuses mutation__alone_in_its_queue ALONE_IN_ITS_QUEUE
accuses mutation__enter_beside_lone ENTER_BESIDE_LONE
accuses mutation__share_too_early SHARE_TOO_EARLY
accuses mutation__charge_at_recovery CHARGE_AT_RECOVERY
accuses mutation__one_fence ONE_FENCE
accuses mutation__fence_after_handover FENCE_AFTER_HANDOVER

atf_init_test_cases()
{
	atf_add_test_case recovery__five_requests_two_crashes
	atf_add_test_case recovery__reset_among_two_crashes
	atf_add_test_case mutation__mark_before_number
	atf_add_test_case mutation__publish_before_record
	atf_add_test_case mutation__free_before_record
	atf_add_test_case mutation__settle_before_free
	atf_add_test_case mutation__no_record
	atf_add_test_case mutation__replay_backwards
	atf_add_test_case mutation__reset_without_mark
	atf_add_test_case mutation__no_fence
	atf_add_test_case suspects__four_requests_two_queues
	atf_add_test_case suspects__three_requests_three_queues
	atf_add_test_case mutation__alone_in_its_queue
	atf_add_test_case mutation__enter_beside_lone
	atf_add_test_case mutation__share_too_early
	atf_add_test_case mutation__charge_at_recovery
	atf_add_test_case mutation__one_fence
	atf_add_test_case mutation__fence_after_handover
}
