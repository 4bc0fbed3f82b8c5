/* SPDX-License-Identifier: GPL-2.0 */
/* subject.h - what is in the library that the tools look at */
#ifndef SUBJECT_H
#define SUBJECT_H

extern const int subject_table[];
extern const char *const subject_relro[];
extern int subject_data[];
extern int subject_bss[];
extern void *subject_kept_data;
extern void *subject_kept_bss;
extern int subject_race_counter;

void subject_init(void);
int subject_add(int number);
void subject_call(void (*function)(void));
void subject_crash(void);
unsigned int subject_spin(unsigned int rounds);
int subject_read_beyond(void);
void subject_leak(void);
int subject_write_beyond_data(int index);
int subject_overflow(int number);
void *subject_race(void *unused);

#endif
