# A thin front: CMake builds, ctest tests. Each target says what it does and does nothing twice.
BUILD ?= build
PREFIX ?= /usr/local
JOBS := $(shell nproc 2>/dev/null || echo 2)

.PHONY: all core demo test test-core test-alloc test-mutated test-peers test-arm test-mcu test-bytes test-kill test-clang train-evidence asan ubsan tsan coverage bench fuzz wheel install clean
.PHONY: dist test-dist bootstrap bootstrap-core bootstrap-tests install-core

all: bootstrap
	@tools/build $(BUILD)

# What a bare Debian lacks; says what it installs and why, and installs nothing when nothing is missing.
bootstrap:
	@tools/bootstrap
bootstrap-core:
	@tools/bootstrap core
bootstrap-tests:
	@tools/bootstrap tests

# What plan, quant, run and eval of models need, in build-core: no MPI, SQLite, libcurl, libedit, images, archives, fits.
core: bootstrap-core
	@tools/build build-core -DPRECIS_CORE=ON

demo: all
	@tools/demo $(BUILD)

# Warnings are errors here; `make` alone builds with compilers whose warnings nobody has seen yet.
test: bootstrap-tests
	@tools/build $(BUILD) -DPRECIS_TESTS=ON -DPRECIS_WERROR=ON
	@cd $(BUILD) && ctest --output-on-failure -j $(JOBS)

# The core: the same bytes and figures as the whole, and what it lacks said by name.
test-core: all core
	@tests/core/run build-core $(BUILD)

# Static programs for x86-64 and 64-bit Arm, as .tar.gz and .deb, into build-dist (docs/building.md).
dist:
	@tools/dist/make build-dist

# They run on bare systems with the bytes of the usual build, and are made again the same. Root, network, an hour.
test-dist: all dist
	@tests/dist/run $(BUILD) build-dist

# Every place that asks for memory, made to fail, once and from then on: exit 4, or the same bytes. Hours on two cores.
test-alloc: all
	@tests/alloc/run $(BUILD)

# Mutated folders, GGUFs, profiles, plans, manifests through commands, for five minutes (SECONDS, SEED).
test-mutated: all
	@python3 tests/faults/mutate.py $(BUILD)/precis $(or $(SECONDS),300) $(or $(SEED),1) $(BUILD)/mutated

# QAT against rounding after training by paired seeds, of llamas and of a convolutional net, and nanoGPT beside torch: minutes (SIZE=small) or hours (full).
train-evidence: all
	@python3 bench/train_evidence.py $(BUILD)/precis $(BUILD)/train-evidence $(or $(SIZE),small)

# precis against llama-cpp-python, gguf, tokenizers, sentencepiece, jinja2: minutes, needs the network once.
test-peers: all
	@tests/peers/run $(BUILD)

# Cross-compiled for 64-bit Arm, run by qemu: every kernel row, and the same bytes, tokens and figures as here. A quarter of an hour.
test-arm: all
	@tests/arm/run $(BUILD)

# Nets written as C on a Cortex-M4 and a Cortex-M55 by qemu: the same bits as here, sizes as predicted.
test-mcu: all
	@PRECIS_MCU=required sh tests/cli/c_file.sh $(BUILD)/precis .
	@PRECIS_MCU=required sh tests/cli/c_recurrent.sh $(BUILD)/precis .
	@PRECIS_MCU=required sh tests/cli/c_functions.sh $(BUILD)/precis .

# The same bytes from gcc and clang, -O0 to -O3, every instruction set, any number of threads.
test-bytes: bootstrap
	@tests/bytes.sh

# 200 kills at random moments, each time going on with --resume.
test-kill: all
	@tests/cli/kill.sh $(BUILD)/precis . 100

# Everything by clang, where a warning is an error, as it is by gcc in `make test`.
test-clang: bootstrap-tests
	@CC=clang tools/build build-clang -DPRECIS_TESTS=ON -DPRECIS_WERROR=ON

asan ubsan tsan: bootstrap-tests
	@tools/build build-$@ -DPRECIS_TESTS=ON -DPRECIS_SANITIZE=$(if $(filter asan,$@),address,$(if $(filter ubsan,$@),undefined,thread)) -DCMAKE_BUILD_TYPE=RelWithDebInfo
	@cd build-$@ && ctest --output-on-failure -j $(JOBS)

# Lines that the tests run, by folder (gcc). Half an hour.
coverage: bootstrap-tests
	@tools/build build-coverage -DPRECIS_TESTS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O2 --coverage"
	@cd build-coverage && find . -name '*.gcda' -delete && ctest -j $(JOBS) -Q -E source.sanitized; ../tools/coverage .

bench: all
	@bench/run $(BUILD)

# SECONDS_EACH of libFuzzer under ASan and UBSan for each target (clang).
fuzz: bootstrap
	@fuzz/run $(or $(SECONDS_EACH),600)

# The Python package as a wheel (docs/python.md).
wheel: all
	@python/build-wheel --library $(BUILD)/libprecis.so --out $(BUILD)/python

install: all
	@cmake --install $(BUILD) --prefix $(PREFIX)
	@[ "$$(id -u)" != 0 ] || [ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true

install-core: core
	@cmake --install build-core --prefix $(PREFIX)
	@[ "$$(id -u)" != 0 ] || [ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true

clean:
	rm -rf build build-*
