# SPDX-License-Identifier: ISC
#
# Proves the test guest against a block device that is known to be good:
# QEMU's. What only this project's rules say is left out (strict=0).

# run_guest STATUS DEVICE-OPTIONS ARGUMENT ...
# QEMU leaves with twice the guest's status plus one.
run_guest()
{
	want=$(($1 * 2 + 1))
	options=$2
	shift 2
	test -f disk.img || truncate -s 8M disk.img
	command -v qemu-system-x86_64 >/dev/null ||
	    atf_skip "qemu-system-x86_64 is missing (install: qemu-system-x86)"
	status=0
	timeout 40 qemu-system-x86_64 -accel tcg -m 32 -smp 4 \
	    -M microvm,pic=on,pit=on,rtc=off,acpi=off \
	    -nodefaults -no-user-config -no-reboot \
	    -display none -serial stdio \
	    -global virtio-mmio.force-legacy=false \
	    -device isa-debug-exit,iobase=0xf4,iosize=1 \
	    -drive "if=none,id=disk,format=raw,file=disk.img${readonly}" \
	    -device "virtio-blk-device,drive=disk,serial=GUEST-0$options" \
	    -kernel "$VMMD_BUILDDIR/tests/guest/guest.elf" \
	    -append "$*" >out 2>err </dev/null || status=$?
	cat out err
	test "$status" -eq "$want" ||
	    atf_fail "$*: status $status, expected $want"
}

# passes ARGUMENT ...: the guest says so, and its status is 0
passes()
{
	run_guest 0 "$device" "$@"
	grep -q '^guest: .* passed' out || atf_fail "$*: no line says passed"
}

# guest_case NAME "WHAT IT SHOWS"; the body is NAME_body
guest_case()
{
	atf_test_case "$1"
	eval "$1_head() { atf_set descr '$2'; atf_set timeout 60; }"
	cases="$cases $1"
}

readonly=
device=
cases=

guest_case identify__says_what_the_device_says \
    "capacity and serial arrive, wrong ones fail"
identify__says_what_the_device_says_body()
{
	passes test=identify serial=GUEST-0 capacity=16384
	run_guest 1 "" test=identify serial=OTHER
	run_guest 1 "" test=identify capacity=1
}

guest_case rw__reaches_the_file "what was written is in the file, and only it"
rw__reaches_the_file_body()
{
	passes test=rw first=64 sectors=16 gen=3
	passes test=verify first=64 sectors=16 gen=3
	run_guest 1 "" test=verify first=64 sectors=16 gen=4
	run_guest 1 "" test=verify first=64 sectors=32 gen=3
	cmp -n 32768 disk.img /dev/zero || atf_fail "other sectors changed"
}

guest_case many__fills_the_queue "full queues of every kind"
many__fills_the_queue_body()
{
	passes test=many
	passes test=many qsize=8
	passes test=many mode=poll seed=7
	passes test=many eventidx=1
	device=,num-queues=4
	passes test=many queues=4
}

guest_case irq__counts_interrupts "completions arrive by interrupt"
irq__counts_interrupts_body()
{
	passes test=irq
	passes test=irq eventidx=1
}

guest_case poll__needs_no_interrupt "completions arrive without interrupts"
poll__needs_no_interrupt_body()
{
	passes test=poll
	passes test=poll eventidx=1
}

guest_case reset__goes_on "reset in flight, then another queue size"
reset__goes_on_body()
{
	passes test=reset
}

guest_case readonly__refuses_writes "a read-only disk; an ordinary one fails"
readonly__refuses_writes_body()
{
	run_guest 1 "" test=readonly
	readonly=,readonly=on
	passes test=readonly
}

guest_case badreq__gets_its_status "refused requests of any device"
badreq__gets_its_status_body()
{
	passes test=badreq strict=0
}

guest_case regs__keep_their_rules "register rules of any device"
regs__keep_their_rules_body()
{
	passes test=regs strict=0
}

guest_case loop__verifies "overlapping rewrites, at full depth"
loop__verifies_body()
{
	passes test=loop count=2000
	passes test=loop count=2000 mode=poll eventidx=1 sectors=16
	device=,num-queues=2,logical_block_size=4096,physical_block_size=4096
	passes test=loop count=1000 queues=2
}

guest_case smp__starts_processors "all processors run, and are counted"
smp__starts_processors_body()
{
	passes test=smp cpus=4
	run_guest 1 "" test=smp cpus=3
}

guest_case usage__is_an_error "a command line that makes no sense"
usage__is_an_error_body()
{
	run_guest 2 "" test=nothing
	run_guest 2 "" tset=rw
	run_guest 2 "" test=rw disk=9
	run_guest 2 "" test=rw qsize=many
	run_guest 2 "" test=rw mode=fast
}

atf_init_test_cases()
{
	for c in $cases; do
		atf_add_test_case "$c"
	done
}
