// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's TCG for bench/profile: how many instructions of which
 * blocks of code a guest executes between marks.
 *
 * The marks are instructions that do nothing, see PROFILE() in bench.h. Blocks
 * are counted from each mark 1 to the next mark 2. At mark 3 the counts since
 * the last mark 3 are written to the file of the argument out=FILE: a line
 * "measured N", N the number of marks 1, and for each block its address and the
 * number of instructions. For one processor.
 *
 * The declarations are those of QEMU's qemu-plugin.h, version 1 of the
 * interface, which Debian 12 has no package of.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*translated)(qemu_plugin_id_t id,
							      struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int add,
					      void *counter, uint64_t n);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*executed)(unsigned int cpu, void *data),
					    int flags, void *data);

EXPORT int qemu_plugin_version = 1;

#define MARKS 3
static const unsigned char mark_code[MARKS][7] = {
	{ 0x0f, 0x1f, 0x80, 0x01, 0x4d, 0x50, 0x52 },
	{ 0x0f, 0x1f, 0x80, 0x02, 0x4d, 0x50, 0x52 },
	{ 0x0f, 0x1f, 0x80, 0x03, 0x4d, 0x50, 0x52 },
};

/* A block that was translated: QEMU does so again now and then. */
struct block {
	uint64_t addr, length;
	uint64_t executed;	/* instructions since the start */
	uint64_t before;	/* that, at the last mark 1 */
	uint64_t between;	/* instructions between marks */
};

#define MAX_BLOCKS (1UL << 21)
#define NR_SLOTS (2 * MAX_BLOCKS)
static struct block *blocks;
static unsigned long nr_blocks, measured;
static uint32_t *slots;		/* a hash table of places in blocks, from 1 on */
static FILE *out;

static struct block *block_of(uint64_t addr, uint64_t length)
{
	unsigned long i = (addr * 0x9e3779b97f4a7c15ULL >> 40) % NR_SLOTS;
	struct block *block;

	for (; slots[i]; i = (i + 1) % NR_SLOTS) {
		block = &blocks[slots[i] - 1];
		if (block->addr == addr && block->length == length)
			return block;
	}
	if (nr_blocks == MAX_BLOCKS) {
		fprintf(stderr, "bench/plugin: more than %lu blocks\n", MAX_BLOCKS);
		exit(1);
	}
	block = &blocks[nr_blocks];
	slots[i] = ++nr_blocks;
	block->addr = addr;
	block->length = length;
	return block;
}

static void write_out(void)
{
	fprintf(out, "measured %lu\n", measured);
	for (unsigned long i = 0; i < nr_blocks; i++)
		if (blocks[i].between) {
			fprintf(out, "%" PRIx64 " %" PRIu64 "\n", blocks[i].addr,
				blocks[i].between);
			blocks[i].between = 0;
		}
	fflush(out);
	measured = 0;
}

static void marked(unsigned int cpu, void *data)
{
	long mark = (long)data;

	(void)cpu;
	if (mark == 3) {
		write_out();
		return;
	}
	measured += mark == 1;
	for (unsigned long i = 0; i < nr_blocks; i++) {
		if (mark == 1)
			blocks[i].before = blocks[i].executed;
		else
			blocks[i].between += blocks[i].executed - blocks[i].before;
	}
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &block_of(qemu_plugin_tb_vaddr(tb),
								  n)->executed, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_size(insn) != sizeof(mark_code[0]))
			continue;
		for (long mark = 0; mark < MARKS; mark++)
			if (!memcmp(qemu_plugin_insn_data(insn), mark_code[mark],
				    sizeof(mark_code[0])))
				qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, 0,
								       (void *)(mark + 1));
	}
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "bench/plugin: the argument is out=FILE\n");
		return 1;
	}
	out = fopen(argv[0] + 4, "w");
	blocks = calloc(MAX_BLOCKS, sizeof(*blocks));
	slots = calloc(NR_SLOTS, sizeof(*slots));
	if (!out || !blocks || !slots) {
		perror(argv[0] + 4);
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
