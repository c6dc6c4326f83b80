# SPDX-License-Identifier: MIT
#
# tests.mk - a part of the Makefile: how the tests are built, and which of them `make check` and its kin run.
#
# ---- one program a file, linked against what it needs of the parts ----

TEST_LIBS := $(call pkg,--libs,criterion)

# Optimised, a test's own code takes twice as long to compile, and finds the same; but not where what it tests
# is inline in it. Whoever has CFLAGS of their own has them here too.
INLINE_IN := lib/(beat|channel|channel_table|chunk|dict|encode|lane|process|ring|stops|ttlog|writer)|tests/(channel_region|interrupt|own_region)
TESTS_INLINE := $(shell grep -lE '"($(INLINE_IN))\.h"' tests/test_*.c)
$(patsubst %.c,$(B)/%.o,$(filter-out $(TESTS_INLINE),$(wildcard tests/test_*.c))): TEST_OPTIMIZE := $(if $(filter file,$(origin CFLAGS)),-O0)

$(B)/tests/test_%: $(B)/tests/test_%.o $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(PARTS_LIBS)

# They start the recorder that lies beside them.
$(B)/tests/test_recorder $(B)/tests/test_recorder_ends: | $(B)/ttlog-recorder
$(B)/tests/test_run $(B)/tests/test_hook $(B)/tests/test_confine $(B)/tests/test_intruders $(B)/tests/test_times: | $(B)/ttlog-recorder
$(B)/tests/test_ledger $(B)/tests/test_tui_terminal $(B)/tests/test_formats $(B)/tests/test_exports $(B)/tests/test_stats $(B)/tests/test_sql $(B)/tests/test_diff $(B)/tests/test_follow: | $(B)/ttlog-view
$(B)/tests/test_read: | $(B)/ttlog-view
$(B)/tests/test_ctl $(B)/tests/test_ctl_adopted $(B)/tests/test_ctl_tail $(B)/tests/test_ctl_server $(B)/tests/test_keep_loop: | $(PROGRAMS)
$(B)/tests/test_doctor $(B)/tests/test_reload: | $(B)/ttlog-recorder
$(B)/tests/test_metrics $(B)/tests/test_last_death: | $(B)/ttlog-recorder
$(B)/tests/test_group $(B)/tests/test_group_poison: | $(PROGRAMS)
$(B)/tests/test_ladder $(B)/tests/test_privileges $(B)/tests/test_hostile $(B)/tests/test_hostile_peers $(B)/tests/test_hostile_names: | $(PROGRAMS)
$(B)/tests/test_retention_dump $(B)/tests/test_recovery $(B)/tests/test_storm: | $(PROGRAMS)
$(B)/tests/test_snapshot $(B)/tests/test_heartbeat $(B)/tests/test_rules $(B)/tests/test_pressure: | $(PROGRAMS)

# What a test loads, linked as a user's library would be.
$(B)/tests/plugin_%.so: tests/plugin_%.c $(B)/libttlog.so
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden $(DEPFLAGS) -shared $(LDFLAGS) -o $@ $< \
		-L$(B) -lttlog -Wl,-rpath,'$$ORIGIN/..'

$(B)/tests/test_ttlog_plugin: | $(B)/tests/plugin_ttlog.so

# Loaded in front of libc: it is nobody's user.
$(B)/tests/plugin_fault.so: tests/plugin_fault.c
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARN) $(CFLAGS) -fPIC -fvisibility=hidden $(DEPFLAGS) \
		-shared $(LDFLAGS) -o $@ $<

$(B)/tests/test_disk: | $(PROGRAMS) $(B)/tests/plugin_fault.so

# What they take of the parts: all of them, for TSan too, would be four times as much to compile.
RACE_SRC := $(wildcard recorder/history*.c recorder/dump_*.c) \
	$(addprefix recorder/,container.c evidence.c log.c pack.c timeline.c verdict_words.c)

$(B)/race_parts.a: $(SHARED_OBJ) $(RACE_SRC:%.c=$(B)/%.o) $(READ_OBJ)
	$(call say,AR,$@) rm -f $@ && $(AR) rcs $@ $^

$(B)/tests/race_%: $(B)/tests/race_%.o $(B)/race_parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PARTS_LIBS)

$(B)/tests/crash_%: $(B)/tests/crash_%.o $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PARTS_LIBS)

# ---- programs that die for test_unwind, built in the ways that debug information comes ----

VICTIMS := pie nopie static staticpie clang split linked by_id symbols bare plugin.so
VICTIM_CXX_clang := $(CLANG)++
VICTIM_nopie := -no-pie
VICTIM_static := -static -DWITHOUT_DLOPEN
VICTIM_staticpie := -static-pie -DWITHOUT_DLOPEN
VICTIM_split := -gsplit-dwarf
VICTIM_linked := -Wl,--build-id=none
VICTIM_symbols := -g0 -rdynamic -fvisibility=default
VICTIM_bare := -g0
VICTIM_AFTER_linked = objcopy --only-keep-debug $@ $@.debug && objcopy --strip-all --add-gnu-debuglink=$@.debug $@
VICTIM_AFTER_by_id = objcopy --only-keep-debug $@ $@.debug && objcopy --strip-all $@
VICTIM_AFTER_symbols = objcopy --strip-all $@
VICTIM_AFTER_bare = objcopy --strip-all $@

# No frame pointers, whatever the distribution's compiler thinks of them.
$(B)/tests/victims/%: tests/victim_scene.cc
	@mkdir -p $(@D)
	$(call say,CXX,$@) $(or $(VICTIM_CXX_$*),$(CXX)) -std=c++17 -O2 -g -fomit-frame-pointer -Wall -Wextra \
		$(VICTIM_$*) -o $@ $<
	$(Q)$(VICTIM_AFTER_$*)

# The same programs under a recorder, for crash_stacks.sh.
RECORDED := pie nopie static staticpie clang split linked symbols bare

$(B)/tests/victims/recorded_%: tests/victim_scene.cc $(B)/libttlog.a
	@mkdir -p $(@D)
	$(call say,CXX,$@) $(or $(VICTIM_CXX_$*),$(CXX)) -std=c++17 -I. -O2 -g -fomit-frame-pointer -Wall -Wextra \
		-DRECORDED $(VICTIM_$*) -o $@ $< $(B)/libttlog.a -lpthread
	$(Q)$(VICTIM_AFTER_$*)

# It records, and its debug information is a file of its own.
$(B)/tests/victims/redo: tests/victim_redo.cc $(B)/libttlog.a
	@mkdir -p $(@D)
	$(call say,CXX,$@) $(CXX) -std=c++17 -I. -O2 -g -fomit-frame-pointer -Wall -Wextra -o $@ $< $(B)/libttlog.a -lpthread
	$(Q)objcopy --only-keep-debug $@ $@.debug && objcopy --strip-all --add-gnu-debuglink=$@.debug $@

$(B)/tests/victims/plugin.so: tests/victim_plugin.c
	@mkdir -p $(@D)
	$(call say,CC,$@) $(CC) -O2 -g -fomit-frame-pointer -fPIC -shared -o $@ $<

ifeq ($(findstring arm64,$(B)),)
$(B)/tests/test_unwind $(B)/tests/test_unwind_gaps: | $(VICTIMS:%=$(B)/tests/victims/%)
$(B)/tests/test_redo: | $(B)/tests/victims/pie
endif
$(B)/tests/test_unwind $(B)/tests/test_unwind_gaps $(B)/tests/test_unwind_child: | $(B)/ttlog-recorder

# It becomes part of libraries too.
$(B)/tests/arm64_exec.o: EXTRA_CFLAGS := -fPIC

STEP_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/step_*.c))
# A scenario has another clock.
$(B)/tests/crash_step: $(B)/tests/crash_step.o $(STEP_OBJ) $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=ttlog_clock_source -o $@ $^ $(PARTS_LIBS)

# Its table, and what is done in each row.
CAUSES_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/causes_*.c))
$(B)/tests/crash_causes: $(B)/tests/crash_causes.o $(CAUSES_OBJ) $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PARTS_LIBS)

# A fuzz target and its replay: tests/fuzz_main.c runs LLVMFuzzerTestOneInput over files and folders. Under
# SAN=fuzzer-no-link the fuzzer has a main() of its own.
FUZZ_MAIN := $(if $(findstring fuzzer,$(SAN)),,$(B)/tests/fuzz_main.o)
$(B)/tests/fuzz_%: $(B)/tests/fuzz_%.o $(FUZZ_MAIN) $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PARTS_LIBS)

TEST_NAMES = $(patsubst tests/%.c,%,$(wildcard tests/$(1)_*.c))
TESTS_UNIT := $(filter-out $(if $(filter 0,$(UNWIND)),test_unwind% test_redo),$(call TEST_NAMES,test))
TESTS_CRASH := $(call TEST_NAMES,crash)
TESTS_RACE := $(call TEST_NAMES,race)
TESTS_FUZZ := $(filter-out fuzz_main $(if $(filter 0,$(UNWIND)),fuzz_unwind fuzz_redo),$(call TEST_NAMES,fuzz))
TESTS_SHELL := $(patsubst tests/%.sh,%,$(filter-out tests/run.sh tests/arm64_sysroot.sh tests/kernels.sh tests/systemd_boot.sh,$(wildcard tests/*.sh)))
# With libraries in front of libc, where a sanitizer wants to be.
TESTS_PRELOADED := test_disk
# Stopped behind each instruction: with a sanitizer's own among them it takes minutes.
TESTS_STEPPED := test_process_handlers test_channel_signals test_stops test_writer_signals

tests-unit: $(TESTS_UNIT:%=$(B)/tests/%) $(TESTS_FUZZ:%=$(B)/tests/%)
tests-race: $(TESTS_RACE:%=$(B)/tests/%)
tests-all: all examples tests-unit tests-race $(TESTS_CRASH:%=$(B)/tests/%) $(B)/tests/victims/redo $(RECORDED:%=$(B)/tests/victims/recorded_%)

# Everything, also as clang sees it and under the sanitizers; tests/run.sh counts.
check: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) WERROR=1 B=build tests-all benches
	$(Q)$(MAKE) --no-print-directory $(JOBS) WERROR=1 B=build-clang CC=clang all
	$(Q)$(MAKE) --no-print-directory $(JOBS) SAN=address,undefined B=build-asan all tests-unit
	$(Q)$(MAKE) --no-print-directory $(JOBS) SAN=thread B=build-tsan tests-race
	$(Q)tests/run.sh build:"$(TESTS_UNIT) $(TESTS_FUZZ) $(TESTS_RACE) $(TESTS_CRASH) $(TESTS_SHELL)" \
		build-asan:"$(filter-out $(TESTS_STEPPED) $(TESTS_PRELOADED),$(TESTS_UNIT)) $(TESTS_FUZZ)" build-tsan:"$(TESTS_RACE)"

# ---- other kernels, emulated ----

KERNEL_TESTS := test_watch_exits test_watch_unseen test_watch_attach test_ladder test_pressure test_heartbeat test_history_stir crash_deaths crash_causes

check-kernels: deps-kernels
	$(Q)$(MAKE) --no-print-directory $(JOBS) B=build all $(KERNEL_TESTS:%=build/tests/%)
	$(Q)tests/kernels.sh build $(KERNEL_TESTS) || [ $$? = 77 ]

# ---- the units, under systemd as pid 1 of namespaces ----

check-systemd: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) B=build all examples
	$(Q)tests/systemd_boot.sh build || [ $$? = 77 ]

# ---- arm64: its own memory order and page size, emulated ----

ARM64 := build-arm64
ARM64_ROOT := $(CURDIR)/$(ARM64)-root
ARM64_CC := aarch64-linux-gnu-gcc --sysroot=$(ARM64_ROOT)
ARM64_TESTS := $(TESTS_UNIT) $(TESTS_FUZZ) $(TESTS_RACE) arm64_orders
# What a program executes is emulated too, by what is linked into it.
ARM64_MAKE = PKG_CONFIG_LIBDIR=$(ARM64_ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig \
	PKG_CONFIG_SYSROOT_DIR=$(ARM64_ROOT) $(MAKE) --no-print-directory $(JOBS) WERROR=1 B=$(ARM64) \
	CC="$(ARM64_CC)" AR=aarch64-linux-gnu-ar SYSROOT=$(ARM64_ROOT)

check-arm64: deps-arm64
	$(Q)tests/arm64_sysroot.sh $(ARM64_ROOT) $(PACKAGES_ARM64_ROOT)
	$(Q)+$(ARM64_MAKE) $(ARM64)/tests/arm64_exec.o
	$(Q)+$(ARM64_MAKE) LDFLAGS=$(CURDIR)/$(ARM64)/tests/arm64_exec.o all tests-unit tests-race
	$(Q)QEMU_LD_PREFIX=$(ARM64_ROOT) TTLOG_QEMU="$$(command -v qemu-aarch64)" \
		tests/run.sh $(ARM64):"$(ARM64_TESTS)"

# Each takes the seconds that it goes on for.
SOAK_SECONDS ?= 300
SOAK_EACH = $(shell echo $$(($(SOAK_SECONDS) / 6)))
SOAKED := $(foreach b,build build-tsan,$(addprefix $(b)/tests/,race_ring race_reader race_history))

soak: deps-build
	$(Q)$(MAKE) --no-print-directory $(JOBS) B=build $(filter build/%,$(SOAKED)) build/tests/crash_step
	$(Q)$(MAKE) --no-print-directory $(JOBS) SAN=thread B=build-tsan $(filter build-tsan/%,$(SOAKED))
	$(Q)set -e; export TSAN_OPTIONS=halt_on_error=1; for t in $(SOAKED); do \
		echo "$$t, $(SOAK_EACH) s"; $$t $(SOAK_EACH); done
	$(Q)CRASH_STEP_ONE_IN=1 build/tests/crash_step

# One after the other. Its memory is bounded by libFuzzer's own limits: 2 GiB in all, and 25 s an input.
FUZZ_SECONDS ?= 60
FUZZ ?= $(TESTS_FUZZ:fuzz_%=%)

fuzz: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) SAN=fuzzer-no-link,address,undefined B=build-fuzz CC=$(CLANG) \
		$(FUZZ:%=build-fuzz/tests/fuzz_%)
	$(Q)set -e; for t in $(FUZZ); do mkdir -p build-fuzz/corpus/$$t; echo "fuzz_$$t, $(FUZZ_SECONDS) s"; \
		UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		ASAN_OPTIONS=allocator_may_return_null=1:handle_abort=1 \
		build-fuzz/tests/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -timeout=25 -close_fd_mask=1 \
			-artifact_prefix=build-fuzz/$$t- build-fuzz/corpus/$$t tests/corpus/$$t >build-fuzz/$$t.log 2>&1 || \
			{ tail -40 build-fuzz/$$t.log; exit 1; }; tail -1 build-fuzz/$$t.log; done
