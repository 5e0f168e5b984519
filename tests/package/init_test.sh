# SPDX-License-Identifier: ISC
#
# The init script from the build tree: real machines, with the test guest,
# under /dev/kvm.  What each case leaves, its cleanup stops: by the script,
# which knows its machines by the locks on their pid files.

blkd=$VMMD_BUILDDIR/blkd/blkd
guest=$VMMD_BUILDDIR/tests/guest/guest.elf

# The script as `make` would make it, for this directory.
script()
{
	mkdir -p etc/vmmd etc/default run
	sed -e "s,@sbindir@,$VMMD_BUILDDIR/vmmd,g" \
	    -e "s,@sysconfdir@,$PWD/etc,g" \
	    -e "s,@runstatedir@,$PWD/run,g" \
	    "$VMMD_SRCDIR/etc/init.d/vmmd.in" >vmmd.init
	chmod 755 vmmd.init
	echo "VMMD_OPTIONS='-b $blkd'" >etc/default/vmmd
}

# machine NAME [GUEST-ARGUMENTS]
machine()
{
	test -r /dev/kvm && test -w /dev/kvm ||
	    atf_skip "/dev/kvm is missing or refused"
	truncate -s 1M "$1.img"
	cat >"etc/vmmd/$1.conf" <<-END
	vm {
		name = "$1-$$"
		memory = 32M
		kernel = $guest
		cmdline = "${2:-test=idle}"
		mmio-cmdline = yes
		serial = file:$PWD/$1.console
		control = none
	}
	disk vda {
		path = $PWD/$1.img
	}
	END
}

# vmmd CODE ACTION [MACHINE ...]
vmmd()
{
	want=$1
	shift
	status=0
	./vmmd.init "$@" >out 2>err || status=$?
	cat out err
	test $status -eq "$want" ||
	    atf_fail "$*: exit code $status, expected $want"
}

pid_of()
{
	cat "run/vmmd/$1.pid"
}

# are_gone PID ...
are_gone()
{
	for p; do
		n=0
		while kill -0 "$p" 2>/dev/null; do
			n=$((n + 1))
			test $n -lt 100 || atf_fail "process $p is left"
			sleep 0.05
		done
	done
}

clean()
{
	test ! -x vmmd.init || ./vmmd.init stop || true
}

atf_test_case life cleanup
life_head() { atf_set require.user root; }
life_body()
{
	script
	machine web
	vmmd 3 status
	vmmd 0 start
	pid=$(pid_of web)
	vmmd 0 status
	atf_check -o ignore grep "web runs, process $pid\$" out
	all="$pid $(pgrep -P "$pid" | tr '\n' ' ')"
	old=$(pgrep -P "$pid" -f '^blkd: vda')
	kill -9 "$old"
	are_gone "$old"
	until pgrep -P "$pid" -f '^blkd: vda'; do
		kill -0 "$pid" || atf_fail "vmmd is gone"
		sleep 0.01
	done
	vmmd 0 status
	all="$all $(pgrep -P "$pid" | tr '\n' ' ')"
	vmmd 0 stop
	are_gone $all
	vmmd 3 status
	test -z "$(ls run/vmmd)" || atf_fail "left: $(ls run/vmmd)"
}
life_cleanup() { clean; }

atf_test_case restart cleanup
restart_head() { atf_set require.user root; }
restart_body()
{
	script
	machine web
	vmmd 0 condrestart
	vmmd 0 try-restart web
	vmmd 3 status
	vmmd 0 restart
	first=$(pid_of web)
	vmmd 0 start
	test "$(pid_of web)" = "$first" || atf_fail "started twice"
	vmmd 0 condrestart
	second=$(pid_of web)
	test "$first" != "$second" || atf_fail "not restarted"
	are_gone "$first"
	vmmd 0 force-reload
	test "$(pid_of web)" != "$second" || atf_fail "not restarted"
	vmmd 3 reload
	vmmd 0 stop
	vmmd 0 stop
}
restart_cleanup() { clean; }

atf_test_case two_machines cleanup
two_machines_head() { atf_set require.user root; }
two_machines_body()
{
	script
	machine one
	machine two
	vmmd 0 start two
	vmmd 3 status
	vmmd 0 status two
	vmmd 3 status one
	vmmd 0 start
	vmmd 0 status
	two=$(pid_of two)
	vmmd 0 stop one
	vmmd 3 status one
	test "$(pid_of two)" = "$two" || atf_fail "the other changed"
	# A configuration that is gone leaves a machine that can be stopped.
	rm etc/vmmd/two.conf
	vmmd 0 status two
	vmmd 0 stop
	are_gone "$two"
}
two_machines_cleanup() { clean; }

# A monitor that was killed: its number is nobody's, its file is told.
atf_test_case dead cleanup
dead_head() { atf_set require.user root; }
dead_body()
{
	script
	machine web
	vmmd 0 start
	pid=$(pid_of web)
	all="$pid $(pgrep -P "$pid" | tr '\n' ' ')"
	kill -9 "$pid"
	are_gone $all
	# Its sweeper has removed the pid file; without one it would lie there.
	vmmd 3 status
	echo "$pid" >run/vmmd/web.pid
	vmmd 1 status
	# The number may be another's by now: never signalled.
	echo $$ >run/vmmd/web.pid
	vmmd 0 stop
	vmmd 3 status
	vmmd 0 start
	vmmd 0 stop
}
dead_cleanup() { clean; }

# One that does not obey ends all the same.
atf_test_case frozen cleanup
frozen_head() { atf_set require.user root; }
frozen_body()
{
	script
	echo STOP_SECONDS=1 >>etc/default/vmmd
	echo STOP_AGAIN_SECONDS=1 >>etc/default/vmmd
	machine web
	vmmd 0 start
	pid=$(pid_of web)
	all="$pid $(pgrep -P "$pid" | tr '\n' ' ')"
	kill -STOP "$pid"
	vmmd 0 stop
	are_gone $all
	vmmd 3 status
}
frozen_cleanup() { clean; }

atf_test_case refusals cleanup
refusals_head() { atf_set require.user root; }
refusals_body()
{
	script
	vmmd 2
	vmmd 2 nonsense
	vmmd 2 start ../etc/passwd
	vmmd 0 start
	vmmd 3 status
	vmmd 6 start nowhere
	echo "vm {" >etc/vmmd/bad.conf
	vmmd 6 start
	test "$(wc -l <err)" -eq 1 || atf_fail "not one sentence"
	rm etc/vmmd/bad.conf
	machine web
	rm web.img
	vmmd 1 start
	atf_check -o ignore grep "web.img: No such file" err
	vmmd 3 status
	sed -i 's,^vmmd=.*,vmmd=/nonexistent/vmmd,' vmmd.init
	vmmd 5 start
}
refusals_cleanup() { clean; }

atf_test_case ordinary_user
ordinary_user_head() { atf_set require.user unprivileged; }
ordinary_user_body()
{
	script
	vmmd 4 start
	vmmd 4 stop
	vmmd 3 status
}

atf_init_test_cases()
{
	for c in life restart two_machines dead frozen refusals \
	    ordinary_user; do
		atf_add_test_case $c
	done
}
