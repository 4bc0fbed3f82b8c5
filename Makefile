# SPDX-License-Identifier: GPL-2.0
# 'make help' tells what there is. The steps themselves are scripts in mk/.

define HELP
make demo          ffmpeg and python3 on stock and on manyprots, compared
                   (GUEST=x86_64: under QEMU; default: User-mode Linux)
make desktop       programs of a Debian desktop, compared in the same way: VMAs,
                   slabs, page faults, results; build/report/index.html
                   (PROGRAMS="gimp evince": these)
make check         all tests
make check-debug   kernel and loader tests on a KASAN + lockdep + DEBUG_VM kernel
make check-short   some minutes of each of the next three
make check-suites  the kernel's own selftests/mm, stock against patched
make check-stress  stress-ng on a kernel with lockdep, ten minutes a stressor
make check-pressure  little memory, swap, allocations that fail, leaks
make check-glibc   glibc's own make check: untouched, overlay, both kernels
make check-glibc-modes  glibc's string and stdlib tests
make check-kcsan   threads on four processors on a kernel with KCSAN
make check-lsm     what BPF and SELinux are asked: hooks, decisions, refusals
make check-corpus  every library and program below /usr, mapped by both
make check-workloads  gcc, Python's, Perl's and GDB's tests, LibreOffice, ffmpeg,
                   git, PostgreSQL: the same results (WORKLOADS="git python")
make check-i386    the kernel tests on 32-bit x86, with PAE and without
make check-arch    an architecture without the feature builds: arm64
make check-loader-arch  the loader for i686 and aarch64
make fuzz          30 minutes of tests/fuzz (SECONDS=1800 GUEST=um)
make check-mutants deliberate bugs in the kernel: which tests find them
make check-off     with the option off: the objects of the stock kernel
make check-static  checkpatch, sparse, kernel-doc, coccinelle on the kernel half
make check-series  the series applies, builds and boots after each patch
make deb           build/deb: packages of the C library and of the kernel
make check-deb     they are installed, used, upgraded and removed
make bench         what it costs and saves, patched over stock, with plots
                   (bench-NAME: one benchmark; QUICK=1: less of each)
make bench-compare  what got worse since the last accepted ratios
make bench-accept  these ratios become the accepted ones

make um            build/um/patched/linux          User-mode Linux, patched
make x86_64        build/x86_64/patched/bzImage    x86_64, patched
make stock         build/{um,x86_64}/stock/...     both, unpatched
make x86_64-debug  build/x86_64/debug/bzImage      patched, with debugging
make i386 i386-pae build/i386{,-pae}/patched/...   32-bit x86, patched
make glibc         build/glibc/root                patched glibc
make tools         build/tools                     vmas ...
make all           um, x86_64, stock, glibc and tools
                   (also um-stock, x86_64-stock, um-debug, glibc-stock,
                   glibc-hardcoded, um-suites, x86_64-suites, x86_64-kcsan,
                   x86_64-lsm, x86_64-lsm-stock)

make kernel-series build/kernel-series             the kernel patches for git am
make clean         remove what was built, keep the unpacked sources
make distclean     remove build/

./configure --help tells how to use other sources. Logs are in build/log/.
endef

.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
FORCE:

export HELP JOBS
.PHONY: help all stock tools demo check check-debug check-i386 check-arch check-loader-arch check-off check-static check-series kernel-series clean distclean
help:
	@echo "$$HELP"

# Packages and sources: build/config.mk
ifneq ($(filter-out help clean distclean,$(or $(MAKECMDGOALS),help)),)
include build/config.mk
endif
build/config.mk: configure packages
	@./configure $(CONFIGURE_ARGS)

# Source trees. These scripts always look, and touch the stamp only where
# something changed.
build/src/linux-stock.stamp: FORCE
	@mk/stock-tree --current linux $(LINUX) || mk/step linux-stock mk/stock-tree linux $(LINUX)
build/src/glibc-stock.stamp: FORCE
	@mk/stock-tree --current glibc $(GLIBC) || mk/step glibc-stock mk/stock-tree glibc $(GLIBC)
build/src/%-patched.stamp: build/src/%-stock.stamp FORCE
	@mk/patched-tree --current $* || mk/step $*-patched mk/patched-tree $*

# Kernels, ARCH-VARIANT for short
C = kernel-patch/config
build/um/%/linux: mk/kernel $C/common.config $C/um.config
	@mk/step um-$* mk/kernel um $*
build/x86_64/%/bzImage: mk/kernel $C/common.config $C/x86_64.config
	@mk/step x86_64-$* mk/kernel x86_64 $*
build/i386/%/bzImage: mk/kernel $C/common.config $C/i386.config
	@mk/step i386-$* mk/kernel i386 $*
build/i386-pae/%/bzImage: mk/kernel $C/common.config $C/i386.config $C/i386-pae.config
	@mk/step i386-pae-$* mk/kernel i386-pae $*
STOCK = build/um/stock/linux build/x86_64/stock/bzImage
I386 = build/i386/patched/bzImage build/i386-pae/patched/bzImage
PATCHED = build/um/patched/linux build/x86_64/patched/bzImage $(I386)
DEBUG = build/um/debug/linux build/x86_64/debug/bzImage
SUITES = build/um/suites/linux build/x86_64/suites/bzImage
KCSAN = build/x86_64/kcsan/bzImage
LSM = build/x86_64/lsm/bzImage
$(STOCK) build/x86_64/lsm-stock/bzImage: build/src/linux-stock.stamp
$(PATCHED) $(DEBUG) $(SUITES) $(KCSAN) $(LSM): build/src/linux-patched.stamp $C/manyprots.config
$(PATCHED): $(wildcard $C/*patched.config)
$(DEBUG): $(wildcard $C/*debug.config)
$(SUITES): $(wildcard $C/*suites.config)
$(KCSAN): $C/kcsan.config
$(LSM) build/x86_64/lsm-stock/bzImage: $C/lsm.config

.PHONY: um um-stock um-debug x86_64 x86_64-stock x86_64-debug i386 i386-pae
um: build/um/patched/linux
um-stock: build/um/stock/linux
um-debug: build/um/debug/linux
x86_64: build/x86_64/patched/bzImage
x86_64-stock: build/x86_64/stock/bzImage
x86_64-debug: build/x86_64/debug/bzImage
i386: build/i386/patched/bzImage
i386-pae: build/i386-pae/patched/bzImage
.PHONY: um-suites x86_64-suites x86_64-kcsan x86_64-lsm x86_64-lsm-stock
um-suites: build/um/suites/linux
x86_64-suites: build/x86_64/suites/bzImage
x86_64-kcsan: build/x86_64/kcsan/bzImage
x86_64-lsm: build/x86_64/lsm/bzImage
x86_64-lsm-stock: build/x86_64/lsm-stock/bzImage
stock: $(STOCK)

# glibc: the libc installed last is the sign that all is there
.PHONY: glibc glibc-stock glibc-hardcoded
LIBC = lib/x86_64-linux-gnu/libc.so.6
glibc: build/glibc/root/$(LIBC)
glibc-stock: build/glibc-stock/root/$(LIBC)
build/glibc/root/$(LIBC): build/src/glibc-patched.stamp mk/glibc mk/check-dropin
	@mk/step glibc mk/glibc patched
build/glibc-stock/root/$(LIBC): build/src/glibc-stock.stamp mk/glibc mk/check-dropin
	@mk/step glibc-stock mk/glibc stock
glibc-hardcoded: build/glibc-hardcoded/built
build/glibc-hardcoded/built: build/src/glibc-patched.stamp mk/glibc
	@mk/step glibc-hardcoded mk/glibc hardcoded

# A tool is a file, or the files of a directory.
tools: $(patsubst tools/%.c,build/tools/%,$(wildcard tools/*.c)) build/tools/vmas
build/tools/%: tools/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -o $@ $<
build/tools/vmas: $(sort $(wildcard tools/vmas/*.[ch]))
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -o $@ $(filter %.c,$^)

all: um x86_64 stock glibc tools

# What they are for
GUEST ?= um
demo: $(GUEST) $(GUEST)-stock glibc tools
	@GUEST=$(GUEST) tools/demo
.PHONY: desktop
desktop: $(GUEST) $(GUEST)-stock glibc tools
	@GUEST=$(GUEST) desktop/run
check: all glibc-stock
	@tests/run
check-debug: x86_64-debug glibc tools
	@tests/run --debug
.PHONY: check-short check-suites check-stress check-pressure check-glibc check-glibc-modes check-kcsan check-lsm
check-short: um um-stock glibc
	@tests/run --long short
check-suites: x86_64 x86_64-stock
	@tests/run --long suites
check-stress: x86_64-suites
	@tests/run --long stress
check-pressure: $(GUEST)-suites um-stock glibc
	@tests/run --long pressure
check-glibc: um um-stock glibc glibc-stock glibc-hardcoded
	@tests/run --long glibc-all
check-glibc-modes: um um-stock glibc-stock
	@tests/run --long glibc-modes
check-kcsan: x86_64-kcsan
	@tests/run --long kcsan
.PHONY: check-corpus
check-corpus: $(GUEST) $(GUEST)-stock glibc glibc-stock
	@tests/run --long corpus
.PHONY: check-workloads
check-workloads: um um-stock glibc tools
	@tests/run --long workloads
check-lsm: x86_64-lsm x86_64-lsm-stock glibc
	@tests/run --long lsm
check-i386: i386 i386-pae
	@tests/run --long kernel-i386
check-arch: build/src/linux-patched.stamp
	@mk/step arm64-patched mk/check-arch
check-loader-arch: build/src/glibc-patched.stamp x86_64 tools
	@mk/step loader-arch mk/check-loader-arch
.PHONY: deb check-deb fuzz check-mutants
fuzz: $(GUEST)
	@FUZZ_SECONDS=$(or $(SECONDS),1800) GUEST=$(GUEST) tests/fuzz/run
check-mutants: um
	@tests/mutants/run
.PHONY: bench bench-compare bench-accept
BENCH = fork dlopen start shell make fault mprotect maps prefork ebizzy threads unused
.PHONY: $(BENCH:%=bench-%)
bench $(BENCH:%=bench-%): x86_64 um stock glibc glibc-stock
	@bench/run $(filter-out bench,$(@:bench-%=%))
bench-compare:
	@bench/compare
bench-accept:
	@bench/compare --accept
check-off: build/src/linux-patched.stamp
	@tests/run --long off
deb: build/src/linux-patched.stamp glibc tools
	@mk/step deb-libc mk/deb libc
	@mk/step deb-kernel mk/deb kernel
check-deb: um um-stock glibc tools
	@tests/run --long deb
check-static: build/src/linux-patched.stamp kernel-series
	@tests/run --long static
check-series: build/src/linux-patched.stamp kernel-series
	@tests/run --long series
kernel-series: build/src/linux-stock.stamp
	@mk/kernel-series

clean:
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name src ! -name config.mk -exec rm -rf {} +
distclean:
	rm -rf build
