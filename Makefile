# AMC for Darknet. `make help` lists the targets, `make test` needs nothing set up before it.
#
# Darknet's own sources are compiled as they are, out of tree, and linked with amc_plugin/ by the linker's --wrap: calls
# between Darknet's objects to the functions in WRAP go to our __wrap_ ones.

# Switches in Darknet's manner; each combination has a build folder of its own.
OPENMP ?= 1
DEBUG ?= 0
SAN ?= 0
GPU ?= 0
# STOCK=1 runs the tests on Darknet's own kernels.
STOCK ?= 0
PREFIX ?= /usr/local

CC := gcc
.DEFAULT_GOAL := all

ifneq ($(GPU),0)
$(error GPU=$(GPU): this build has no GPU kernels yet, build with GPU=0)
endif

# ---- where things are ----------------------------------------------------------------------------------------------

FLAVOUR := $(if $(filter 1,$(SAN)),san,$(if $(filter 1,$(DEBUG)),debug,release))$(if $(filter 1,$(OPENMP)),,-serial)
B := build/$(FLAVOUR)
BIN := $(if $(filter release,$(FLAVOUR)),bin,$(B)/bin)/darknet

# Targets that a machine without Darknet's source, or without any package, must be able to start.
BARE := help clean setup test demo format uninstall
ifneq ($(filter-out $(BARE),$(or $(MAKECMDGOALS),all)),)
ifeq ($(wildcard darknet/include/darknet.h),)
$(shell scripts/get_darknet.sh >&2)
ifeq ($(wildcard darknet/include/darknet.h),)
$(error darknet/ is empty and scripts/get_darknet.sh could not fill it)
endif
endif
endif

# The files that Darknet's own Makefile builds its program from.
DARKNET_SRC := $(filter-out darknet/src/compare.c,$(wildcard darknet/src/*.c)) \
    $(patsubst %,darknet/examples/%.c,captcha lsd super art tag cifar go rnn segmenter regressor classifier coco yolo \
    detector nightmare instance-segmenter darknet)
AMC_SRC := $(wildcard amc_plugin/*/*.c)
TEST_SRC := $(wildcard tests/*/test_*.c)

DARKNET_OBJ := $(DARKNET_SRC:%.c=$(B)/%.o)
AMC_OBJ := $(AMC_SRC:%.c=$(B)/%.o)
TESTS := $(TEST_SRC:%.c=$(B)/%)
# What a test program is linked with, as far as it needs it: everything but the two mains.
LIB := $(B)/libtested.a
LIB_OBJ := $(filter-out $(B)/darknet/examples/darknet.o $(B)/amc_plugin/cmd/main.o,$(DARKNET_OBJ) $(AMC_OBJ))

# ---- how things are built ------------------------------------------------------------------------------------------

# Darknet's functions that host/hooks.c replaces (and main, which cmd/main.c does).
WRAP := gemm activate_array gradient_array fill_cpu \
        make_convolutional_layer make_connected_layer make_batchnorm_layer \
        make_local_layer make_maxpool_layer make_shortcut_layer \
        load_data load_image_color random_augment_image random_distort_image
WRAP_FLAGS := $(WRAP:%=-Wl,--wrap=%)

OPTIMISE := $(if $(filter 1,$(DEBUG)),-O0,$(if $(filter 1,$(SAN)),-O1,-O3))
OMP := $(if $(filter 1,$(OPENMP)),-fopenmp,-fopenmp-simd)
BLAS_CFLAGS := $(shell pkg-config --cflags openblas 2>/dev/null)

CFLAGS_AMC := -std=gnu11 -g $(OPTIMISE) -Wall -Wextra -Wno-psabi -fno-math-errno -fno-trapping-math -fPIC $(OMP) $(BLAS_CFLAGS)
CPPFLAGS_AMC := -D_GNU_SOURCE -MMD -MP -Iamc_plugin -isystem darknet/include -isystem darknet/src
# Darknet's own flags, with the warnings about code that isn't ours silenced.
CFLAGS_DARKNET := -w -fPIC -g $(if $(filter 1,$(DEBUG)),-O0,-Ofast)
CPPFLAGS_DARKNET := -MMD -MP -Idarknet/include -Idarknet/src
# Not linked with -Ofast: that would set flush-to-zero for the whole process.
LDFLAGS := $(OMP)
LDLIBS := -lopenblas -lcjson -lpthread -lm
ifneq ($(OPENMP),1)
LDLIBS += -lgomp # omp_get_num_procs() and its like are there without threads too
endif

ifeq ($(SAN),1)
CFLAGS_AMC += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DAMC_SAN
CFLAGS_DARKNET += -fsanitize=address -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif

# V=1 shows the commands.
ifeq ($(V),1)
Q :=
else
Q = @printf '  %-4s %s\n' $(if $(filter %.o,$@),CC,$(if $(filter %.a,$@),AR,LINK)) $@;
endif

# Make runs as many jobs as there are processors unless told otherwise.
PARALLEL := $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all test run-tests demo results bench bench-programs lint format setup install uninstall clean help

all: $(BIN) ## build bin/darknet (build/FLAVOUR/bin/darknet for DEBUG=1, SAN=1, OPENMP=0)

$(BIN): $(DARKNET_OBJ) $(AMC_OBJ)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(WRAP_FLAGS) -Wl,--wrap=main $^ $(LDLIBS) -o $@

$(B)/darknet/%.o: darknet/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_DARKNET) $(CFLAGS_DARKNET) -c $< -o $@

$(B)/amc_plugin/%.o: amc_plugin/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_AMC) $(CFLAGS_AMC) -c $< -o $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_AMC) -Itests $(CFLAGS_AMC) $(LDFLAGS) $(WRAP_FLAGS) $< $(LIB) $(LDLIBS) -lcmocka -o $@

# scripts/bench/ is built as tests are; each program of it may want a library of its own.
$(B)/scripts/%: scripts/%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_AMC) $(CFLAGS_AMC) $(LDFLAGS) $(WRAP_FLAGS) $< $(LIB) $(LDLIBS) $(BENCH_LIBS) -o $@

$(B)/scripts/bench/onednn: BENCH_LIBS := -ldnnl

# Ours depend on the flags above too; Darknet's are many and theirs don't change.
$(AMC_OBJ): Makefile

test: ## set the machine up, build, run every test
	@if [ -x scripts/setup.sh ]; then scripts/setup.sh; fi
	@+$(MAKE) --no-print-directory $(PARALLEL) run-tests

# What the tests' scripts run besides bin/darknet.
TOOLS := $(B)/tests/support/random_weights

# ONLY=kernels runs the tests whose path contains that word.
run-tests: export AMC_STOCK := $(or $(filter 1,$(STOCK)),$(AMC_STOCK))
run-tests: $(BIN) $(TESTS) $(TOOLS)
	@DARKNET=$(CURDIR)/$(BIN) ONLY='$(ONLY)' tests/run.sh $(TESTS) $(wildcard tests/*/test_*.sh)

demo: ## search, prune, fine-tune and measure a network on real images
	@if [ -x scripts/setup.sh ]; then scripts/setup.sh; fi
	@+$(MAKE) --no-print-directory $(PARALLEL) all
	@scripts/demo.sh

results: all ## run the comparisons behind RESULTS.md (about an hour) and write it
	@scripts/results.sh

# The programs of scripts/bench.sh; what it compares with is there as far as it is installed.
BENCH := $(addprefix $(B)/scripts/bench/,darknet episode sgemm \
    $(if $(wildcard /usr/include/oneapi/dnnl/dnnl.h),onednn))

bench-programs: $(BIN) $(TOOLS) $(BENCH)

bench: bench-programs ## measure speed beside Darknet's own, PyTorch, oneDNN and OpenCV (25 minutes)
	@scripts/bench.sh

lint: ## clang-format, cppcheck, include directions
	@scripts/lint.sh

format: ## clang-format every source of ours in place
	@clang-format -i $(shell find amc_plugin tests scripts/bench -name '*.[ch]')

setup: ## install the packages that are missing
	@scripts/setup.sh

install: all ## copy bin/darknet to PREFIX/bin
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/darknet

uninstall: ## remove PREFIX/bin/darknet
	rm -f $(DESTDIR)$(PREFIX)/bin/darknet

clean: ## remove everything that was built
	rm -rf build bin

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'
	@echo 'Variables: OPENMP=1 DEBUG=0 SAN=0 GPU=0 PREFIX=/usr/local, ONLY=WORD STOCK=0 for test'

-include $(DARKNET_OBJ:.o=.d) $(AMC_OBJ:.o=.d) $(TESTS:=.d) $(TOOLS:=.d) $(BENCH:=.d)
