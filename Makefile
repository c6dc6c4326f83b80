# SPDX-License-Identifier: MIT
#
#   make            the library, the recorder, the viewer, into build/
#   make demo       installs what is missing (Debian, Ubuntu), builds, kills a real service five times
#   make check      installs what is missing, builds, runs every test
#   make bench      measures, as ratios to a floor in the same run
#   make install    PREFIX=/usr/local DESTDIR=
#   make clean
#
#   CC=clang, CFLAGS=..., V=1 (show commands), BPF=0 (without the kernel side), SAN=address,undefined or
#   SAN=thread (into build-$(SAN)/)

PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
BPF ?= 1
CLANG ?= clang
CFLAGS ?= -O2 -g
V ?= 0

comma := ,
B := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2);)

export PKG_CONFIG_PATH
pkg = $(shell pkg-config $(1) $(2) 2>/dev/null)
BPFTOOL ?= $(firstword $(shell command -v bpftool 2>/dev/null) $(wildcard /usr/sbin/bpftool))

WARN := -Wall -Wextra -Wpointer-arith -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE -I. -I$(B) $(WARN) $(SANFLAGS) $(CFLAGS)
# Objects of the library that other programs use too; its own are hidden but for ttlog.map's symbols.
LIB_CFLAGS := -fPIC -fvisibility=hidden -ftls-model=initial-exec
DEPFLAGS = -MMD -MP -MF $@.d -MT $@

REC_LIBS := $(call pkg,--libs,liblz4 libcbor) $(if $(filter 1,$(BPF)),$(call pkg,--libs,libbpf)) -lpthread
VIEW_LIBS := $(call pkg,--libs,liblz4 libcbor)

LIB_SRC := $(filter-out lib/reader.c,$(wildcard lib/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
# What the recorder takes from lib/: the contract's own code, not the library.
SHARED_OBJ := $(B)/lib/region.o $(B)/lib/clock.o $(B)/lib/reader.o
REC_SRC := $(filter-out recorder/main.c,$(wildcard recorder/*.c))
REC_OBJ := $(REC_SRC:%.c=$(B)/%.o)
VIEW_SRC := $(filter-out viewer/main.c,$(wildcard viewer/*.c))
VIEW_OBJ := $(VIEW_SRC:%.c=$(B)/%.o)

PROGRAMS := $(B)/ttlog-recorder $(B)/ttlog-view

all: $(B)/libttlog.a $(B)/libttlog.so $(B)/ttlog.pc $(PROGRAMS)

$(B)/libttlog.a: $(LIB_OBJ)
	$(call say,AR,$@) rm -f $@ && $(AR) rcs $@ $^

$(B)/libttlog.so.0: $(LIB_OBJ) lib/ttlog.map
	$(call say,LD,$@) $(CC) -shared $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -Wl,-soname,libttlog.so.0 \
		-Wl,--version-script=lib/ttlog.map $(if $(SAN),,-Wl,-z,defs) -Wl,-z,now \
		-o $@ $(LIB_OBJ) -lpthread

$(B)/libttlog.so: $(B)/libttlog.so.0
	$(Q)ln -sf libttlog.so.0 $@

$(B)/ttlog.pc: lib/ttlog.pc.in lib/ttlog.h
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|' \
		-e "s|@VERSION@|$$(sed -n 's/#define TTLOG_VERSION "\(.*\)"/\1/p' lib/ttlog.h)|" $< > $@

$(B)/ttlog-recorder: $(B)/recorder/main.o $(REC_OBJ) $(SHARED_OBJ)
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(REC_LIBS)

$(B)/ttlog-view: $(B)/viewer/main.o $(VIEW_OBJ)
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(VIEW_LIBS)

$(B)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) $(DEPFLAGS) $(EXTRA_CFLAGS) -c -o $@ $<

# ---- the kernel side: bpf/ttlog.bpf.c becomes a skeleton that watch.c includes ----

ifeq ($(BPF),1)
$(B)/recorder/watch.o: EXTRA_CFLAGS := -DTTLOG_HAVE_BPF=1
$(B)/recorder/watch.o: $(B)/bpf/ttlog.skel.h
endif

$(B)/bpf/ttlog.bpf.o: bpf/ttlog.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<) $(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -I. \
		-I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null) $(DEPFLAGS) -c -o $@ $<

$(B)/bpf/ttlog.skel.h: $(B)/bpf/ttlog.bpf.o
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name ttlog_bpf > $@.tmp && mv $@.tmp $@

# ---- tests: one program a file, linked against what it needs of the parts ----

$(B)/parts.a: $(SHARED_OBJ) $(REC_OBJ) $(VIEW_OBJ)
	$(call say,AR,$@) rm -f $@ && $(AR) rcs $@ $^

TEST_LIBS := $(call pkg,--libs,criterion)

$(B)/tests/test_%: $(B)/tests/test_%.o $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(REC_LIBS)

$(B)/tests/race_%: $(B)/tests/race_%.o $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(REC_LIBS)

$(B)/tests/crash_%: $(B)/tests/crash_%.o $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(REC_LIBS)

# A fuzz target and its replay: tests/fuzz_main.c runs LLVMFuzzerTestOneInput over files and folders.
$(B)/tests/fuzz_%: $(B)/tests/fuzz_%.o $(B)/tests/fuzz_main.o $(B)/parts.a $(B)/libttlog.a
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(REC_LIBS)

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

$(B)/examples/%: $(B)/lib/examples/%.o $(B)/libttlog.a
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

clean:
	rm -rf build build-*

-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: all clean
.DELETE_ON_ERROR:
