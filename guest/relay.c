// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of guest/run: starts the virtual machine, ties our standard
 * streams to the guest's command over the channel, keeps the time limit, has the
 * console log read (console.c) and removes the run directory.
 *
 * usage: relay -d RUNDIR [-c CONSOLE] [-t SECONDS] [-f] -- MACHINE [ARG]...
 *
 *   -d  the run directory; removed at the end
 *   -c  where the console log goes; default RUNDIR/console
 *   -t  time limit, 0 is none
 *   -f  large pieces of stdin go through files of the run directory
 *
 * The machine gets the channel, a stream socket, as descriptor 3 and the console
 * log as descriptors 1, 2 and 4 (QEMU takes none of the first three).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"
#include "proto.h"

#define INLINE_MAX	256		/* bytes of stdin worth a file with -f */

/**
 * struct out - bytes for one of our output streams
 * @buf: what the guest has sent; WINDOW bounds it
 * @len: bytes in @buf
 * @closed: writing failed, the rest is thrown away
 * @regular: writing to it never blocks
 */
static struct out {
	char *buf;
	size_t len;
	bool closed;
	bool regular;
} outs[3];

static const char *rundir;
static const char *console;
static bool use_files;
static bool hello;		/* the guest listens */
static bool have_status;
static int status;		/* of the command */
static char *error;		/* from the guest's init */
static int chan;
static pid_t machine;
static int machine_status;
static bool machine_ended;
static int wake[2];		/* written by signal handlers */
static volatile sig_atomic_t got_signal, timed_out, resized;
static uint32_t stdin_credit = WINDOW;
static bool stdin_done;
static char *sendbuf;		/* what the channel has not yet taken */
static size_t sendlen;
static size_t sendmax;
static struct termios saved_tio;
static bool raw_tty;

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

/* Ends the machine with all its processes, and waits for them. */
static void kill_machine(void)
{
	int st;
	pid_t pid;

	if (machine <= 0)
		return;
	/* It leads a session of its own; its helpers are in that group. */
	kill(-machine, SIGKILL);
	kill(machine, SIGKILL);
	/* Orphans become our children: we are a subreaper. */
	while ((pid = waitpid(-1, &st, __WALL)) > 0 || errno == EINTR)
		if (pid == machine) {
			machine_status = st;
			machine_ended = true;
		}
	machine = 0;
}

static void restore_tty(void)
{
	if (raw_tty)
		tcsetattr(0, TCSADRAIN, &saved_tio);
	raw_tty = false;
}

static void cleanup(void)
{
	kill_machine();
	restore_tty();
	if (rundir)
		nftw(rundir, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

static void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *fmt, ...)
{
	char msg[2 * PATH_MAX];
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	cleanup();
	if (err)
		complain("%s: %s", msg, strerror(err));
	else
		complain("%s", msg);
	exit(STATUS_RUNNER);
}

static void on_signal(int sig)
{
	int err = errno;

	if (sig == SIGALRM)
		timed_out = 1;
	else if (sig == SIGWINCH)
		resized = 1;
	else if (sig != SIGCHLD)
		got_signal = sig;
	if (write(wake[1], "", 1) < 0)
		err = errno;
	errno = err;
}

static void write_file(const char *name, const void *data, size_t len)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", rundir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		fail("%s", path);
	close(fd);
}

/* Tells the guest of what it should start from: see guest/init.c. */
static void describe_caller(void)
{
	struct rlimit limits[RLIM_NLIMITS];
	char cwd[PATH_MAX];
	int i;

	if (!getcwd(cwd, sizeof(cwd)))
		fail("working directory");
	write_file("cwd", cwd, strlen(cwd));
	for (i = 0; i < (int)RLIM_NLIMITS; i++)
		getrlimit(i, &limits[i]);
	write_file("limits", limits, sizeof(limits));
}

/* Starts the machine, with the channel and the console log in place. */
static void start_machine(char **argv)
{
	struct rlimit lim;
	pid_t us = getpid();
	int pair[2], i, fd;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		fail("socketpair");
	i = 1 << 20;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &i, sizeof(i));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &i, sizeof(i));
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	chan = pair[0];
	prctl(PR_SET_CHILD_SUBREAPER, 1);

	machine = fork();
	if (machine < 0)
		fail("fork");
	if (machine)
		goto parent;

	/* User-mode Linux signals its whole group when it panics. */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != us)
		_exit(STATUS_RUNNER);
	/* Every file open in the guest is open here. */
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = 0;
	lim.rlim_max = 0;
	setrlimit(RLIMIT_CORE, &lim);
	getrlimit(RLIMIT_STACK, &lim);
	lim.rlim_cur = 8 << 20;
	if (lim.rlim_max == RLIM_INFINITY || lim.rlim_cur < lim.rlim_max)
		setrlimit(RLIMIT_STACK, &lim);
	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);

	fd = open(console, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
	if (fd < 0) {
		complain("%s: %s", console, strerror(errno));
		_exit(STATUS_RUNNER);
	}
	fd = fcntl(fd, F_DUPFD, 10);
	i = fcntl(pair[1], F_DUPFD, 10);
	dup2(i, 3);
	dup2(fd, 1);
	dup2(fd, 2);
	dup2(fd, 4);
	close(0);
	open("/dev/null", O_RDONLY);
	close_range(5, ~0U, 0);
	execvp(argv[0], argv);
	dprintf(2, "guest/run: %s: %s\n", argv[0], strerror(errno));
	_exit(STATUS_RUNNER);
parent:
	close(pair[1]);
}

static void queue(const void *data, size_t len)
{
	if (sendlen + len > sendmax) {
		sendmax = 2 * (sendlen + len);
		sendbuf = realloc(sendbuf, sendmax);
		if (!sendbuf)
			fail("memory");
	}
	memcpy(sendbuf + sendlen, data, len);
	sendlen += len;
}

static void queue_frame(int type, int stream, const void *data, uint32_t len)
{
	struct frame f = {
		.magic = FRAME_MAGIC, .type = type, .stream = stream, .len = len,
	};

	queue(&f, sizeof(f));
	queue(data, len);
}

static void flush_channel(void)
{
	size_t done = 0;

	while (done < sendlen) {
		ssize_t n = send(chan, sendbuf + done, sendlen - done,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		done += n;
	}
	memmove(sendbuf, sendbuf + done, sendlen - done);
	sendlen -= done;
}

static void read_stdin(void)
{
	static char buf[CHUNK];
	static uint32_t serial;
	size_t max = sizeof(buf);
	ssize_t n;

	if (max > stdin_credit)
		max = stdin_credit;
	n = read(0, buf, max);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		stdin_done = true;
		queue_frame(FRAME_EOF, 0, "", 0);
		return;
	}
	stdin_credit -= n;
	if (use_files && n > INLINE_MAX) {
		struct chunk c = { .serial = serial++, .len = n };
		char name[32];

		snprintf(name, sizeof(name), "in.%u", c.serial);
		write_file(name, buf, n);
		queue_frame(FRAME_FILE, 0, &c, sizeof(c));
	} else {
		queue_frame(FRAME_DATA, 0, buf, n);
	}
}

static void send_winsize(void)
{
	struct winsize ws;

	if (!ioctl(0, TIOCGWINSZ, &ws))
		queue_frame(FRAME_WINSIZE, 0, &ws, sizeof(ws));
}

/* Passes on what the guest has written to stream @i, as far as it is taken. */
static void write_out(int i)
{
	struct out *o = &outs[i];
	uint32_t done;
	size_t max = o->len;
	ssize_t n;

	if (!o->len)
		return;
	/* After POLLOUT a pipe takes this much without blocking. */
	if (!o->regular && max > PIPE_BUF)
		max = PIPE_BUF;
	n = o->closed ? (ssize_t)o->len : write(i, o->buf, max);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		if (errno != EPIPE)
			complain("write to descriptor %d: %s", i, strerror(errno));
		o->closed = true;
		queue_frame(FRAME_CLOSED, i, "", 0);
		n = o->len;
	}
	memmove(o->buf, o->buf + n, o->len - n);
	o->len -= n;
	done = n;
	queue_frame(FRAME_CREDIT, i, &done, sizeof(done));
}

static void handle_frame(const struct frame *f, const char *data)
{
	struct out *o = &outs[f->stream];
	uint32_t credit;
	int32_t st;

	switch (f->type) {
	case FRAME_HELLO:
		hello = true;
		if (raw_tty)
			send_winsize();
		break;
	case FRAME_DATA:
		if (o->len + f->len > WINDOW) {
			errno = EPROTO;
			fail("the guest sends more than it may");
		}
		memcpy(o->buf + o->len, data, f->len);
		o->len += f->len;
		break;
	case FRAME_CLOSED:
		stdin_done = true;
		break;
	case FRAME_CREDIT:
		memcpy(&credit, data, sizeof(credit));
		stdin_credit += credit;
		break;
	case FRAME_EXIT:
		memcpy(&st, data, sizeof(st));
		status = st;
		have_status = true;
		break;
	case FRAME_ERROR:
		free(error);
		error = strndup(data, f->len);
		break;
	}
}

/* Returns false when the machine has closed the channel. */
static bool read_channel(void)
{
	static char buf[2 * (sizeof(struct frame) + CHUNK)];
	static size_t len;
	struct frame f;
	size_t pos = 0;
	ssize_t n;

	n = recv(chan, buf + len, sizeof(buf) - len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	len += n;
	while (len - pos >= sizeof(f)) {
		memcpy(&f, buf + pos, sizeof(f));
		if (f.magic != FRAME_MAGIC || f.len > CHUNK || f.stream > 2) {
			errno = EPROTO;
			fail("channel to the guest");
		}
		if (len - pos < sizeof(f) + f.len)
			break;
		handle_frame(&f, buf + pos + sizeof(f));
		pos += sizeof(f) + f.len;
	}
	memmove(buf, buf + pos, len - pos);
	len -= pos;
	return true;
}

/* Relays until the command, the machine or our patience has come to an end. */
static void relay(void)
{
	bool open = true;

	while (!have_status && !error && !got_signal && !timed_out) {
		struct pollfd p[5] = {
			{ .fd = wake[0], .events = POLLIN },
			{ .fd = open ? chan : -1, .events = POLLIN },
			{ .fd = -1, .events = POLLIN },
			{ .fd = -1, .events = POLLOUT },
			{ .fd = -1, .events = POLLOUT },
		};
		char drop[64];
		int i, st;
		pid_t pid;

		if (sendlen && open)
			p[1].events |= POLLOUT;
		if (hello && !stdin_done && stdin_credit)
			p[2].fd = 0;
		for (i = 1; i < 3; i++)
			if (outs[i].len)
				p[i + 2].fd = i;
		if (poll(p, 5, -1) < 0 && errno != EINTR)
			fail("poll");

		if (p[0].revents) {
			while (read(wake[0], drop, sizeof(drop)) > 0)
				;
			while ((pid = waitpid(-1, &st, WNOHANG | __WALL)) > 0)
				if (pid == machine) {
					machine_status = st;
					machine_ended = true;
				}
		}
		if (p[1].revents & (POLLIN | POLLHUP | POLLERR))
			open = read_channel();
		if (p[2].revents)
			read_stdin();
		for (i = 1; i < 3; i++)
			if (p[i + 2].revents)
				write_out(i);
		if (resized && raw_tty) {
			resized = 0;
			send_winsize();
		}
		if (open && sendlen)
			flush_channel();
		/* Its last words may still be in the socket. */
		if (machine_ended && open) {
			while (open && !have_status && !error) {
				struct pollfd last = { .fd = chan, .events = POLLIN };

				if (poll(&last, 1, 0) <= 0)
					break;
				open = read_channel();
			}
			break;
		}
		if (machine_ended)
			break;
	}
}

static void set_signals(void)
{
	static const int sigs[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD, SIGWINCH,
	};
	struct sigaction sa = { .sa_handler = on_signal };
	size_t i;

	for (i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		struct sigaction old;

		/* nohup and background jobs of a shell have them ignored. */
		sigaction(sigs[i], NULL, &old);
		if (old.sa_handler == SIG_IGN && sigs[i] != SIGCHLD &&
		    sigs[i] != SIGALRM)
			continue;
		sigaction(sigs[i], &sa, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static char default_console[PATH_MAX];
	double timeout = 0;
	bool report;
	int opt, i;

	while ((opt = getopt(argc, argv, "+d:c:t:f")) != -1) {
		switch (opt) {
		case 'd':
			rundir = optarg;
			break;
		case 'c':
			console = optarg;
			break;
		case 't':
			timeout = strtod(optarg, NULL);
			break;
		case 'f':
			use_files = true;
			break;
		default:
			return STATUS_RUNNER;
		}
	}
	if (!rundir || optind == argc) {
		complain("relay is started by guest/run");
		return STATUS_RUNNER;
	}
	if (!console) {
		snprintf(default_console, sizeof(default_console), "%s/console",
			 rundir);
		console = default_console;
	}
	/* 0 to 2 may be closed; the channel must not become one of them. */
	while ((i = open("/dev/null", O_RDWR)) >= 0 && i < 3)
		;
	if (i >= 0)
		close(i);

	if (pipe2(wake, O_NONBLOCK | O_CLOEXEC))
		fail("pipe");
	set_signals();
	describe_caller();
	for (i = 1; i < 3; i++) {
		struct stat st;

		outs[i].buf = malloc(WINDOW);
		outs[i].regular = !fstat(i, &st) && S_ISREG(st.st_mode);
	}
	if (isatty(0) && isatty(1) && !tcgetattr(0, &saved_tio)) {
		struct termios tio = saved_tio;

		cfmakeraw(&tio);
		raw_tty = true;
		tcsetattr(0, TCSADRAIN, &tio);
	}
	start_machine(argv + optind);
	if (timeout > 0) {
		/* Again every second, should the first one find us in write(). */
		struct itimerval it = {
			.it_value.tv_sec = (time_t)timeout,
			.it_value.tv_usec = (timeout - (time_t)timeout) * 1e6 + 1,
			.it_interval.tv_sec = 1,
		};

		setitimer(ITIMER_REAL, &it, NULL);
	}

	relay();

	kill_machine();
	for (i = 1; i < 3; i++)
		while (outs[i].len && !outs[i].closed && !got_signal && !timed_out)
			write_out(i);
	restore_tty();
	report = console_reports(console, !have_status && !error && !timed_out &&
				 !got_signal);
	if (error) {
		complain("%s", error);
		status = STATUS_RUNNER;
	} else if (got_signal) {
		status = 128 + got_signal;
	} else if (!have_status && timed_out) {
		complain("time limit of %g s reached", timeout);
		status = STATUS_TIMEOUT;
	} else if (!have_status) {
		if (WIFSIGNALED(machine_status))
			complain("the machine was ended by signal %d before the command ended",
				 WTERMSIG(machine_status));
		else
			complain("the machine stopped (status %d) before the command ended",
				 WEXITSTATUS(machine_status));
		status = STATUS_RUNNER;
	}
	if (report)
		status = STATUS_REPORT;
	cleanup();
	return status;
}
