# Weft's build.
#
#   make                 src/weft-server, release (-O3 -flto)
#   make run             install what is missing, build, start the server
#   make test            install what is missing, build, run every test
#   make fuzz            the fuzz targets alone, FUZZ_SECONDS=n each
#   make bench           compare with redis-server        make bench-runtime / bench-engine / bench-table: parts alone
#   make install         into $(DESTDIR)$(PREFIX)         make clean
#   SANITIZER=address|thread|undefined   instrumented build   TORTURE=1   yield and steal as often as is legal
#
# Each variant has its own folder under build/, so switching between them rebuilds nothing.

PREFIX ?= /usr/local
CC     ?= gcc
Q      := $(if $(V),,@)

VARIANT := release
ifneq ($(SANITIZER),)
VARIANT := $(SANITIZER)
else ifneq ($(DEBUG),)
VARIANT := debug
endif
ifneq ($(TORTURE),)
VARIANT := $(VARIANT)-torture
endif
ifneq ($(findstring clang,$(CC)),)
VARIANT := $(VARIANT)-clang
endif
BUILD := build/$(VARIANT)

PKG       := pkg-config
WARN      := -Wall -Wextra -Werror -Wno-unused-parameter -Wstrict-prototypes -Wmissing-prototypes
URING     := $(shell $(PKG) --exists 'liburing >= 2.3' && echo -DWEFT_IO_URING)
COMMON    := -std=gnu17 -D_GNU_SOURCE -Isrc -g -pthread -fno-omit-frame-pointer $(WARN) \
             $(shell $(PKG) --cflags libxxhash liburing 2>/dev/null) $(URING)
LIBS      := $(shell $(PKG) --libs liburing 2>/dev/null) -lm -lpthread -ldl -rdynamic
JEMALLOC  := -l:libjemalloc.a -lm

ifneq ($(SANITIZER),)
COMMON  += -fsanitize=$(SANITIZER) -DWEFT_SANITIZER -O1
LDFLAGS += -fsanitize=$(SANITIZER)
ifeq ($(SANITIZER),undefined)
# With it gcc no longer knows the range of a number, and warns where there is nothing to warn of.
COMMON  += -fno-sanitize-recover=all -Wno-format-truncation
endif
else ifneq ($(DEBUG),)
COMMON  += -O1 -DWEFT_JEMALLOC
LIBS    += $(JEMALLOC)
else
COMMON  += -O3 -DNDEBUG -DWEFT_JEMALLOC
ifeq ($(findstring clang,$(CC)),)
COMMON  += -flto=auto -fno-plt -fno-semantic-interposition
LDFLAGS += -flto=auto -O3 -no-pie
COMMON  += -fno-pie
endif
LIBS    += $(JEMALLOC)
endif
ifneq ($(TORTURE),)
COMMON  += -DWEFT_TORTURE
endif

LAYERS  := base runtime types keyspace net persist commands replication scripting server
SRC     := $(foreach layer,$(LAYERS),$(wildcard src/$(layer)/*.c))
ifeq ($(URING),)
SRC     := $(filter-out src/runtime/netpoll_uring%,$(SRC))
endif
ASM     := $(wildcard src/runtime/*.S)
OBJ     := $(SRC:%.c=$(BUILD)/%.o) $(ASM:%.S=$(BUILD)/%.o)
MAIN    := $(BUILD)/src/server/main.o
LIBOBJ  := $(filter-out $(MAIN),$(OBJ))
SERVER  := $(BUILD)/weft-server

.PHONY: all run test test-units bench bench-runtime bench-engine install clean check-layers deps-build deps-test deps-bench FORCE
.DELETE_ON_ERROR:

# Without a main there is nothing to link yet: the objects alone.
all: $(if $(wildcard src/server/main.c),src/weft-server,$(OBJ))

# The binary of the variant built last stands at src/weft-server.
src/weft-server: $(SERVER) FORCE
	$(Q)cmp -s $< $@ || { cp -f $< $@.new && mv -f $@.new $@; }

$(SERVER): $(OBJ)
	$(Q)echo "  LINK  $@"; $(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LIBS)

$(BUILD)/src/%.o: src/%.c $(BUILD)/flags
	$(Q)mkdir -p $(@D); echo "  CC    $<"; $(CC) $(COMMON) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/src/%.o: src/%.S $(BUILD)/flags
	$(Q)mkdir -p $(@D); echo "  AS    $<"; $(CC) -Isrc -g -c $< -o $@

# Everything depends on the flags it was built with.
$(BUILD)/flags: FORCE
	$(Q)mkdir -p $(@D); echo '$(CC) $(COMMON) $(CFLAGS) $(LDFLAGS)' | cmp -s - $@ || \
	    echo '$(CC) $(COMMON) $(CFLAGS) $(LDFLAGS)' > $@

-include $(OBJ:.o=.d)

# Unit tests: one program a file, linked with every object but main's. They assert, so never in a release build.
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)

$(BUILD)/libweft.a: $(LIBOBJ)
	$(Q)rm -f $@; $(AR) rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libweft.a $(BUILD)/flags
	$(Q)mkdir -p $(@D); echo "  TEST  $<"; \
	$(CC) $(COMMON) -UNDEBUG $(CFLAGS) -MMD -MP $< -o $@ $(LDFLAGS) $(BUILD)/libweft.a $(LIBS) \
	    $(shell $(PKG) --cflags --libs cmocka)

-include $(UNIT_BIN:=.d)

unit-bins: $(UNIT_BIN)
.PHONY: unit-bins

# Stress programs: like unit tests, run longer. Clients of the server link nothing of ours.
$(BUILD)/stress/%: tests/stress/%.c $(BUILD)/libweft.a $(BUILD)/flags
	$(Q)mkdir -p $(@D); echo "  TEST  $<"; \
	$(CC) $(COMMON) -UNDEBUG $(CFLAGS) -MMD -MP $< -o $@ $(LDFLAGS) $(BUILD)/libweft.a $(LIBS) \
	    $(shell $(PKG) --cflags --libs cmocka)

CLIENT_SRC := $(wildcard tests/hiredis/*.c tests/differential/*.c tests/stress/history.c)
CLIENT_BIN := $(patsubst %.c,build/clients/%,$(notdir $(CLIENT_SRC)))
vpath %.c tests/hiredis tests/differential tests/stress

build/clients/%: %.c tests/hiredis/testing.h $(wildcard tests/differential/*.h)
	$(Q)mkdir -p $(@D); echo "  TEST  $<"; \
	$(CC) -std=gnu17 -D_GNU_SOURCE -O1 -g -pthread -Itests/hiredis $(WARN) $< -o $@ $(shell $(PKG) --cflags --libs hiredis)

client-bins: $(CLIENT_BIN)
.PHONY: client-bins

# Fuzz targets: libFuzzer under address and undefined behaviour sanitizer, over the layers they reach.
FUZZ_SRC   := $(wildcard src/base/*.c src/types/*.c) src/net/resp.c \
              $(filter-out src/persist/rdb_save.c src/persist/rdb_load.c,$(wildcard src/persist/*.c))
FUZZ_FLAGS := -std=gnu17 -D_GNU_SOURCE -Isrc -g -O1 -pthread -fno-omit-frame-pointer -DWEFT_SANITIZER $(WARN) \
              -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

build/fuzz/%: tests/fuzz/%.c $(FUZZ_SRC) $(wildcard src/base/*.h src/types/*.h src/net/*.h src/persist/*.h)
	$(Q)mkdir -p $(@D); echo "  FUZZ  $<"; clang $(FUZZ_FLAGS) $< $(FUZZ_SRC) -o $@ -lm

fuzz:
	$(Q)tests/fuzz/run $(FUZZ_SECONDS)
.PHONY: fuzz

deps-build:
	$(Q)deps/install build
deps-test:
	$(Q)deps/install build test
deps-bench:
	$(Q)deps/install build test bench

run: deps-build
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	$(Q)exec src/weft-server $(ARGS)

test: deps-test
	$(Q)tests/run $(TESTS)

check-layers:
	$(Q)utils/check-layers

# The engine without the network.
$(BUILD)/bench-engine: utils/bench-engine.c $(BUILD)/libweft.a $(BUILD)/flags
	$(Q)mkdir -p $(@D); echo "  LINK  $@"; $(CC) $(COMMON) $(CFLAGS) $< -o $@ $(LDFLAGS) $(BUILD)/libweft.a $(LIBS)

bench-engine: $(BUILD)/bench-engine
	$(Q)$< $(BENCH)

$(BUILD)/bench-table: utils/bench-table.c $(BUILD)/libweft.a $(BUILD)/flags
	$(Q)mkdir -p $(@D); echo "  LINK  $@"; $(CC) $(COMMON) $(CFLAGS) $< -o $@ $(LDFLAGS) $(BUILD)/libweft.a $(LIBS)

bench-table: $(BUILD)/bench-table
	$(Q)$< $(BENCH)
.PHONY: bench-table

# The floor and the clients of the benchmark link nothing of ours.
build/floor build/bench-client: build/%: utils/%.c
	$(Q)mkdir -p $(@D); echo "  CC    $<"; $(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARN) $< -o $@

bench: deps-bench
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all build/floor build/bench-client
	$(Q)utils/bench $(BENCH)

$(BUILD)/bench-runtime: utils/bench-runtime/bench.c $(BUILD)/libweft.a $(BUILD)/flags
	$(Q)mkdir -p $(@D); echo "  BENCH $<"; \
	$(CC) $(COMMON) $(CFLAGS) $< -o $@ $(LDFLAGS) $(BUILD)/libweft.a $(LIBS)

bench-runtime: $(BUILD)/bench-runtime
	$(Q)utils/bench-runtime/run $(BUILD)

install: all
	install -D -m 755 src/weft-server $(DESTDIR)$(PREFIX)/bin/weft-server
	install -D -m 644 redis.conf $(DESTDIR)$(PREFIX)/share/weft/redis.conf

clean:
	rm -rf build src/weft-server tests/tmp
