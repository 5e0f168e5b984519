# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Read by the scripts of this directory and by tests/demo; runs nothing by
# itself.  Works in dash and in busybox ash: the same lines serve on the host
# and inside the outer guest.

# die SENTENCE: report and end.
die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# uptime_cs: centiseconds since boot; busybox date(1) knows no fractions.
uptime_cs()
{
	_up=
	read -r _up _ </proc/uptime
	_frac=${_up#*.}
	echo $((${_up%.*} * 100 + ${_frac#0}))
}

# cs_print N: centiseconds as seconds with two decimals.
cs_print()
{
	printf '%d.%02d' $(($1 / 100)) $(($1 % 100))
}

# kernel_find: the newest Debian cloud kernel; KERNEL overrides it.
kernel_find()
{
	if [ -n "${KERNEL:-}" ]; then
		[ -r "$KERNEL" ] || die "KERNEL=$KERNEL: not readable"
		echo "$KERNEL"
		return
	fi
	_k=$(find /boot -maxdepth 1 -name 'vmlinuz-*-cloud-amd64' |
	    sort -V | tail -n 1)
	[ -n "$_k" ] || die "no Debian cloud kernel in /boot:" \
	    "install linux-image-cloud-amd64, or set KERNEL"
	[ -r "$_k" ] || die "$_k: not readable: set KERNEL to a copy that is"
	echo "$_k"
}

# kernel_version FILE: the directory in /lib/modules that goes with FILE.
kernel_version()
{
	_v=${1##*/vmlinuz-}
	[ -f "/lib/modules/$_v/modules.dep" ] ||
	    die "$1: no /lib/modules/$_v/modules.dep to go with it"
	echo "$_v"
}

# wait_for SECONDS PID COMMAND...: until COMMAND succeeds (0), PID ends (1)
# or the time is over (2).
wait_for()
{
	_end=$(($(uptime_cs) + $1 * 100))
	_pid=$2
	shift 2
	while ! "$@"; do
		if ! kill -0 "$_pid" 2>/dev/null; then
			"$@" && return 0
			return 1
		fi
		[ "$(uptime_cs)" -lt "$_end" ] || return 2
		sleep 0.1
	done
}

# stop_pid PID: end a process that this shell started, kindly, then surely.
stop_pid()
{
	kill "$1" 2>/dev/null || return 0
	_ended=0
	wait_for 3 "$1" false || _ended=$?
	[ $_ended -eq 1 ] || kill -9 "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}
