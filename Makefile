# AMC for Darknet. `make help` lists the targets, `make test` needs nothing set up before it.
#
# Darknet's own sources are compiled as they are, out of tree, and linked with amc_plugin/ by the linker's --wrap: calls
# between Darknet's objects to the functions in WRAP go to our __wrap_ ones.

# Switches in Darknet's manner; each combination has a build folder of its own.
OPENMP ?= 1
DEBUG ?= 0
SAN ?= 0
GPU ?= 0
CUDNN ?= 0
# STOCK=1 runs the tests on Darknet's own kernels.
STOCK ?= 0
PREFIX ?= /usr/local

CC := gcc
COMMA := ,
.DEFAULT_GOAL := all

ifeq ($(GPU),1)
# sm_75 code, and what drivers of newer GPUs compile themselves at the first start; any list as Darknet's ARCH is.
ARCH ?= -gencode arch=compute_75,code=[sm_75,compute_75]
NVCC ?= $(or $(shell command -v nvcc),$(wildcard /usr/local/cuda/bin/nvcc))
CUDA ?= $(patsubst %/bin/nvcc,%,$(realpath $(shell command -v $(NVCC))))
endif

# ---- where things are ----------------------------------------------------------------------------------------------

FLAVOUR := $(if $(filter 1,$(SAN)),san,$(if $(filter 1,$(DEBUG)),debug,release))$(if $(filter 1,$(OPENMP)),,-serial)$(if \
    $(filter 1,$(GPU)),-gpu$(if $(filter 1,$(CUDNN)),-cudnn))
B := build/$(FLAVOUR)
BIN := $(if $(filter release release-gpu release-gpu-cudnn,$(FLAVOUR)),bin,$(B)/bin)/darknet

# Targets that a machine without Darknet's source, or without any package, must be able to start.
BARE := help clean setup test demo example format uninstall
ifneq ($(filter-out $(BARE),$(or $(MAKECMDGOALS),all)),)
ifeq ($(wildcard darknet/include/darknet.h),)
$(shell scripts/get_darknet.sh >&2)
ifeq ($(wildcard darknet/include/darknet.h),)
$(error darknet/ is empty and scripts/get_darknet.sh could not fill it)
endif
endif
ifeq ($(GPU),1)
ifeq ($(CUDA),)
$(error GPU=1: nvcc is not in PATH, nor in /usr/local/cuda/bin; name it by NVCC=/path/to/nvcc)
endif
endif
endif

# The files that Darknet's own Makefile builds its program from.
DARKNET_SRC := $(filter-out darknet/src/compare.c,$(wildcard darknet/src/*.c)) \
    $(patsubst %,darknet/examples/%.c,captcha lsd super art tag cifar go rnn segmenter regressor classifier coco yolo \
    detector nightmare instance-segmenter darknet)
DARKNET_CU := $(if $(filter 1,$(GPU)),$(wildcard darknet/src/*.cu))
AMC_SRC := $(filter-out $(if $(filter 1,$(GPU)),amc_plugin/host/gpu_engine_$(if $(filter 1,$(CUDNN)),cublas,cudnn).c,\
    amc_plugin/host/gpu%),$(wildcard amc_plugin/*/*.c))
AMC_CU := $(if $(filter 1,$(GPU)),$(wildcard amc_plugin/*/*.cu))
TEST_SRC := $(wildcard tests/*/test_*.c)

DARKNET_OBJ := $(DARKNET_SRC:%.c=$(B)/%.o) $(DARKNET_CU:%.cu=$(B)/%.o)
AMC_OBJ := $(AMC_SRC:%.c=$(B)/%.o) $(AMC_CU:%.cu=$(B)/%.o)
TESTS := $(TEST_SRC:%.c=$(B)/%)
# What a test program is linked with, as far as it needs it: everything but the two mains.
LIB := $(B)/libtested.a
LIB_OBJ := $(filter-out $(B)/darknet/examples/darknet.o $(B)/amc_plugin/cmd/main.o,$(DARKNET_OBJ) $(AMC_OBJ))

# ---- how things are built ------------------------------------------------------------------------------------------

# Darknet's functions that host/ replaces (and main, which cmd/main.c does), and what its asserts call.
WRAP := gemm gemm_cpu activate_array gradient_array fill_cpu \
        make_convolutional_layer make_connected_layer make_batchnorm_layer \
        make_local_layer make_deconvolutional_layer make_maxpool_layer make_shortcut_layer \
        load_data load_image_color random_augment_image random_distort_image load_weights get_next_batch \
        softmax_x_ent_cpu __assert_fail
ifeq ($(GPU),1)
WRAP += cuda_make_array cuda_make_int_array cuda_free cuda_set_device \
        resize_convolutional_layer make_crop_layer softmax_x_ent_gpu
endif
WRAP_FLAGS := $(WRAP:%=-Wl,--wrap=%)

OPTIMISE := $(if $(filter 1,$(DEBUG)),-O0,$(if $(filter 1,$(SAN)),-O1,-O3))
OMP := $(if $(filter 1,$(OPENMP)),-fopenmp,-fopenmp-simd)
BLAS_CFLAGS := $(shell pkg-config --cflags openblas 2>/dev/null)

CFLAGS_AMC := -std=gnu11 -g $(OPTIMISE) -Wall -Wextra -Wstrict-prototypes -Wvla -Wno-psabi -fno-math-errno \
    -fno-trapping-math -fPIC $(OMP) $(BLAS_CFLAGS)
CPPFLAGS_AMC := -D_GNU_SOURCE -MMD -MP -Iamc_plugin -isystem darknet/include -isystem darknet/src
# Darknet's own flags, with the warnings about code that isn't ours silenced.
CFLAGS_DARKNET := -w -fPIC -g $(if $(filter 1,$(DEBUG)),-O0,-Ofast)
CPPFLAGS_DARKNET := -MMD -MP -Idarknet/include -Idarknet/src
# Not linked with -Ofast: that would set flush-to-zero for the whole process.
LDFLAGS := $(OMP)
LDLIBS := -lopenblas -lcjson -lzstd -lpthread -lm
ifneq ($(OPENMP),1)
LDLIBS += -lgomp # omp_get_num_procs() and its like are there without threads too
endif

ifeq ($(SAN),1)
CFLAGS_AMC += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DAMC_SAN
CFLAGS_DARKNET += -fsanitize=address -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif

ifeq ($(GPU),1)
CPPFLAGS_AMC += -DGPU -isystem $(CUDA)/include
CPPFLAGS_DARKNET += -DGPU -I$(CUDA)/include
LDFLAGS += $(if $(wildcard $(CUDA)/lib64),-L$(CUDA)/lib64 -Wl$(COMMA)-rpath$(COMMA)$(CUDA)/lib64)
LDLIBS += $(if $(filter 1,$(CUDNN)),-lcudnn) -lcublas -lcurand -lcudart -lstdc++
endif

# V=1 shows the commands.
ifeq ($(V),1)
Q :=
else
Q = @printf '  %-4s %s\n' $(if $(filter %.cu,$<),NVCC,$(if $(filter %.o,$@),CC,$(if $(filter %.a,$@),AR,LINK))) $@;
endif

# Make runs as many jobs as there are processors unless told otherwise.
PARALLEL := $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: FORCE all test run-tests demo example results bench bench-programs lint format setup install uninstall clean help

all: $(BIN) ## build bin/darknet, with GPU=1 too (build/FLAVOUR/bin/darknet for DEBUG=1, SAN=1, OPENMP=0)

$(BIN): $(DARKNET_OBJ) $(AMC_OBJ) build/flavour
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(WRAP_FLAGS) -Wl,--wrap=main $(filter %.o,$^) $(LDLIBS) -o $@

# Files whose text is a setting: what depends on one is made anew when the setting has changed.
build/flavour $(B)/arch: FORCE
	@mkdir -p $(@D)
	@echo '$(if $(filter %/arch,$@),$(ARCH),$(FLAVOUR))' | cmp -s - $@ || \
	    echo '$(if $(filter %/arch,$@),$(ARCH),$(FLAVOUR))' >$@

$(B)/darknet/%.o: darknet/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_DARKNET) $(CFLAGS_DARKNET) -c $< -o $@

$(B)/darknet/%.o: darknet/%.cu $(B)/arch
	@mkdir -p $(@D)
	$(Q)$(NVCC) $(ARCH) $(filter-out -M%,$(CPPFLAGS_DARKNET)) -w --compiler-options '$(CFLAGS_DARKNET)' -c $< -o $@

$(B)/amc_plugin/%.o: amc_plugin/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_AMC) $(CFLAGS_AMC) -c $< -o $@

$(B)/amc_plugin/%.o: amc_plugin/%.cu $(B)/arch
	@mkdir -p $(@D)
	$(Q)$(NVCC) $(ARCH) -MMD -MP -O3 -Iamc_plugin --compiler-options '-fPIC -Wall -Wextra' -c $< -o $@

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

# Names the kernels, so that times that were measured with others are told apart.
KERNELS := $(wildcard amc_plugin/kernels/*.[ch] amc_plugin/host/hooks.c)
$(B)/amc_plugin/host/hooks.o: $(KERNELS)
$(B)/amc_plugin/host/hooks.o: CPPFLAGS_AMC += -DAMC_KERNELS='"$(FLAVOUR), gcc $(shell $(CC) -dumpversion), $(firstword \
    $(shell cat $(KERNELS) | cksum))"'

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

example: ## take one of Darknet's own .cfg files from training to a pruned network (20 minutes)
	@if [ -x scripts/setup.sh ]; then scripts/setup.sh; fi
	@+$(MAKE) --no-print-directory $(PARALLEL) all
	@scripts/example.sh

results: all ## run the comparisons behind RESULTS.md (about an hour and a half) and write it
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
	@clang-format -i $(shell find amc_plugin tests scripts/bench -name '*.[ch]' -o -name '*.cu')

setup: ## install the packages that are missing
	@scripts/setup.sh

MAN := $(DESTDIR)$(PREFIX)/share/man/man1/darknet-amc.1
COMPLETION := $(DESTDIR)$(PREFIX)/share/bash-completion/completions/darknet

install: all ## copy bin/darknet to PREFIX/bin, with its manual page and completion for bash
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/darknet
	@mkdir -p $(dir $(MAN))
	scripts/man.sh $(BIN) >$(MAN)
	install -D -m 644 scripts/completion.bash $(COMPLETION)

uninstall: ## remove what install copied
	rm -f $(DESTDIR)$(PREFIX)/bin/darknet $(MAN) $(COMPLETION)

clean: ## remove everything that was built
	rm -rf build bin

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'
	@echo 'Variables: OPENMP=1 DEBUG=0 SAN=0 GPU=0 CUDNN=0 PREFIX=/usr/local, ONLY=WORD STOCK=0 for test'
	@echo 'With GPU=1: NVCC=/path/to/nvcc, ARCH="-gencode arch=compute_90,code=sm_90" or the like'

-include $(DARKNET_OBJ:.o=.d) $(AMC_OBJ:.o=.d) $(TESTS:=.d) $(TOOLS:=.d) $(BENCH:=.d)
