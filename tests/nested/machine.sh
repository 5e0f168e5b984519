# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# A machine under vmmd, for the scripts that `run` starts: on the host, or
# in the outer guest with only busybox.  Read after common.sh.  Leaves the
# console (`console`), vmmd's log (`log`) and what the images occupied
# (`blocks.before`, `blocks.after`) in the working directory.
#
# shellcheck disable=SC2154 # pid and others are set here

# machine_section NAME: the section `vm` of vmmd.conf.
machine_section()
{
	cat <<-END
	vm {
		name = "$1"
		memory = "256M"
		vcpus = 2
		kernel = "$KERNEL"
		initrd = "$DIR/initrd"
		cmdline = "console=ttyS0 tsc=reliable quiet panic=-1"
		serial = "stdio"
		control = "$DIR/control"
	}
	END
}

# machine_blocks: 512-byte blocks in use, for each image.
machine_blocks()
{
	sync
	stat -c '%n %b' ./*.img
}

# machine_start: with vmmd.conf; its process is $pid.
machine_start()
{
	machine_blocks >blocks.before
	mkfifo pipe
	: >console
	tee console <pipe &
	machine_tee=$!
	"$VMMD" -d -f vmmd.conf -b "$BLKD" >pipe 2>log </dev/null &
	pid=$!
	trap 'stop_pid $pid' EXIT
	trap 'exit 1' HUP INT TERM
}

# machine_await PATTERN: until the console has it; the caller of `run`
# bounds the time.
machine_await()
{
	wait_for 100000 "$pid" grep -q "$1" console
}

# machine_end: wait for it; ends this script with vmmd's status.
machine_end()
{
	wait "$pid"
	machine_status=$?
	trap - EXIT
	wait "$machine_tee"
	rm -f pipe control
	machine_blocks >blocks.after
	echo "vmmd: ended with status $machine_status; its log:"
	sed 's/^/    /' log
	exit "$machine_status"
}

# machine_ctl ARGUMENT...: vmmctl, for this machine.
machine_ctl()
{
	"$VMMCTL" -s "$DIR/control" "$@"
}

# machine_blkd NAME: the process of a disk.
machine_blkd()
{
	for _status in $(grep -l "^PPid:[[:space:]]*$pid\$" \
	    /proc/[0-9]*/status 2>/dev/null); do
		if tr '\0' ' ' 2>/dev/null <"${_status%status}cmdline" |
		    grep -q "^blkd: $1"; then
			_status=${_status%/status}
			echo "${_status##*/}"
			return 0
		fi
	done
	return 1
}

# machine_counter DISK NAME...: the sum of these counters.
machine_counter()
{
	_sum=0
	machine_ctl stats -j "$1" >stats 2>/dev/null || return 1
	shift
	for _name; do
		_value=$(sed -n "s/^ *\"$_name\": \\([0-9]*\\),*\$/\\1/p" stats)
		[ -n "$_value" ] || return 1
		_sum=$((_sum + _value))
	done
	echo $_sum
}
