# SPDX-License-Identifier: ISC
#
# vmmd -n: good configurations, and for each bad one the exact message.

vmmd=$VMMD_BUILDDIR/vmmd/vmmd
VM='memory = 512M
kernel = /boot/vmlinuz'

# good NAME <TEXT: is accepted without a word.
good()
{
	define "$1" "$(cat)"
	eval "${1}_body() {
		printf '%s\n' \"\$${1}_text\" >vmmd.conf
		atf_check \"\$vmmd\" -n -f vmmd.conf
	}"
}

# bad NAME MESSAGE <TEXT: is refused with exactly this, exit code 78.
bad()
{
	define "$1" "$(cat)"
	eval "${1}_message=\$2"
	eval "${1}_body() {
		printf '%s\n' \"\$${1}_text\" >vmmd.conf
		printf 'vmmd: error: vmmd.conf%s\n' \"\$${1}_message\" >want
		atf_check -s exit:78 -e file:want \"\$vmmd\" -n -f vmmd.conf
	}"
}

define()
{
	eval "${1}_text=\$2"
	atf_test_case "$1"
	cases="$cases $1"
}

cases=

bad limits__burst_without_rate ":4: disk vda: iops-burst and bps-burst need iops and bps, and must not be below them" <<'END'
vm { memory = 2M
kernel = k }
disk vda { path = a
iops-burst = 5 }
END

bad limits__burst_below_rate ":4: group g: iops-burst and bps-burst need iops and bps, and must not be below them" <<'END'
vm { memory = 2M
kernel = k }
group g { bps = 1M
bps-burst = 1k }
END

bad limits__no_amount ":3: disk vda: iops must be a number with or without k, M, G, Ki, Mi or Gi, not 1T" <<'END'
vm { memory = 2M
kernel = k }
disk vda { iops = 1T }
END

bad limits__too_much ":3: disk vda: bps must be a number with or without k, M, G, Ki, Mi or Gi, not 9999999999G" <<'END'
vm { memory = 2M
kernel = k }
disk vda { bps = 9999999999G }
END

bad group__missing ": disk vda: group = fast: there is no such group: add group fast { ... }" <<'END'
vm { memory = 2M
kernel = k }
disk vda { path = a
group = fast }
group slow {
}
END

bad cpus__no_list ':3: disk vda: cpus must be at most 8 numbers of CPUs, such as "0,2", not 0,' <<'END'
vm { memory = 2M
kernel = k }
disk vda { cpus = "0," }
END

bad control__no_mode ":2: vm: control-mode must be a file mode such as 0660, not 0888" <<'END'
vm { memory = 2M
control-mode = 0888 }
END

good accept__minimal <<END
vm { $VM
}
END

good accept__everything <<'END'
# A comment.
vm {
	name = "web.1"
	memory = 2G
	vcpus = 64
	kernel = /boot/vmlinuz
	initrd = /boot/initrd
	cmdline = "console=ttyS0 quiet"
	mmio-cmdline = yes
	serial = file:/tmp/console
	sandbox = best-effort
	user = nobody
	disk-user = nobody
	control = /tmp/web.sock
	control-mode = 0660
	control-group = daemon
}
disk vda {
	path = /srv/a.img
	readonly = no
	serial = 12345678901234567890
	notify = message
	engine = uring
	queues = 8
	queue-size = 1024
	poll-us = 1000
	threads = 0
	slow-us = 10000
	block-size = 4096
	direct = on
	cpus = "0,3"
	group = slow
	iops = 1k
	iops-burst = 1024
	bps = 1Mi
	bps-burst = 2Mi
	iops-size = 4Ki
}
group slow {
	iops = 10
	bps = 1G
}
disk vdb {
	path = /srv/b.img
	readonly = true
}
END

good accept__same_image_readonly <<END
vm { $VM
}
disk a { path = x
	readonly = yes
}
disk b { path = x
	readonly = yes
}
END

bad refuse__unknown_section ":1: no such option 'net'" <<'END'
net { }
END
bad refuse__unknown_key ":3: vm: no such option 'colour'" <<'END'
vm {
	memory = 512M
	colour = red
}
END
bad refuse__key_twice ":3: vm: memory is given twice" <<'END'
vm {
	memory = 512M
	memory = 512M
}
END
bad refuse__vm_twice ":6: vm is given twice" <<END
vm { $VM
}
vm { $VM
}
END
bad refuse__no_vm ": there is no vm section: add vm { ... }" <<'END'
disk vda { path = x
}
END
bad refuse__empty ": there is no vm section: add vm { ... }" <<'END'
END
bad refuse__kernel_missing ":3: vm: kernel is missing" <<'END'
vm {
	memory = 512M
}
END
bad refuse__memory_missing ":3: vm: memory is missing" <<'END'
vm {
	kernel = x
}
END
bad refuse__path_missing ":6: disk vda: path is missing" <<END
vm { $VM
}
disk vda {
	queues = 2
}
END

memory='memory must be a multiple of 2M up to 1T, such as 512M or 2G, not'
bad refuse__memory_without_unit ":1: vm: $memory 512" <<'END'
vm { memory = 512
END
bad refuse__memory_odd ":1: vm: $memory 3M" <<'END'
vm { memory = 3M
END
bad refuse__memory_zero ":1: vm: $memory 0M" <<'END'
vm { memory = 0M
END
bad refuse__memory_negative ":1: vm: $memory -2M" <<'END'
vm { memory = -2M
END
bad refuse__memory_huge ":1: vm: $memory 17179869184T" <<'END'
vm { memory = 17179869184T
END
bad refuse__memory_over_limit ":1: vm: $memory 2T" <<'END'
vm { memory = 2T
END
bad refuse__vcpus_zero \
    ":1: vm: vcpus must be a number from 1 to 64, not 0" <<'END'
vm { vcpus = 0
END
bad refuse__vcpus_many \
    ":1: vm: vcpus must be a number from 1 to 64, not 65" <<'END'
vm { vcpus = 65
END
bad refuse__vcpus_text \
    ":1: vm: vcpus must be a number from 1 to 64, not 2x" <<'END'
vm { vcpus = 2x
END
bad refuse__serial \
    ":1: vm: serial must be stdio, pty, file:PATH or none, not tty" <<'END'
vm { serial = tty
END
bad refuse__serial_no_path \
    ":1: vm: serial must be stdio, pty, file:PATH or none, not file:" <<'END'
vm { serial = file:
END
bad refuse__sandbox \
    ":1: vm: sandbox must be strict or best-effort, not none" <<'END'
vm { sandbox = none
END
bad refuse__bool ":1: vm: mmio-cmdline must be yes or no, not 2" <<'END'
vm { mmio-cmdline = 2
END
bad refuse__name \
    ":1: vm: name must be at most 31 letters, digits, '_', '.' or '-', not a/b" \
    <<'END'
vm { name = a/b
END
bad refuse__kernel_empty ":1: vm: kernel must be a path, not empty" <<'END'
vm { kernel = ""
END

bad refuse__block_size \
    ":7: disk vda: block-size must be 512 or 4096, not 100" <<END
vm { $VM
}
disk vda {
	path = x

	block-size = 100
}
END
bad refuse__queues ":1: disk a: queues must be a number from 1 to 8, not 9" \
    <<'END'
disk a { queues = 9
END
bad refuse__queue_size_odd ":1: disk a: queue-size must be a power of two\
 from 2 to 1024, not 100" <<'END'
disk a { queue-size = 100
END
bad refuse__queue_size_large ":1: disk a: queue-size must be a power of two\
 from 2 to 1024, not 2048" <<'END'
disk a { queue-size = 2048
END
bad refuse__poll_us_long ":1: disk a: poll-us must be a number from 0 to 1000,\
 not 1001" <<'END'
disk a { poll-us = 1001
END
bad refuse__threads_many ":1: disk a: threads must be a number from 0 to 8,\
 not 9" <<'END'
disk a { threads = 9
END
bad refuse__slow_us_long ":1: disk a: slow-us must be a number from 0 to\
 10000, not 10001" <<'END'
disk a { slow-us = 10001
END
bad refuse__disk_serial_long ":1: disk a: serial must be at most 20 bytes,\
 not 123456789012345678901" <<'END'
disk a { serial = 123456789012345678901
END
bad refuse__notify \
    ":1: disk a: notify must be ioeventfd or message, not irq" <<'END'
disk a { notify = irq
END
bad refuse__engine \
    ":1: disk a: engine must be auto, sync, uring or mmap, not aio" <<'END'
disk a { engine = aio
END
bad refuse__engine_mmap_direct ":7: disk a: engine = mmap needs direct = no" <<END
vm { $VM
}
disk a { path = x
engine = mmap
direct = yes
}
END
bad refuse__disk_twice ":6: found duplicate title 'a'" <<END
vm { $VM
}
disk a { path = x
}
disk a { path = y
}
END
bad refuse__disk_name ":1: disk a b: the name must be at most 31 letters,\
 digits, '_', '.' or '-'" <<'END'
disk "a b" { path = x }
END
bad refuse__disk_untitled ":1: missing title for section 'disk'" <<'END'
disk { path = x }
END
bad refuse__same_image ":4: disk b: x is the image of disk a, too: both must\
 be readonly" <<'END'
disk a { path = x
	readonly = yes
}
disk b { path = x }
END
bad refuse__brace_missing ":5: vm: the closing brace is missing" <<'END'
vm {
	memory = 512M
	kernel = x
END
bad refuse__comment_open ": a comment is not closed: add */" <<END
vm { $VM
}
/* to be continued
END
bad refuse__list ":1: vm: unexpected token '{'" <<'END'
vm { vcpus = { 1, 2 }
END
bad refuse__no_value ":2: vm: unexpected token '}'" <<'END'
vm { vcpus =
}
END

atf_test_case refuse__same_image_linked
refuse__same_image_linked_body()
{
	truncate -s 1M x.img
	ln x.img y.img
	ln -s y.img z.img
	printf 'disk a { path = x.img }\ndisk b { path = z.img }\n' >vmmd.conf
	atf_check -s exit:78 -e match:'vmmd.conf:2: disk b: z.img is the image' \
	    "$vmmd" -n -f vmmd.conf
}

atf_test_case refuse__17_disks
refuse__17_disks_body()
{
	printf 'vm { %s\n}\n' "$VM" >vmmd.conf
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		echo "disk d$n { path = $n }" >>vmmd.conf
	done
	atf_check "$vmmd" -n -f vmmd.conf
	echo "disk d17 { path = 17 }" >>vmmd.conf
	atf_check -s exit:78 -e match:'vmmd.conf:20: more than 16 disks' \
	    "$vmmd" -n -f vmmd.conf
}

atf_test_case refuse__not_a_text
refuse__not_a_text_body()
{
	atf_check -s exit:78 -e match:'nowhere: No such file' \
	    "$vmmd" -n -f nowhere
	atf_check -s exit:78 -e match:'is a directory' "$vmmd" -n -f .
	printf 'vm {\0}' >vmmd.conf
	atf_check -s exit:78 -e match:'must be text' "$vmmd" -n -f vmmd.conf
	head -c 2000000 /dev/zero | tr '\0' ' ' >vmmd.conf
	atf_check -s exit:78 -e match:'must be text' "$vmmd" -n -f vmmd.conf
}

atf_test_case accept__installed_example
accept__installed_example_body()
{
	atf_check "$vmmd" -n -f "$VMMD_SRCDIR/etc/vmmd.conf"
}

atf_init_test_cases()
{
	for c in $cases; do
		atf_add_test_case "$c"
	done
	atf_add_test_case refuse__same_image_linked
	atf_add_test_case refuse__17_disks
	atf_add_test_case refuse__not_a_text
	atf_add_test_case accept__installed_example
}
