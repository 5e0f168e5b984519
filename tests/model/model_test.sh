# SPDX-License-Identifier: ISC
#
# The recovery protocol, checked exhaustively by spin, and proof that the
# model can fail: each ordering rule broken on purpose is found.

model=$VMMD_SRCDIR/tests/model/recovery.pml

# explore DEFINE...: search every state; the result is in pan.out.
explore()
{
	spin -a "$@" "${model}" >spin.out 2>&1 || {
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

# holds NAME DEFINE...: a case in which no error may be found.
holds()
{
	_name=$1; shift
	atf_test_case "${_name}"
	eval "${_name}_head() {
		atf_set descr 'recovery holds with: $*'
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
	_name=$1
	atf_test_case "${_name}"
	eval "${_name}_head() {
		atf_set descr 'the model finds $2'
		atf_set require.progs 'spin cc'
		atf_set timeout 300
	}
	${_name}_body() {
		explore -DREQUESTS=4 -DCRASHES=2 -DRESETS=1 -DMUTATE_$2
		[ \"\$(errors_found)\" = 1 ] || atf_fail 'not found'
	}"
}

holds recovery__five_requests_two_crashes -DREQUESTS=5 -DCRASHES=2
holds recovery__reset_among_two_crashes -DREQUESTS=4 -DCRASHES=2 -DRESETS=1
breaks mutation__mark_before_number MARK_BEFORE_NUMBER
breaks mutation__publish_before_record PUBLISH_BEFORE_RECORD
breaks mutation__free_before_record FREE_BEFORE_RECORD
breaks mutation__settle_before_free SETTLE_BEFORE_FREE
breaks mutation__no_record NO_RECORD
breaks mutation__replay_backwards REPLAY_BACKWARDS
breaks mutation__reset_without_mark RESET_WITHOUT_MARK
breaks mutation__no_fence NO_FENCE

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
}
