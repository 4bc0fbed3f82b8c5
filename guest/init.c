// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of a guest of guest/run.
 *
 * The kernel boots with guest/run's run directory as its root. It holds this
 * program and what it needs to know:
 *
 *   conf    key=value records, each ended by a NUL; see struct conf
 *   argv    the command and its arguments, each ended by a NUL
 *   env     the caller's environment, as /proc/PID/environ has it
 *   cwd     the caller's working directory
 *   limits  the caller's resource limits, an array of struct rlimit
 *
 * It builds the guest's root (the host's read-only, under a tmpfs, with overlayfs),
 * runs the command with its standard streams tied to the channel, reports the exit
 * status and waits to be ended by the host.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "proto.h"

#define MAX_LIST	4096	/* records of one kind in conf */

/**
 * struct list - the values of a key that may come several times
 * @v: the values, in order
 * @n: how many
 */
struct list {
	char *v[MAX_LIST];
	int n;
};

/**
 * struct conf - what the run directory says
 * @qemu: the host's files come over 9p, not hostfs
 * @tty: the command gets a pseudo terminal for its stdin and stdout
 * @tty_err: and for its stderr
 * @root: the host directory to use as root
 * @glibc: the host directory of the patched glibc, or NULL
 * @hostname: the name of the guest
 * @uid: user to run the command as
 * @gid: group to run the command as
 * @umask: file mode creation mask of the command
 * @rw: directories that are writable for real
 * @libs: files below @glibc to be seen at their path in the guest
 * @sysctls: K=V
 * @groups: supplementary groups
 */
static struct conf {
	bool qemu;
	bool tty;
	bool tty_err;
	char *root;
	char *glibc;
	char *hostname;
	uid_t uid;
	gid_t gid;
	mode_t umask;
	struct list rw;
	struct list libs;
	struct list sysctls;
	struct list groups;
} conf;

/**
 * struct stream - one of the command's standard streams, seen from here
 * @fd: our end of the pipe or terminal, or -1
 * @credit: bytes that may still be sent to the host (stdout, stderr)
 * @buf: bytes waiting to be taken by the command (stdin)
 * @len: number of bytes in @buf
 * @eof: the host has no more (stdin)
 */
static struct stream {
	int fd;
	uint32_t credit;
	char *buf;
	size_t len;
	bool eof;
} streams[3];

static int chan = -1;	/* the channel to the host */
static int rundir = -1;	/* the run directory */

static void write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, -1);
			continue;
		}
		if (n <= 0)
			return;
		p += n;
		len -= n;
	}
}

static void send_frame(int type, int stream, const void *buf, uint32_t len)
{
	static char out[sizeof(struct frame) + CHUNK];
	struct frame f = {
		.magic = FRAME_MAGIC, .type = type, .stream = stream, .len = len,
	};

	/* One write a frame: each is a trip through the tty layer. */
	memcpy(out, &f, sizeof(f));
	memcpy(out + sizeof(f), buf, len);
	write_all(chan, out, sizeof(f) + len);
}

/* The host ends the guest as soon as it has the last frame. */
static void __attribute__((noreturn)) finish(void)
{
	sleep(30);
	sync();
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	for (;;)
		pause();
}

static void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *fmt, ...)
{
	char msg[2 * PATH_MAX];
	va_list ap;
	int err = errno;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(msg))
		n = sizeof(msg) - 1;
	if (err)
		n += snprintf(msg + n, sizeof(msg) - n, ": %s", strerror(err));
	if (n >= (int)sizeof(msg))
		n = sizeof(msg) - 1;
	if (chan < 0) {
		int fd = open("/dev/kmsg", O_WRONLY);

		dprintf(fd, "<3>guest init: %s\n", msg);
		reboot(LINUX_REBOOT_CMD_POWER_OFF);
	}
	send_frame(FRAME_ERROR, 0, msg, n);
	finish();
}

/* Returns the bytes of a file of the run directory, with a NUL after them. */
static char *slurp(const char *name, size_t *len)
{
	size_t size = 65536, n = 0;
	char *buf = malloc(size + 1);
	int fd = openat(rundir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail("%s", name);
	for (;;) {
		ssize_t r = read(fd, buf + n, size - n);

		if (r < 0)
			fail("%s", name);
		if (!r)
			break;
		n += r;
		if (n == size) {
			size *= 2;
			buf = realloc(buf, size + 1);
		}
	}
	close(fd);
	buf[n] = '\0';
	*len = n;
	return buf;
}

/* Turns NUL-ended records into a NULL-ended vector. */
static char **vector(char *buf, size_t len)
{
	size_t i, n = 0, max = 2;
	char **v, *p;

	for (i = 0; i < len; i++)
		max += !buf[i];
	v = calloc(max, sizeof(*v));
	for (p = buf; p < buf + len; p += strlen(p) + 1)
		v[n++] = p;
	return v;
}

static void add(struct list *list, char *value)
{
	if (list->n == MAX_LIST) {
		errno = E2BIG;
		fail("conf");
	}
	list->v[list->n++] = value;
}

static void read_conf(void)
{
	size_t len;
	char *buf = slurp("conf", &len);
	char **v;

	conf.root = "/";
	conf.hostname = "guest";
	for (v = vector(buf, len); *v; v++) {
		char *value = strchr(*v, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (!strcmp(*v, "qemu"))
			conf.qemu = true;
		else if (!strcmp(*v, "tty"))
			conf.tty = true;
		else if (!strcmp(*v, "tty_err"))
			conf.tty_err = true;
		else if (!strcmp(*v, "root"))
			conf.root = value;
		else if (!strcmp(*v, "glibc"))
			conf.glibc = value;
		else if (!strcmp(*v, "hostname"))
			conf.hostname = value;
		else if (!strcmp(*v, "uid"))
			conf.uid = strtoul(value, NULL, 10);
		else if (!strcmp(*v, "gid"))
			conf.gid = strtoul(value, NULL, 10);
		else if (!strcmp(*v, "umask"))
			conf.umask = strtoul(value, NULL, 8);
		else if (!strcmp(*v, "group"))
			add(&conf.groups, value);
		else if (!strcmp(*v, "rw"))
			add(&conf.rw, value);
		else if (!strcmp(*v, "lib"))
			add(&conf.libs, value);
		else if (!strcmp(*v, "sysctl"))
			add(&conf.sysctls, value);
	}
}

/* Finds the virtio port that the host has named for us. */
static int open_port(void)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		char path[PATH_MAX], name[64];
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
			 de->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, name, sizeof(name) - 1);
		close(fd);
		if (n < (ssize_t)strlen(PORT_NAME) ||
		    strncmp(name, PORT_NAME, strlen(PORT_NAME)))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", de->d_name);
		closedir(dir);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return -1;
}

/* In User-mode Linux there is no such port, but a serial line. */
static void open_channel(void)
{
	int fd, tries;

	/* A port appears when the driver has talked to the device. */
	for (tries = 0; tries < 500; tries++) {
		struct termios tio;

		fd = open_port();
		if (fd < 0 && access("/proc/exitcode", F_OK) == 0) {
			fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
			if (fd >= 0 && !tcgetattr(fd, &tio)) {
				cfmakeraw(&tio);
				tio.c_cflag |= CLOCAL;
				tcsetattr(fd, TCSANOW, &tio);
			}
		}
		if (fd >= 0)
			break;
		usleep(10000);
	}
	if (fd < 0)
		fail("no channel to the host");
	chan = fd;
	errno = 0;
}

/* mkdir -p; the last component, too. */
static void make_dirs(const char *path, mode_t mode)
{
	char buf[PATH_MAX];
	char *p;

	snprintf(buf, sizeof(buf), "%s", path);
	for (p = buf + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	mkdir(buf, mode);
}

/* A mount that the command can do without, depending on the kernel. */
static void mount_maybe(const char *type, const char *dir, const char *data)
{
	struct stat st;

	if (stat(dir, &st))
		mkdir(dir, 0755);
	mount(type, dir, type, MS_NOSUID | MS_NODEV, data);
}

/*
 * Mounts the host's directory @path, which QEMU offers as @tag, on @dir.
 *
 * For 9p: cache=loose on what nobody changes, so that files can be mapped and are
 * read once. cache=mmap on what the host may look at or change meanwhile.
 */
static void mount_host(const char *path, const char *tag, const char *dir,
		       bool writable)
{
	unsigned long flags = writable ? 0 : MS_RDONLY;
	char data[128];

	if (!conf.qemu) {
		if (mount("host", dir, "hostfs", flags, path))
			fail("hostfs on %s", path);
		return;
	}
	snprintf(data, sizeof(data),
		 "trans=virtio,version=9p2000.L,access=any,msize=507904,cache=%s",
		 writable ? "mmap" : "loose");
	if (mount(tag, dir, "9p", flags, data))
		fail("9p on %s", path);
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

/* What is seen at @path in the overlay, to be bound over a later mount. */
static int grab(const char *path)
{
	char buf[2 * PATH_MAX + 8];

	snprintf(buf, sizeof(buf), "/new%s", path);
	return open(buf, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void bind_fd(int fd, const char *path)
{
	char src[64];

	snprintf(src, sizeof(src), "/proc/self/fd/%d", fd);
	make_dirs(path, 0755);
	if (mount(src, path, NULL, MS_BIND, NULL))
		fail("bind on %s", path);
}

static void make_node(const char *path, mode_t mode, int major, int minor)
{
	mode_t old;

	if (!access(path, F_OK))
		return;
	old = umask(0);
	mknod(path, mode, makedev(major, minor));
	umask(old);
}

/* /dev as programs expect it, whether or not devtmpfs is there. */
static void fill_dev(void)
{
	make_node("/dev/null", S_IFCHR | 0666, 1, 3);
	make_node("/dev/zero", S_IFCHR | 0666, 1, 5);
	make_node("/dev/full", S_IFCHR | 0666, 1, 7);
	make_node("/dev/random", S_IFCHR | 0666, 1, 8);
	make_node("/dev/urandom", S_IFCHR | 0666, 1, 9);
	make_node("/dev/kmsg", S_IFCHR | 0644, 1, 11);
	make_node("/dev/tty", S_IFCHR | 0666, 5, 0);
	make_node("/dev/console", S_IFCHR | 0600, 5, 1);
	make_node("/dev/ttyS0", S_IFCHR | 0600, 4, 64);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("fd/0", "/dev/stdin");
	symlink("fd/1", "/dev/stdout");
	symlink("fd/2", "/dev/stderr");
	mkdir("/dev/pts", 0755);
	mkdir("/dev/shm", 01777);
	mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	      "mode=620,gid=5,ptmxmode=666");
	if (access("/dev/ptmx", F_OK))
		symlink("pts/ptmx", "/dev/ptmx");
	if (mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
		fail("tmpfs on /dev/shm");
	mount_maybe("mqueue", "/dev/mqueue", NULL);
	mount_maybe("hugetlbfs", "/dev/hugepages", NULL);
}

/* The directory of the command, if it was named with a path. */
static char *command_dir(const char *command, const char *cwd)
{
	static char path[2 * PATH_MAX];
	char *slash;

	if (!strchr(command, '/'))
		return NULL;
	if (command[0] == '/')
		snprintf(path, sizeof(path), "%s", command);
	else
		snprintf(path, sizeof(path), "%s/%s", cwd, command);
	slash = strrchr(path, '/');
	*slash = '\0';
	return path;
}

/*
 * Builds the root of the guest and makes it ours.
 *
 * The run directory stays mounted underneath; @rundir keeps it in reach.
 */
static void build_root(const char *cwd, const char *command)
{
	int fd_cwd = -1, fd_cmd = -1, fd_glibc = -1;
	const char *cmd_dir = command_dir(command, cwd);
	struct stat a, b;
	int i;

	if (mount("tmpfs", "/tmp", "tmpfs", 0, "mode=755,size=90%"))
		fail("tmpfs");
	mkdir("/tmp/upper", 0755);
	mkdir("/tmp/work", 0755);
	mount_host(conf.root, "root", "/low", false);
	if (!stat("/low", &a)) {
		chmod("/tmp/upper", a.st_mode & 07777);
		chown("/tmp/upper", a.st_uid, a.st_gid);
	}
	if (mount("overlay", "/new", "overlay", 0,
		  "lowerdir=/low,upperdir=/tmp/upper,workdir=/tmp/work"))
		fail("overlay");
	if (conf.glibc) {
		mount_host(conf.glibc, "glibc", "/glibc", false);
		fd_glibc = open("/glibc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}

	/* What lies below /tmp must still show under the tmpfs. */
	if (below(cwd, "/tmp") && strcmp(cwd, "/tmp"))
		fd_cwd = grab(cwd);
	if (cmd_dir && below(cmd_dir, "/tmp") && strcmp(cmd_dir, "/tmp") &&
	    !(fd_cwd >= 0 && below(cmd_dir, cwd)))
		fd_cmd = grab(cmd_dir);

	mkdir("/new/proc", 0555);
	mkdir("/new/sys", 0555);
	mkdir("/new/dev", 0755);
	mkdir("/new/tmp", 01777);
	if (mount("/proc", "/new/proc", NULL, MS_MOVE, NULL) ||
	    mount("/sys", "/new/sys", NULL, MS_MOVE, NULL) ||
	    mount("/dev", "/new/dev", NULL, MS_MOVE, NULL) ||
	    chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		fail("root");

	if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
		fail("tmpfs on /tmp");
	fill_dev();
	mount_maybe("debugfs", "/sys/kernel/debug", NULL);
	mount_maybe("tracefs", "/sys/kernel/tracing", NULL);
	mount_maybe("cgroup2", "/sys/fs/cgroup", NULL);

	if (fd_cmd >= 0)
		bind_fd(fd_cmd, cmd_dir);
	if (fd_cwd >= 0)
		bind_fd(fd_cwd, cwd);
	for (i = 0; i < conf.rw.n; i++) {
		char tag[16];

		snprintf(tag, sizeof(tag), "rw%d", i);
		make_dirs(conf.rw.v[i], 0755);
		mount_host(conf.rw.v[i], tag, conf.rw.v[i], true);
	}

	for (i = 0; i < conf.libs.n; i++) {
		char src[PATH_MAX + 64];

		/*
		 * Bound over what is there; a file the root lacks stays away.
		 * Two names may lead to one file.
		 */
		snprintf(src, sizeof(src), "/proc/self/fd/%d%s", fd_glibc,
			 conf.libs.v[i]);
		if (stat(src, &a) || stat(conf.libs.v[i], &b) ||
		    (a.st_dev == b.st_dev && a.st_ino == b.st_ino))
			continue;
		if (mount(src, conf.libs.v[i], NULL, MS_BIND, NULL))
			fail("bind of the patched %s", conf.libs.v[i]);
	}
	if (fd_cmd >= 0)
		close(fd_cmd);
	if (fd_cwd >= 0)
		close(fd_cwd);
	if (fd_glibc >= 0)
		close(fd_glibc);
	errno = 0;
}

static void apply_sysctls(void)
{
	int i, fd;

	for (i = 0; i < conf.sysctls.n; i++) {
		char *key = conf.sysctls.v[i];
		char *value = strchr(key, '=');
		char path[PATH_MAX];
		char *p;

		if (!value)
			continue;
		*value++ = '\0';
		/* A name with slashes may have dots in it, as in sysctl(8). */
		if (!strchr(key, '/'))
			for (p = key; *p; p++)
				if (*p == '.')
					*p = '/';
		snprintf(path, sizeof(path), "/proc/sys/%s", key);
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		if (fd < 0)
			fail("sysctl %s", key);
		if (write(fd, value, strlen(value)) < 0)
			fail("sysctl %s=%s", key, value);
		close(fd);
	}
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

/* In the child: becomes the command. */
static void __attribute__((noreturn))
exec_command(char **argv, char **env, const char *cwd)
{
	struct rlimit limits[RLIM_NLIMITS];
	gid_t groups[MAX_LIST];
	sigset_t none;
	size_t len;
	char *buf;
	int i;

	buf = slurp("limits", &len);
	if (len == sizeof(limits)) {
		memcpy(limits, buf, len);
		for (i = 0; i < (int)RLIM_NLIMITS; i++)
			setrlimit(i, &limits[i]);
	}
	for (i = 0; i < conf.groups.n; i++)
		groups[i] = strtoul(conf.groups.v[i], NULL, 10);
	setgroups(conf.groups.n, groups);
	setresgid(conf.gid, conf.gid, conf.gid);
	setresuid(conf.uid, conf.uid, conf.uid);
	umask(conf.umask);
	/* The caller's directory need not be in a root given with --root. */
	if (chdir(cwd) && chdir("/"))
		_exit(STATUS_RUNNER);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	environ = env;
	execvp(argv[0], argv);
	i = errno;
	dprintf(2, "guest/run: %s: %s\n", argv[0],
		i == ENOENT ? "command not found" : strerror(i));
	_exit(i == ENOENT ? STATUS_NOENT : STATUS_NOEXEC);
}

/* Opens a pseudo terminal; returns the master, and the slave in @slave. */
static int open_terminal(int *slave)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char *name;

	if (fd < 0 || grantpt(fd) || unlockpt(fd))
		fail("pseudo terminal");
	name = ptsname(fd);
	*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		fail("%s", name);
	fchown(*slave, conf.uid, -1);
	return fd;
}

/* Starts the command with its streams tied to @streams; returns its PID. */
static pid_t start(char **argv, char **env, const char *cwd)
{
	int theirs[3] = { -1, -1, -1 };
	int i, slave = -1;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		bool tty = i == 2 ? conf.tty_err : conf.tty;
		int p[2];

		streams[i].credit = WINDOW;
		streams[i].fd = -1;
		if (tty) {
			/* stdin's is the master; its output is our stdout. */
			if (slave < 0)
				streams[0].fd = open_terminal(&slave);
			if (i == 1)
				streams[1].fd = fcntl(streams[0].fd,
						      F_DUPFD_CLOEXEC, 3);
			theirs[i] = slave;
			continue;
		}
		if (pipe2(p, O_CLOEXEC))
			fail("pipe");
		/* /dev/stdout may be opened again by a command that is not root. */
		fchown(p[0], conf.uid, conf.gid);
		fcntl(p[0], F_SETPIPE_SZ, 1 << 18);
		streams[i].fd = i ? p[0] : p[1];
		theirs[i] = i ? p[1] : p[0];
	}
	for (i = 0; i < 3; i++)
		if (streams[i].fd >= 0)
			fcntl(streams[i].fd, F_SETFL, O_NONBLOCK);

	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		setsid();
		if (slave >= 0)
			ioctl(slave, TIOCSCTTY, 0);
		/* Away from 0 to 2, so that none is overwritten too early. */
		for (i = 0; i < 3; i++)
			theirs[i] = fcntl(theirs[i], F_DUPFD_CLOEXEC, 3);
		for (i = 0; i < 3; i++)
			dup2(theirs[i], i);
		exec_command(argv, env, cwd);
	}
	for (i = 0; i < 3; i++)
		if (theirs[i] >= 0 && (theirs[i] != slave || i == 0))
			close(theirs[i]);
	return pid;
}

static void close_stream(int i)
{
	if (streams[i].fd >= 0)
		close(streams[i].fd);
	streams[i].fd = -1;
}

/* Gives the command as much of its stdin as it takes. */
static void feed_stdin(void)
{
	struct stream *s = &streams[0];
	ssize_t n;

	if (s->fd >= 0 && s->len) {
		uint32_t taken;

		n = write(s->fd, s->buf, s->len);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			close_stream(0);
			send_frame(FRAME_CLOSED, 0, "", 0);
		} else {
			memmove(s->buf, s->buf + n, s->len - n);
			s->len -= n;
			taken = n;
			send_frame(FRAME_CREDIT, 0, &taken, sizeof(taken));
		}
	}
	if (s->fd < 0)
		s->len = 0;
	if (s->fd >= 0 && !s->len && s->eof && !conf.tty)
		close_stream(0);
}

/* Sends on what the command has written; returns false when nothing was there. */
static bool drain(int i)
{
	static char buf[65536];
	struct stream *s = &streams[i];
	size_t max = sizeof(buf);
	ssize_t n;

	if (s->fd < 0 || !s->credit)
		return false;
	if (max > s->credit)
		max = s->credit;
	n = read(s->fd, buf, max);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		close_stream(i);
		return false;
	}
	s->credit -= n;
	send_frame(FRAME_DATA, i, buf, n);
	return true;
}

static void append_stdin(const char *data, size_t len)
{
	struct stream *s = &streams[0];

	if (s->fd < 0)
		return;
	if (!s->buf)
		s->buf = malloc(WINDOW);
	if (s->len + len > WINDOW)
		fail("stdin overrun");
	memcpy(s->buf + s->len, data, len);
	s->len += len;
}

/* Large pieces of stdin come in files: a serial line takes a byte at a time. */
static void append_file(const struct chunk *c)
{
	char name[32];
	size_t len;
	char *buf;

	snprintf(name, sizeof(name), "in.%u", c->serial);
	buf = slurp(name, &len);
	unlinkat(rundir, name, 0);
	if (len != c->len)
		fail("%s has %zu bytes, not %u", name, len, c->len);
	append_stdin(buf, len);
	free(buf);
}

static void handle_frame(const struct frame *f, const char *data)
{
	uint32_t credit;

	switch (f->type) {
	case FRAME_DATA:
		append_stdin(data, f->len);
		break;
	case FRAME_FILE:
		append_file((const struct chunk *)data);
		break;
	case FRAME_EOF:
		streams[0].eof = true;
		break;
	case FRAME_CLOSED:
		close_stream(f->stream);
		break;
	case FRAME_CREDIT:
		memcpy(&credit, data, sizeof(credit));
		streams[f->stream].credit += credit;
		break;
	case FRAME_WINSIZE:
		if (conf.tty && streams[1].fd >= 0)
			ioctl(streams[1].fd, TIOCSWINSZ, data);
		break;
	}
}

/* Reads what the host has sent and acts on every whole frame of it. */
static void read_channel(void)
{
	static char buf[2 * (sizeof(struct frame) + CHUNK)]
		__attribute__((aligned(8)));
	static size_t len;
	struct frame f;
	size_t pos = 0;
	ssize_t n;

	n = read(chan, buf + len, sizeof(buf) - len);
	if (n <= 0)
		return;
	len += n;
	while (len - pos >= sizeof(f)) {
		memcpy(&f, buf + pos, sizeof(f));
		if (f.magic != FRAME_MAGIC || f.len > CHUNK || f.stream > 2) {
			errno = EPROTO;
			fail("channel");
		}
		if (len - pos < sizeof(f) + f.len)
			break;
		handle_frame(&f, buf + pos + sizeof(f));
		pos += sizeof(f) + f.len;
	}
	memmove(buf, buf + pos, len - pos);
	len -= pos;
}

/* Relays until the command @pid has ended; returns its wait status. */
static int relay(pid_t pid)
{
	struct signalfd_siginfo info;
	bool ended = false;
	int status = 0;
	sigset_t mask;
	int sigfd, i;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigfd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);

	for (;;) {
		struct pollfd p[5];

		/* No process is left, so what the pipes hold is all. */
		if (ended) {
			while (drain(1) || drain(2))
				;
			if ((streams[1].fd < 0 || streams[1].credit) &&
			    (streams[2].fd < 0 || streams[2].credit))
				return status;
		}

		p[0] = (struct pollfd){ .fd = chan, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = sigfd, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = streams[0].fd };
		/*
		 * Nothing to write: still look for the other end being closed,
		 * so that the host stops reading, but a terminal has none.
		 */
		if (streams[0].len)
			p[2].events = POLLOUT;
		else if (conf.tty)
			p[2].fd = -1;
		for (i = 1; i < 3; i++) {
			p[i + 2].fd = streams[i].credit ? streams[i].fd : -1;
			p[i + 2].events = POLLIN;
		}
		if (poll(p, 5, -1) < 0 && errno != EINTR)
			fail("poll");

		if (p[1].revents) {
			int st;
			pid_t dead;

			while (read(sigfd, &info, sizeof(info)) > 0)
				;
			while ((dead = waitpid(-1, &st, WNOHANG)) > 0) {
				if (dead != pid)
					continue;
				status = st;
				ended = true;
				/* What it left behind ends with it. */
				kill(-1, SIGKILL);
				while (waitpid(-1, &st, 0) > 0)
					;
			}
		}
		for (i = 1; i < 3; i++)
			if (p[i + 2].revents)
				drain(i);
		if (p[2].revents & POLLERR) {
			close_stream(0);
			streams[0].len = 0;
			send_frame(FRAME_CLOSED, 0, "", 0);
		}
		if (p[0].revents)
			read_channel();
		feed_stdin();
	}
}

/* Makes the writes to real directories reach the host. */
static void flush_rw(void)
{
	int i, fd;

	for (i = 0; i < conf.rw.n; i++) {
		fd = open(conf.rw.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) {
			syncfs(fd);
			close(fd);
		}
		umount2(conf.rw.v[i], 0);
	}
}

int main(void)
{
	char **argv, **env, *cwd, *buf;
	int32_t status;
	sigset_t mask;
	size_t len;
	int fd;

	umask(022);
	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);

	rundir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755")) {
		mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755");
		make_node("/dev/ttyS0", S_IFCHR | 0600, 4, 64);
	}
	/* The kernel opened no console for us when /dev was empty. */
	make_node("/dev/null", S_IFCHR | 0666, 1, 3);
	fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3)
		fd = dup(fd);
	if (fd > 2)
		close(fd);

	open_channel();
	read_conf();
	cwd = slurp("cwd", &len);
	buf = slurp("argv", &len);
	argv = vector(buf, len);
	buf = slurp("env", &len);
	env = vector(buf, len);
	if (!argv[0])
		fail("no command");
	sethostname(conf.hostname, strlen(conf.hostname));
	build_root(cwd, argv[0]);
	loopback_up();
	apply_sysctls();
	send_frame(FRAME_HELLO, 0, "", 0);

	status = relay(start(argv, env, cwd));
	flush_rw();
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				       WEXITSTATUS(status);
	send_frame(FRAME_EXIT, 0, &status, sizeof(status));
	finish();
}
