/* SPDX-License-Identifier: ISC */
/*
 * The terminal of the guest: pipes and a pty at one end, the registers of
 * the serial line at the other.
 */
#include "config.h"

#include <sys/ioctl.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "vmmd/console.h"
#include "vmmd/layout.h"

#define DATA	(LAYOUT_SERIAL + 0)
#define FCR	(LAYOUT_SERIAL + 2)
#define LSR	(LAYOUT_SERIAL + 5)
#define WAIT_MS	10000

struct fixture {
	struct console	*console;
	struct notice	*notice;
	struct gate	*gate;
	struct iobus	 bus;
	int		 input;		/* what the guest reads is written here */
	int		 output;
};

/* No interrupt is ever enabled, so that there need be no KVM. */
static void
setup(struct fixture *f, int in, int out)
{
	memset(&f->bus, 0, sizeof(f->bus));
	f->notice = notice_new();
	f->gate = gate_new();
	ATF_REQUIRE(f->notice != NULL && f->gate != NULL);
	f->console = console_new(in, out, NULL, LAYOUT_SERIAL_GSI, f->notice);
	ATF_REQUIRE(f->console != NULL);
	ATF_REQUIRE_EQ(0, console_attach(f->console, &f->bus));
	ATF_REQUIRE_EQ(0, console_start(f->console, f->gate));
	gate_wait(f->gate, CONSOLE_THREADS);
	gate_open(f->gate);
}

static void
setup_pipes(struct fixture *f)
{
	int in[2], out[2];

	ATF_REQUIRE_EQ(0, pipe2(in, O_CLOEXEC));
	ATF_REQUIRE_EQ(0, pipe2(out, O_CLOEXEC));
	f->input = in[1];
	f->output = out[0];
	setup(f, in[0], out[1]);
}

/* A terminal that has stopped to read: its pipe is full of `*filled` bytes. */
static void
setup_stalled(struct fixture *f, size_t *filled)
{
	static const char old[4096];
	int in[2], out[2];
	ssize_t n;

	ATF_REQUIRE_EQ(0, pipe2(in, O_CLOEXEC));
	ATF_REQUIRE_EQ(0, pipe2(out, O_CLOEXEC));
	f->input = in[1];
	f->output = out[0];
	ATF_REQUIRE_EQ(0, fcntl(out[1], F_SETFL, O_NONBLOCK));
	*filled = 0;
	while ((n = write(out[1], old, sizeof(old))) > 0)
		*filled += (size_t)n;
	ATF_REQUIRE_ERRNO(EAGAIN, n == -1);
	ATF_REQUIRE_EQ(0, fcntl(out[1], F_SETFL, 0));
	setup(f, in[0], out[1]);
}

static void
teardown(struct fixture *f)
{
	console_free(f->console);
	notice_free(f->notice);
	gate_free(f->gate);
	close(f->input);
	if (f->output != -1)
		close(f->output);
}

static uint8_t
in(struct fixture *f, uint16_t port)
{
	uint8_t v;

	iobus_read(&f->bus, port, &v, 1);
	return v;
}

static void
out(struct fixture *f, uint16_t port, uint8_t v)
{
	struct end end = { .reason = 0 };

	iobus_write(&f->bus, port, &v, 1, &end);
}

static uint8_t
read_guest(struct fixture *f)
{
	while (!(in(f, LSR) & 0x01))
		continue;
	return in(f, DATA);
}

ATF_TC_WITHOUT_HEAD(output__arrives_before_the_end);
ATF_TC_BODY(output__arrives_before_the_end, tc)
{
	const char *text = "The guest says this, and powers off.\n";
	struct fixture f;
	char buf[100];
	size_t i;

	(void)tc;
	setup_pipes(&f);
	for (i = 0; i < strlen(text); i++)
		out(&f, DATA, (uint8_t)text[i]);
	ATF_CHECK_EQ(0, console_stop(f.console, WAIT_MS));
	ATF_CHECK_EQ((ssize_t)strlen(text), read(f.output, buf, sizeof(buf)));
	ATF_CHECK_EQ(0, memcmp(text, buf, strlen(text)));
	teardown(&f);
}

/* A terminal that does not read: busy, then lost, and never in the way. */
ATF_TC_WITHOUT_HEAD(output__that_stalls_does_not_stop_the_guest);
ATF_TC_BODY(output__that_stalls_does_not_stop_the_guest, tc)
{
	static char buf[4096];
	struct fixture f;
	size_t filled, sent = 0, got = 0;
	ssize_t n;

	(void)tc;
	setup_stalled(&f, &filled);
	while (in(&f, LSR) & 0x20) {
		out(&f, DATA, (uint8_t)sent++);
		ATF_REQUIRE(sent < 1000000);
	}
	/* The guest does not care, and is not held up. */
	while (sent % 65536 != 0)
		out(&f, DATA, (uint8_t)sent++);
	out(&f, DATA, 'x');
	ATF_CHECK_EQ(0, in(&f, LSR) & 0x20);
	/* Whoever waits for room gets it when the terminal reads again. */
	while (filled > 0) {
		n = read(f.output, buf,
		    filled < sizeof(buf) ? filled : sizeof(buf));
		ATF_REQUIRE(n > 0);
		filled -= (size_t)n;
	}
	while (!(in(&f, LSR) & 0x20) || got == 0) {
		n = read(f.output, buf, sizeof(buf));
		ATF_REQUIRE(n > 0);
		ATF_CHECK_EQ((uint8_t)got, (uint8_t)buf[0]);
		got += (size_t)n;
	}
	/* Nobody reads any more: the end comes all the same. */
	ATF_CHECK_EQ(0, console_stop(f.console, 10));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(output__that_fails_is_forgotten);
ATF_TC_BODY(output__that_fails_is_forgotten, tc)
{
	struct fixture f;
	int i;

	(void)tc;
	signal(SIGPIPE, SIG_IGN);
	setup_pipes(&f);
	close(f.output);
	f.output = -1;
	for (i = 0; i < 200000; i++)
		out(&f, DATA, 'x');
	ATF_CHECK_EQ(0, console_stop(f.console, WAIT_MS));
	ATF_CHECK_EQ(0x60, in(&f, LSR) & 0x60);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(input__waits_for_the_guest);
ATF_TC_BODY(input__waits_for_the_guest, tc)
{
	uint8_t bytes[1000];
	struct fixture f;
	size_t i;

	(void)tc;
	setup_pipes(&f);
	out(&f, FCR, 0x01);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;	/* Ctrl-A among them: no terminal */
	ATF_REQUIRE_EQ((ssize_t)sizeof(bytes),
	    write(f.input, bytes, sizeof(bytes)));
	for (i = 0; i < sizeof(bytes); i++)
		ATF_REQUIRE_EQ(bytes[i], read_guest(&f));
	ATF_CHECK_EQ(0, console_stop(f.console, WAIT_MS));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(input__nobody_reads_does_not_hold_the_end);
ATF_TC_BODY(input__nobody_reads_does_not_hold_the_end, tc)
{
	uint8_t bytes[1000] = { 0 };
	struct fixture f;

	(void)tc;
	setup_pipes(&f);
	ATF_REQUIRE_EQ((ssize_t)sizeof(bytes),
	    write(f.input, bytes, sizeof(bytes)));
	ATF_CHECK_EQ(0, console_stop(f.console, WAIT_MS));
	teardown(&f);
}

/* /dev/null and files cannot be waited for, and need not be. */
ATF_TC_WITHOUT_HEAD(input__end_of_file);
ATF_TC_BODY(input__end_of_file, tc)
{
	struct fixture f;
	int fds[2];

	(void)tc;
	ATF_REQUIRE_EQ(0, pipe2(fds, O_CLOEXEC));
	f.input = fds[1];
	f.output = fds[0];
	setup(&f, open("/dev/null", O_RDONLY | O_CLOEXEC),
	    open("/dev/null", O_WRONLY | O_CLOEXEC));
	out(&f, DATA, 'x');
	ATF_CHECK_EQ(0, console_stop(f.console, WAIT_MS));
	teardown(&f);
}

/* --- a terminal -------------------------------------------------------- */

static void
setup_pty(struct fixture *f)
{
	struct termios raw;
	int pty, tty;

	pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pty == -1 || grantpt(pty) == -1 || unlockpt(pty) == -1)
		atf_tc_skip("no pty here");
	tty = open(ptsname(pty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ATF_REQUIRE(tty != -1);
	ATF_REQUIRE_EQ(0, tcgetattr(tty, &raw));
	cfmakeraw(&raw);
	ATF_REQUIRE_EQ(0, tcsetattr(tty, TCSANOW, &raw));
	f->input = pty;
	f->output = -1;
	setup(f, tty, fcntl(tty, F_DUPFD_CLOEXEC, 3));
}

ATF_TC_WITHOUT_HEAD(terminal__escape_ends_the_machine);
ATF_TC_BODY(terminal__escape_ends_the_machine, tc)
{
	struct pollfd p = { .events = POLLIN };
	struct fixture f;
	struct end end;
	uint32_t stuck;

	(void)tc;
	setup_pty(&f);
	ATF_REQUIRE_EQ(2, write(f.input, "\001x", 2));
	p.fd = notice_fd(f.notice);
	ATF_REQUIRE_EQ(1, poll(&p, 1, WAIT_MS));
	ATF_CHECK(notice_take(f.notice, &stuck, &end));
	ATF_CHECK_EQ(PROTO_EXIT_STOPPED, end.reason);
	ATF_CHECK_EQ(0, console_stop(f.console, WAIT_MS));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(terminal__other_keys_pass);
ATF_TC_BODY(terminal__other_keys_pass, tc)
{
	const char *want = "ab\001c\003d";
	struct fixture f;
	size_t i;

	(void)tc;
	setup_pty(&f);
	out(&f, FCR, 0x01);
	/* Ctrl-A twice is one; before another key it is none. */
	ATF_REQUIRE_EQ(8, write(f.input, "ab\001\001c\003\001d", 8));
	for (i = 0; i < strlen(want); i++)
		ATF_CHECK_EQ((uint8_t)want[i], read_guest(&f));
	ATF_CHECK_EQ(0, console_stop(f.console, WAIT_MS));
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, output__arrives_before_the_end);
	ATF_TP_ADD_TC(tp, output__that_stalls_does_not_stop_the_guest);
	ATF_TP_ADD_TC(tp, output__that_fails_is_forgotten);
	ATF_TP_ADD_TC(tp, input__waits_for_the_guest);
	ATF_TP_ADD_TC(tp, input__nobody_reads_does_not_hold_the_end);
	ATF_TP_ADD_TC(tp, input__end_of_file);
	ATF_TP_ADD_TC(tp, terminal__escape_ends_the_machine);
	ATF_TP_ADD_TC(tp, terminal__other_keys_pass);
	return atf_no_error();
}
