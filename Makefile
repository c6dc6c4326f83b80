# SPDX-License-Identifier: MIT
#
#   make            the library, the recorder, the viewer, into build/
#   make demo       installs what the build lacks (Debian, Ubuntu), builds, kills a real service five times
#   make check      installs what is missing, builds, runs every test
#   make check-kernels  the death tests under Debian's kernels 6.1 and 6.12, in QEMU
#   make check-systemd  the units under a systemd that is booted for them, in namespaces; a minute
#   make check-arm64  cross-compiles for arm64, runs the unit and race tests under qemu-user
#   make soak       a reader copies rings that are lapped, checked event by event; SOAK_SECONDS=300 in all,
#                   half of them under TSan; and a writer dies at every place that crash_step knows, not
#                   at one in 12; not part of check, where the same takes seconds
#   make fuzz       libFuzzer on every input that isn't ours, FUZZ_SECONDS=60 each, or FUZZ="dump read" of them; what
#                   it finds stays in build-fuzz/, and tests/corpus is what make check replays
#   make bench      measures, as ratios to a floor in the same run
#   make bench-peers    the same event in other recorders, side by side; installs them (make deps-peers)
#   make install    PREFIX=/usr/local DESTDIR=, and make uninstall with the same
#   make clean
#   make help       says this
#
#   make deps-build installs what make and make demo need: Debian and Ubuntu by apt; where that can't be
#                   it names the packages and stops
#   make deps       the same with what the tests need, which are five times as many
#
#   CC=clang, CFLAGS=..., V=1 (show commands), BPF=0 (without the kernel side), UNWIND=0 (without
#   libdw: dumps keep raw stacks, and nothing here makes frames of them), SAN=address,undefined or SAN=thread
#   (into build-$(SAN)/), WERROR=1

PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
# Where systemd looks beside PREFIX; /usr/local/lib is one of those places.
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BPF ?= 1
UNWIND ?= 1
CLANG ?= clang
# ASan's and UBSan's checks take twice as long to compile with -O2, and find the same.
CFLAGS ?= $(if $(findstring address,$(SAN)),-O1,-O2) -g
V ?= 0

comma := ,
B := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
Q := $(if $(filter 1,$(V)),,@)
JOBS := -j$(shell nproc 2>/dev/null || echo 2)
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2);)

export PKG_CONFIG_PATH
pkg = $(shell pkg-config $(1) $(2) 2>/dev/null)
BPFTOOL ?= $(firstword $(shell command -v bpftool 2>/dev/null) $(wildcard /usr/sbin/bpftool))

WERROR ?= 0
WARN := $(if $(filter 1,$(WERROR)),-Werror) -Wall -Wextra -Wpointer-arith -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla
# GCC's TSan does not see fences, and says so; what they order is atomic, and tested without it too.
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) \
	$(if $(filter thread,$(SAN)),$(if $(findstring clang,$(CC)),,-Wno-tsan))
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE -I. -I$(B) $(WARN) $(SANFLAGS) $(CFLAGS)
# Objects of the library that other programs use too; its own are hidden but for ttlog.map's symbols.
LIB_CFLAGS := -fPIC -fvisibility=hidden -ftls-model=initial-exec
DEPFLAGS = -MMD -MP -MF $@.d -MT $@

UNWIND_LIBS := $(if $(filter 1,$(UNWIND)),$(call pkg,--libs,libdw) -liberty)
REC_LIBS := $(call pkg,--libs,liblz4 libcbor) $(UNWIND_LIBS) $(if $(filter 1,$(BPF)),$(call pkg,--libs,libbpf)) -lpthread
# Optional: without it the format sqlite says that it is not there.
SQLITE ?= $(if $(shell pkg-config --exists sqlite3 2>/dev/null && echo yes),1,0)
SQLITE_LIBS := $(if $(filter 1,$(SQLITE)),$(call pkg,--libs,sqlite3))
# Optional: without it the option --interactive says so.
NCURSES ?= $(if $(shell pkg-config --exists ncursesw 2>/dev/null && echo yes),1,0)
VIEW_LIBS := $(call pkg,--libs,liblz4 libcbor) -lm $(UNWIND_LIBS) $(SQLITE_LIBS) \
	$(if $(filter 1,$(NCURSES)),$(call pkg,--libs,ncursesw))
# Of what is linked with parts.a.
PARTS_LIBS := $(REC_LIBS) $(SQLITE_LIBS) -lm

LIB_SRC := $(filter-out lib/reader%.c,$(wildcard lib/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
# What the recorder takes from lib/: the contract's own code, not the library.
SHARED_OBJ := $(B)/lib/region.o $(B)/lib/region_plan.o $(B)/lib/clock.o $(patsubst %.c,$(B)/%.o,$(wildcard lib/reader*.c))
# ttlog-ctl's own; with what it shares with the recorder (ctl_wire.c) it is linked from parts.a.
CTL_SRC := $(filter-out recorder/ctl_main.c recorder/ctl_wire.c recorder/ctl_server%.c,$(wildcard recorder/ctl_*.c))
CTL_OBJ := $(CTL_SRC:%.c=$(B)/%.o)
# Or what says that there is none.
UNWIND_SRC := $(if $(filter 1,$(UNWIND)),$(filter-out recorder/unwind_none.c,$(wildcard recorder/unwind*.c)),recorder/unwind_none.c)
REC_SRC := $(filter-out recorder/main.c recorder/ctl_main.c recorder/unwind%.c $(CTL_SRC),$(wildcard recorder/*.c)) $(UNWIND_SRC)
REC_OBJ := $(REC_SRC:%.c=$(B)/%.o)
VIEW_SRC := $(filter-out viewer/main.c,$(wildcard viewer/*.c))
VIEW_OBJ := $(VIEW_SRC:%.c=$(B)/%.o)

# What the viewer takes from recorder/: unwinding, as the recorder does it.
VIEW_UNWIND_OBJ := $(patsubst %.c,$(B)/%.o,$(UNWIND_SRC) recorder/scene_clear.c recorder/pack.c)

# The library that reads dumps: what of the viewer it takes, and nothing else.
READ_SRC := $(addprefix viewer/,ttlog_read.c backward.c batch.c checksum.c decode.c dictionary.c dump_index.c dump_reader.c frames.c kept.c \
	merge.c message.c meta.c meta_trigger.c needle.c out.c pattern.c query.c query_glance.c query_parse.c query_test.c query_value.c record.c \
	scene.c select.c when_parse.c)
READ_OBJ := $(READ_SRC:%.c=$(B)/%.o)
READ_LIBS := $(call pkg,--libs,liblz4 libcbor)
# Binutils' others have the same prefix.
OBJCOPY ?= $(AR:%ar=%objcopy)

PROGRAMS := $(B)/ttlog-recorder $(B)/ttlog-ctl $(B)/ttlog-view

# Said once, before anything is built: what is missing, and who can install it.
MISSING := $(strip $(foreach p,liblz4 libcbor $(if $(filter 1,$(UNWIND)),libdw) $(if $(filter 1,$(BPF)),libbpf), \
	$(if $(shell pkg-config --exists $(p) 2>/dev/null && echo yes),,$(p))) \
	$(if $(filter 1,$(UNWIND)),$(if $(shell printf '\043include <libiberty/demangle.h>' | $(CC) -E - >/dev/null 2>&1 && echo yes),,libiberty)) \
	$(if $(filter 1,$(BPF)),$(if $(BPFTOOL),,bpftool) $(if $(shell command -v $(CLANG)),,$(CLANG))))

ifneq ($(MISSING),)
ifneq ($(filter-out deps deps-build deps-arm64 deps-kernels deps-peers help clean check check-arm64 check-kernels check-systemd soak fuzz demo bench bench-peers install-data uninstall,$(or $(MAKECMDGOALS),all)),)
$(error missing: $(MISSING). `make deps-build` installs what the build needs (BPF=0 needs no libbpf, clang, bpftool; UNWIND=0 no libdw, libiberty))
endif
endif

all: $(B)/libttlog.a $(B)/libttlog.so $(B)/ttlog.pc $(B)/libttlogread.a $(B)/libttlogread.so $(B)/ttlogread.pc $(PROGRAMS)

$(B)/libttlog.a: $(LIB_OBJ)
	$(call say,AR,$@) rm -f $@ && $(AR) rcs $@ $^

# nodelete: threads that have recorded run its destructor when they end, whoever has closed it.
$(B)/libttlog.so.0: $(LIB_OBJ) lib/ttlog.map
	$(call say,LD,$@) $(CC) -shared $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -Wl,-soname,libttlog.so.0 \
		-Wl,--version-script=lib/ttlog.map $(if $(SAN),,-Wl,-z,defs) -Wl,-z,now,-z,nodelete \
		-o $@ $(LIB_OBJ) -lpthread

$(B)/libttlog.so: $(B)/libttlog.so.0
	$(Q)ln -sf libttlog.so.0 $@

# One object, whose inner names are its own: a program may have a dump_open(), too.
$(B)/libttlogread.a: $(READ_OBJ)
	$(call say,AR,$@) rm -f $@ && $(CC) -r -nostdlib -o $(B)/ttlogread.o $^ && \
		$(OBJCOPY) --localize-hidden $(B)/ttlogread.o && $(AR) rcs $@ $(B)/ttlogread.o

$(B)/libttlogread.so.0: $(READ_OBJ) viewer/ttlog_read.map
	$(call say,LD,$@) $(CC) -shared $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -Wl,-soname,libttlogread.so.0 \
		-Wl,--version-script=viewer/ttlog_read.map $(if $(SAN),,-Wl,-z,defs) -Wl,-z,now \
		-o $@ $(READ_OBJ) $(READ_LIBS)

$(B)/libttlogread.so: $(B)/libttlogread.so.0
	$(Q)ln -sf libttlogread.so.0 $@

# Made anew each time: they depend on PREFIX, which may be another one now.
$(B)/ttlogread.pc: viewer/ttlogread.pc.in lib/ttlog.h FORCE
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|' \
		-e "s|@VERSION@|$$(sed -n 's/#define TTLOG_VERSION "\(.*\)"/\1/p' lib/ttlog.h)|" $< > $@

$(B)/ttlog.pc: lib/ttlog.pc.in lib/ttlog.h FORCE
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|' \
		-e "s|@VERSION@|$$(sed -n 's/#define TTLOG_VERSION "\(.*\)"/\1/p' lib/ttlog.h)|" $< > $@

$(B)/ttlog-recorder: $(B)/recorder/main.o $(REC_OBJ) $(SHARED_OBJ)
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(REC_LIBS)

$(B)/ttlog-ctl: $(B)/recorder/ctl_main.o $(B)/parts.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $^ $(REC_LIBS)

$(B)/ttlog-view: $(B)/viewer/main.o $(filter-out %/ttlog_read.o,$(VIEW_OBJ)) $(VIEW_UNWIND_OBJ)
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(VIEW_LIBS)

$(B)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) $(DEPFLAGS) -c -o $@ $<

# The viewer has the same objects. Those of a build before there was a library are made anew.
$(READ_OBJ): EXTRA_CFLAGS := -fPIC -fvisibility=hidden
$(READ_OBJ): viewer/ttlog_read.map

$(B)/viewer/format_sqlite.o $(B)/viewer/sql.o $(B)/viewer/sql_tables.o $(B)/viewer/sql_rows.o $(B)/viewer/sql_give.o: EXTRA_CFLAGS := $(if $(filter 1,$(SQLITE)),-DTTLOG_HAVE_SQLITE)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) $(DEPFLAGS) $(EXTRA_CFLAGS) $(TEST_OPTIMIZE) -c -o $@ $<

# ---- the kernel side: bpf/ttlog.bpf.c becomes a skeleton that watch.c includes ----

ifeq ($(BPF),1)
SKEL_OBJ := $(addprefix $(B)/recorder/,watch.o watch_attach.o watch_load.o watch_check.o)
$(SKEL_OBJ) $(B)/recorder/controls.o $(B)/recorder/watch_none.o $(B)/tests/test_controls.o $(B)/bench/empty.o: EXTRA_CFLAGS := -DTTLOG_HAVE_BPF=1
$(SKEL_OBJ): $(B)/bpf/ttlog.skel.h
$(B)/recorder/stacks.o: EXTRA_CFLAGS := -DTTLOG_HAVE_BPF=1
$(B)/recorder/stacks.o: $(B)/bpf/stacks.skel.h
endif

$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<) $(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -I. \
		-I$(SYSROOT)/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null) $(DEPFLAGS) -c -o $@ $<

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

$(B)/viewer/tui_terminal.o $(B)/tests/test_tui_terminal.o: EXTRA_CFLAGS := $(if $(filter 1,$(NCURSES)),-DTTLOG_HAVE_NCURSES=1 $(call pkg,--cflags,ncursesw))

# What tests and benchmarks are linked with; they take what they need of it.
$(B)/parts.a: $(SHARED_OBJ) $(REC_OBJ) $(CTL_OBJ) $(VIEW_OBJ)
	$(call say,AR,$@) rm -f $@ && $(AR) rcs $@ $^

# An image is built without it.
-include tests/tests.mk

# ---- examples ----

EXAMPLES := kvserver kvload kvproof hello hello_cpp last_death slowest
examples: $(EXAMPLES:%=$(B)/examples/%)

# Examples are built as a user would build them: <ttlog.h> from a folder of its own, no hidden visibility.
$(B)/lib/examples/%.o: lib/examples/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) -Ilib $(DEPFLAGS) -c -o $@ $<

$(B)/lib/examples/%.o: lib/examples/%.cpp
	@mkdir -p $(@D)
	$(call say,CXX,$<) $(CXX) -std=c++17 -Ilib -Wall -Wextra -Wpedantic $(SANFLAGS) $(CFLAGS) $(DEPFLAGS) \
		-c -o $@ $<

$(B)/examples/hello_cpp: $(B)/lib/examples/hello_cpp.o $(B)/libttlog.a
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CXX) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

# <ttlog_read.h> is the only header that such a program has from us.
$(B)/viewer/examples/%.o: viewer/examples/%.c
	@mkdir -p $(@D) $(B)/include
	$(Q)ln -sf $(CURDIR)/viewer/ttlog_read.h $(B)/include/
	$(call say,CC,$<) $(CC) $(filter-out -I.,$(ALL_CFLAGS)) -I$(B)/include $(DEPFLAGS) -c -o $@ $<

$(B)/examples/slowest: $(B)/viewer/examples/slowest.o $(B)/libttlogread.a
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(READ_LIBS)

$(B)/examples/%: $(B)/lib/examples/%.o $(B)/libttlog.a
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

demo: deps-build
	$(Q)$(MAKE) --no-print-directory $(JOBS) all examples
	$(Q)lib/examples/demo.sh $(B)

# ---- benchmarks: one program a question; nothing is asserted, whatever the machine is doing ----

BENCHES := $(addprefix bench_,event busy sparse threads channels instructions bytes paced cold skew death dump screen view clients adopt cost control history triggers)

$(B)/bench/%.o: EXTRA_CFLAGS := -O2

BENCH_OBJ := $(addprefix $(B)/bench/,measure.o busy.o step.o team.o chunked.o empty.o)

$(B)/bench/bench_%: $(B)/bench/bench_%.o $(BENCH_OBJ) $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PARTS_LIBS)

# And one that is run by hand, and the peer that is ours.
benches: $(BENCHES:%=$(B)/bench/%) $(B)/bench/bench_promises $(B)/bench/peer_ttlog

bench: deps
	$(Q)$(MAKE) --no-print-directory all benches
	$(Q)set -e; for b in $(BENCHES); do $(B)/bench/$$b; echo; done; bench/size.sh

# Others that keep the newest events, beside ttlog in one run; nothing else needs their packages.
PEERS := $(patsubst bench/%.c,%,$(wildcard bench/peer_*.c)) $(patsubst bench/%.cpp,%,$(wildcard bench/peer_*.cpp))
PEER_LIBS_lttng = $(call pkg,--libs,lttng-ust)
PEER_LIBS_libqb = $(call pkg,--libs,libqb)
PEER_LIBS_spdlog_backtrace = $(call pkg,--libs,spdlog)
PEER_LIBS_spdlog_async = $(call pkg,--libs,spdlog)

# spdlog's headers are not warning-free.
$(B)/bench/%.o: bench/%.cpp
	@mkdir -p $(@D)
	$(call say,CXX,$<) $(CXX) -std=c++17 -D_GNU_SOURCE -I. -Wall -Wextra $(CFLAGS) -O2 \
		$(call pkg,--cflags,spdlog) $(DEPFLAGS) -c -o $@ $<

# Without the empty BPF programs, which are nobody's peer and want libbpf.
$(B)/bench/peer_%: $(B)/bench/peer_%.o $(B)/bench/peers.o $(filter-out %/empty.o,$(BENCH_OBJ)) $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CXX) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PEER_LIBS_$*) -lpthread

peers: $(PEERS:%=$(B)/bench/%)

# A peer that can't be installed or built is left out, and named.
bench-peers: deps-build
	-$(Q)$(MAKE) --no-print-directory deps-peers
	$(Q)$(MAKE) --no-print-directory all $(B)/bench/peer_ttlog
	-$(Q)$(MAKE) --no-print-directory -k peers
	$(Q)bench/peers.sh $(B)

# ---- what it takes: packages by their Debian names ----

PACKAGES := clang bpftool libbpf-dev liblz4-dev libcbor-dev libdw-dev libiberty-dev libncurses-dev libsqlite3-dev pkg-config
# For the examples, one of which is in C++ (and gcc comes with it), and for those who read a dump without us.
PACKAGES_SHOW := g++ lz4 python3-cbor2 jq
PACKAGES_TEST := tmux libcriterion-dev libclang-rt-dev python3 mandoc spin debuginfod libdebuginfod1 systemd procps zsh fish python3-yaml prometheus curl
# Who reads what the viewer writes for others.
PACKAGES_TEST += babeltrace2 python3-bt2 sqlite3 lnav systemd-journal-remote protobuf-compiler python3-protobuf
# Who has a kubectl from elsewhere keeps it: Debian's would be in its way.
PACKAGES_TEST += $(if $(shell command -v kubectl),,kubernetes-client)
# Two consumers of exports come from npm's registry; node may be there from elsewhere, and not beside Debian's.
PACKAGES_TEST += $(if $(shell command -v npm),,nodejs npm)
# Ubuntu has bpftool inside its kernel tools.
ifneq ($(shell grep -s '^ID=ubuntu' /etc/os-release),)
PACKAGES := $(subst bpftool,linux-tools-common linux-tools-generic,$(PACKAGES))
endif
# With these alone the orders of the code for arm64 are checked.
PACKAGES_TEST += gcc-aarch64-linux-gnu libc6-dev-arm64-cross
PACKAGES_ARM64 := qemu-user
# For the programs; not installed, but unpacked into the build's folder.
PACKAGES_ARM64_ROOT := libc6-dev liblz4-dev libcbor-dev libdw-dev libiberty-dev libbpf-dev libcriterion-dev libsqlite3-dev
# For the kernels' machine; what it boots is fetched, and not installed.
PACKAGES_KERNELS := qemu-system-x86 busybox-static debian-archive-keyring
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# What bench-peers measures and nothing else needs.
PACKAGES_PEERS := liblttng-ust-dev lttng-tools babeltrace2 libqb-dev libqb-tools libspdlog-dev

# $(call install_packages,PACKAGES[,enough]): those that are not there yet. Where apt can't be asked it names them
# and stops; or goes on, when what is there is enough.
define install_packages
	$(Q)missing=; for p in $(1); do \
		[ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	stop() { echo "$$1. Please install what these packages hold:"; echo " $$missing"; exit $(if $(2),0,1); }; \
	command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || stop "This is no Debian and no Ubuntu"; \
	[ -z "$(SUDO)" ] || command -v $(SUDO) >/dev/null || stop "Only root can install, and there is no $(SUDO)"; \
	echo "Installing with apt:$$missing"; \
	$(SUDO) apt-get update -qq; \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
		stop "apt could not install them"
endef

# Who builds without them needs none of their packages; for the tests they are needed all the same.
PACKAGES_UNUSED := $(if $(filter 0,$(BPF)),clang bpftool linux-tools-% libbpf-dev) $(if $(filter 0,$(UNWIND)),libdw-dev libiberty-dev)

deps-build:
	$(call install_packages,$(filter-out $(PACKAGES_UNUSED),$(PACKAGES)) $(PACKAGES_SHOW),$(if $(MISSING),,enough))

deps:
	$(call install_packages,$(PACKAGES) $(PACKAGES_SHOW) $(PACKAGES_TEST))

deps-kernels: deps
	$(call install_packages,$(PACKAGES_KERNELS))

deps-arm64: deps
	$(call install_packages,$(PACKAGES_ARM64))

deps-peers:
	$(call install_packages,$(PACKAGES_PEERS))

install: all install-data install-completions
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin
	install -m 644 lib/ttlog.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(B)/libttlog.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(B)/libttlog.so.0 $(DESTDIR)$(LIBDIR)/
	ln -sf libttlog.so.0 $(DESTDIR)$(LIBDIR)/libttlog.so
	install -m 644 $(B)/ttlog.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 644 viewer/ttlog_read.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(B)/libttlogread.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(B)/libttlogread.so.0 $(DESTDIR)$(LIBDIR)/
	ln -sf libttlogread.so.0 $(DESTDIR)$(LIBDIR)/libttlogread.so
	install -m 644 $(B)/ttlogread.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin/
# For the machine's own loader: what is staged for another one, and what is not root's, it does not know.
	$(if $(DESTDIR),,@PATH=$$PATH:/sbin:/usr/sbin ldconfig 2>/dev/null || true)

# What is not built: manual pages and units.
MAN := $(DESTDIR)$(PREFIX)/share/man

install-data:
	install -d $(MAN)/man1 $(MAN)/man3 $(MAN)/man5 $(MAN)/man8 $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR)
	install -m 644 viewer/*.1 $(MAN)/man1/
	install -m 644 lib/*.3 viewer/*.3 $(MAN)/man3/
	install -m 644 recorder/*.5 $(MAN)/man5/
	install -m 644 recorder/*.8 $(MAN)/man8/
	sed 's|@BINDIR@|$(PREFIX)/bin|' recorder/systemd/ttlog-recorder.service.in \
		> $(DESTDIR)$(UNITDIR)/ttlog-recorder.service
	chmod 644 $(DESTDIR)$(UNITDIR)/ttlog-recorder.service
	install -m 644 recorder/systemd/ttlog-recorder.socket $(DESTDIR)$(UNITDIR)/
	install -m 644 recorder/systemd/ttlog.sysusers $(DESTDIR)$(SYSUSERSDIR)/ttlog.conf
	install -d $(DESTDIR)$(PREFIX)/share/ttlog
	install -m 644 viewer/ttlog.lnav.json $(DESTDIR)$(PREFIX)/share/ttlog/

# Made of what the programs say of themselves, if they can run here: a cross build has none.
SHARE := $(DESTDIR)$(PREFIX)/share

install-completions: $(PROGRAMS)
	install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	$(Q)for p in $(PROGRAMS); do \
		$$p --version >/dev/null 2>&1 || { echo "$$p does not run here: no completions"; continue; }; \
		n=$${p##*/}; \
		recorder/completions.sh $$p bash > $(SHARE)/bash-completion/completions/$$n && \
		recorder/completions.sh $$p zsh > $(SHARE)/zsh/site-functions/_$$n && \
		recorder/completions.sh $$p fish > $(SHARE)/fish/vendor_completions.d/$$n.fish || exit 1; \
	done

NAMES := $(notdir $(PROGRAMS))

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,include/ttlog.h include/ttlog_read.h $(NAMES:%=bin/%)) \
		$(foreach l,libttlog libttlogread,$(addprefix $(DESTDIR)$(LIBDIR)/,$l.a $l.so $l.so.0 pkgconfig/$(l:lib%=%).pc)) \
		$(foreach p,$(wildcard */*.[1-8]),$(MAN)/man$(subst .,,$(suffix $p))/$(notdir $p)) \
		$(addprefix $(DESTDIR)$(UNITDIR)/,ttlog-recorder.service ttlog-recorder.socket) $(DESTDIR)$(SYSUSERSDIR)/ttlog.conf \
		$(foreach n,$(NAMES),$(addprefix $(SHARE)/,bash-completion/completions/$n zsh/site-functions/_$n \
			fish/vendor_completions.d/$n.fish)) $(SHARE)/ttlog/ttlog.lnav.json
	$(Q)rmdir $(SHARE)/ttlog 2>/dev/null || true

help:
	@sed -n '3,/^$$/ { s/^#$$//; s/^#   //; p }' $(firstword $(MAKEFILE_LIST))

clean:
	rm -rf build build-*

-include $(shell find $(B) -name '*.d' 2>/dev/null)

FORCE:
.PHONY: FORCE all clean help check check-arm64 check-kernels check-systemd soak fuzz demo bench benches bench-peers peers deps deps-arm64 deps-build deps-kernels deps-peers install install-data install-completions uninstall examples tests-unit tests-race tests-all
.SECONDARY:
.DELETE_ON_ERROR:
