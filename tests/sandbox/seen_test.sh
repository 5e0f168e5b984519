# SPDX-License-Identifier: ISC
#
# The tables of system calls against `seen`, which `make trace-syscalls`
# makes of a trace of the whole suite: each row is used in its stage, or says
# in its reason why it was not seen ("not seen: ..."); nothing was used that
# is in no row; and what of the suite was not traced has its reason, too.

# Of the sections that the tracing build did not have, nothing is known.
rows()
{
	"$VMMD_BUILDDIR/tests/sandbox/rows" >rows ||
	    atf_fail "no rows"
	grep -v '^#' "$VMMD_SRCDIR/tests/sandbox/seen" | cut -d' ' -f1-3 |
	    sort -u >seen
}

atf_test_case rows__seen_or_explained
rows__seen_or_explained_body()
{
	rows
	# What may be used while it serves, may be used before: the kernel
	# keeps the first filter in force.  So a row counts where it is needed.
	awk 'NR == FNR { seen[$0] = 1; next }
	    $2 == "serve" { serves[$1 " " $3] = 1 }
	    { line[++n] = $0 }
	    END {
		for (i = 1; i <= n; i++) {
			split(line[i], f, " ")
			if (f[2] == "start" && (f[1] " " f[3] in serves))
				continue
			if (f[1] " " f[2] " " f[3] in seen)
				continue
			if (line[i] !~ /not seen: ./)
				print line[i]
		}
	    }' seen rows >unexplained
	cat unexplained
	test ! -s unexplained || atf_fail "rows that no test needs: run make" \
	    "trace-syscalls, or say in the row why it was not seen"
}

atf_test_case rows__explained_were_not_seen
rows__explained_were_not_seen_body()
{
	rows
	grep "not seen: " rows | cut -d' ' -f1-3 | sort -u >explained
	comm -12 explained seen >both
	# A row of both stages may be needed in one alone.
	while read -r process stage call; do
		if [ "$stage" = start ] &&
		    grep -q "^$process serve $call " rows; then
			continue
		fi
		echo "$process $stage $call"
	done <both >wrong
	cat wrong
	test ! -s wrong || atf_fail "rows said to be unseen were seen"
}

atf_test_case seen__is_in_the_tables
seen__is_in_the_tables_body()
{
	rows
	cut -d' ' -f1-3 rows | sort -u >known
	comm -23 seen known >unknown
	cat unknown
	test ! -s unknown || atf_fail "calls that no row allows"
}

# programs: of the suite, by its Kyuafiles.
programs()
{
	(cd "$VMMD_SRCDIR" && find util proto shm blkd vmmd tests \
	    -name Kyuafile) | while read -r file; do
		sed -n "s|^atf_test_program{name=\"\([^\"]*\)\".*|${file%/*}/\1|p" \
		    "$VMMD_SRCDIR/$file"
	done | sort
}

# New programs need not be traced at once; half of a suite is not the whole.
atf_test_case seen__of_the_whole_suite
seen__of_the_whole_suite_body()
{
	programs >suite
	sed -n 's/^# traced //p; s/^# not traced \([^:]*\): .*/\1/p' \
	    "$VMMD_SRCDIR/tests/sandbox/seen" | sort >told
	comm -23 suite told >untold
	echo "of $(wc -l <suite) programs not traced, without a reason:"
	cat untold
	test $(($(wc -l <untold) * 10)) -le "$(wc -l <suite)" ||
	    atf_fail "the suite is another: run make trace-syscalls"
	atf_check -s exit:1 grep ': nobody asked for it' \
	    "$VMMD_SRCDIR/tests/sandbox/seen"
}

atf_init_test_cases()
{
	atf_add_test_case seen__of_the_whole_suite
	atf_add_test_case rows__seen_or_explained
	atf_add_test_case rows__explained_were_not_seen
	atf_add_test_case seen__is_in_the_tables
}
