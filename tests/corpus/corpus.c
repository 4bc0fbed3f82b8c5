// SPDX-License-Identifier: GPL-2.0
/*
 * corpus scan			elf.c: which of the files named on stdin are objects
 * corpus run LOADER		record.c: what becomes of each when it is loaded
 * corpus compare STOCK OTHER	compare.c: are two such records equal?  With
 *				-p OTHER is the patched pair: fewer VMAs and
 *				no more calls
 *
 * tests/corpus/run says what for.
 */
#include <err.h>
#include <string.h>

#include "corpus.h"

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "scan"))
		return corpus_scan();
	if (argc == 3 && !strcmp(argv[1], "run"))
		return corpus_run(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "compare"))
		return corpus_compare(argv[2], argv[3], false);
	if (argc == 5 && !strcmp(argv[1], "compare") && !strcmp(argv[2], "-p"))
		return corpus_compare(argv[3], argv[4], true);
	errx(2, "usage: corpus scan | run LOADER | compare [-p] STOCK OTHER");
}
