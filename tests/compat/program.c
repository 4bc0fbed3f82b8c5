// SPDX-License-Identifier: GPL-2.0
/*
 * program.c - the program that the tools look at
 *
 *	program WHAT [NUMBER]
 *
 * calls the function of the library that WHAT names; see the end.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "subject.h"

/* Says which page is which: a tool that changes them would be seen. */
static void show(void)
{
	printf("rodata %d %d %d\n", subject_table[0], subject_table[1024],
	       subject_table[2047]);
	printf("relro %s, %s, %s\n", subject_relro[0], subject_relro[1],
	       subject_relro[599]);
	printf("data %d %d %d %d\n", subject_data[0], subject_data[1],
	       subject_data[1024], subject_data[3071]);
	printf("bss %d %d %d %d\n", subject_bss[0], subject_bss[1],
	       subject_bss[2048], subject_bss[4095]);
	fflush(stdout);
}

/* Until SIGUSR1, then says what is in the library. */
static void wait_and_show(void)
{
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&set, &got);
	show();
}

static void in_library(void)
{
	getppid();
}

/* A page of the library's data, read-only and back: mmap and mprotect. */
static void protect(void)
{
	long size = sysconf(_SC_PAGESIZE);
	char *page = (char *)((unsigned long)&subject_data[1024] & -size);
	char *copy = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(copy, page, size);
	if (mprotect(page, size, PROT_READ) ||
	    mprotect(page, size, PROT_READ | PROT_WRITE))
		perror("mprotect");
	memcpy(page, copy, size);
	show();
}

static int turn;

static void wait_for(int mine)
{
	while (__atomic_load_n(&turn, __ATOMIC_RELAXED) != mine)
		sched_yield();
}

static void *first_access(void *unused)
{
	subject_race(unused);
	__atomic_store_n(&turn, 1, __ATOMIC_RELAXED);
	wait_for(2);
	return unused;
}

/*
 * Two accesses that nothing orders, since relaxed atomics do not, but never at
 * the same instant and both while the first thread lives: ThreadSanitizer may
 * miss a race of which either is not so.
 */
static void race(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, first_access, NULL);
	wait_for(1);
	subject_race(NULL);
	__atomic_store_n(&turn, 2, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "show";
	int number = argc > 2 ? atoi(argv[2]) : 1;

	subject_init();
	if (!strcmp(what, "show"))
		show();
	else if (!strcmp(what, "add"))
		printf("sum %d\n", subject_add(number));
	else if (!strcmp(what, "adds"))
		while (number--)
			subject_add(number);
	else if (!strcmp(what, "wait"))
		subject_call(wait_and_show);
	else if (!strcmp(what, "call"))
		subject_call(in_library);
	else if (!strcmp(what, "crash"))
		subject_crash();
	else if (!strcmp(what, "protect"))
		protect();
	else if (!strcmp(what, "spin"))
		printf("%u\n", subject_spin(number));
	else if (!strcmp(what, "read-beyond"))
		subject_read_beyond();
	else if (!strcmp(what, "leak"))
		subject_leak();
	else if (!strcmp(what, "mistakes")) {
		subject_read_beyond();
		subject_leak();
	} else if (!strcmp(what, "write-beyond-data"))
		subject_write_beyond_data(3072 + number);
	else if (!strcmp(what, "overflow"))
		subject_overflow(INT_MAX);
	else if (!strcmp(what, "race"))
		race();
	else
		return 2;
	return 0;
}
