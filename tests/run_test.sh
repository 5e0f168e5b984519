# SPDX-License-Identifier: ISC
#
# tests/run, which counts: a suite of its own, with every kind of result.

# make_suite DIR [case ...]: a suite whose one program has these cases.
make_suite()
{
	dir=$1
	shift
	mkdir -p "$dir"
	cat >"$dir/Kyuafile" <<-END
	syntax(2)
	test_suite("inner")
	atf_test_program{name="inner_test", timeout=10}
	END
	{
		echo "#! $(command -v atf-sh)"
		for c; do
			echo "atf_test_case $c"
		done
		cat <<-'END'
		good_body() { atf_check true; }
		bad_body() { echo "the output"; atf_fail "the reason"; }
		broken_body() { kill -9 $$; }
		skipped_body() { atf_skip "no such device"; }
		xfail_body() { atf_expect_fail "known"; atf_fail "x"; }
		END
		echo "atf_init_test_cases() {"
		for c; do
			echo "atf_add_test_case $c"
		done
		echo "}"
	} >"$dir/inner_test"
	chmod +x "$dir/inner_test"
}

# run_suite STATUS DIR [argument ...]
run_suite()
{
	expected=$1 dir=$2
	shift 2
	atf_check -s "exit:$expected" -o save:out -e save:err \
	    env VMMD_SRCDIR="$PWD/$dir" VMMD_BUILDDIR="$PWD/$dir" \
	    KYUA="$(command -v kyua)" ATF_SH="$(command -v atf-sh)" \
	    CHECK_PROGRAMS="${programs-}" \
	    sh "$VMMD_SRCDIR/tests/run" "$@"
	# The last line, and the only one of its kind.
	atf_check_equal 1 "$(grep -cE \
	    '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' out)"
	last=$(tail -n 1 out)
}

atf_test_case count__all_kinds
count__all_kinds_body()
{
	make_suite s good bad broken skipped xfail
	run_suite 1 s
	atf_check_equal "2 passed, 2 failed, 1 skipped" "$last"
	atf_check -o ignore grep "the reason" out
	atf_check -o ignore grep "the output" out
	atf_check -o ignore grep "skipped: no such device" out
}

atf_test_case count__all_good
count__all_good_body()
{
	make_suite s good xfail skipped
	run_suite 0 s
	atf_check_equal "2 passed, 0 failed, 1 skipped" "$last"
}

atf_test_case count__nothing_ran
count__nothing_ran_body()
{
	make_suite s skipped
	run_suite 1 s
	atf_check_equal "0 passed, 0 failed, 1 skipped" "$last"
	atf_check -o ignore grep "no test ran" err
}

atf_test_case count__chosen_only
count__chosen_only_body()
{
	make_suite s good bad
	run_suite 0 s inner_test:good
	atf_check_equal "1 passed, 0 failed, 0 skipped" "$last"
}

atf_test_case choose__no_such_test
choose__no_such_test_body()
{
	make_suite s good
	run_suite 1 s elsewhere
	atf_check_equal "0 passed, 1 failed, 0 skipped" "$last"
}

atf_test_case list__forgotten_program
list__forgotten_program_body()
{
	make_suite s good
	programs="inner_test lost/other_test helper" run_suite 1 s
	atf_check -o ignore grep "lost/other_test is not in" err
}

atf_test_case tool__kyua_missing
tool__kyua_missing_body()
{
	atf_check -s exit:1 -o match:"^0 passed, 1 failed, 0 skipped$" \
	    -e match:"apt-get install kyua" \
	    env VMMD_SRCDIR=. VMMD_BUILDDIR=. KYUA= \
	    sh "$VMMD_SRCDIR/tests/run"
}

# Its copies of the Kyuafiles leave out those of another build directory.
atf_test_case time__slower_host
time__slower_host_body()
{
	make_suite s good
	mkdir -p s/other/kyua/slow
	echo "syntax(2)" >s/other/kyua/slow/Kyuafile
	export VMMD_CHECK_SLOW=3
	run_suite 0 s
	atf_check_equal "1 passed, 0 failed, 0 skipped" "$last"
	atf_check -o match:"timeout=30[^0-9]" cat s/kyua/slow/Kyuafile
	test ! -e s/kyua/slow/other || atf_fail "it copied a copy"
}

atf_test_case time__limit_is_a_failure
time__limit_is_a_failure_body()
{
	make_suite s good
	# Waits for a line that never comes.
	sed -i 's/^good_body.*/good_body() { mkfifo f; read -r x <f; }/' \
	    s/inner_test
	VMMD_CHECK_SECONDS=1
	export VMMD_CHECK_SECONDS
	run_suite 1 s
	atf_check_equal "0 passed" "${last%%,*}"
	atf_check -o ignore grep "not finished after 1 s" err
}

atf_init_test_cases()
{
	atf_add_test_case count__all_kinds
	atf_add_test_case count__all_good
	atf_add_test_case count__nothing_ran
	atf_add_test_case count__chosen_only
	atf_add_test_case choose__no_such_test
	atf_add_test_case list__forgotten_program
	atf_add_test_case tool__kyua_missing
	atf_add_test_case time__slower_host
	atf_add_test_case time__limit_is_a_failure
}
