# The few commands a person needs; everything else is CMake (CMakePresets.json).
#   make demo      a live replica set on this machine and the console on it
#   make test      build everything with sanitizers and run every test
#   make install   PREFIX=/usr/local
#   make proof     50 seeds: a restored set equals what its writer was acknowledged
#   make soak      500 random schedules of a switch of the primary, with faults
#   make bench     the figures of docs/benchmarks.md
.POSIX:
PREFIX = /usr/local
JOBS = $$(nproc)

all: build

build:
	@sh scripts/deps.sh build
	@sh scripts/build.sh release muster

demo:
	@sh scripts/deps.sh build
	@sh scripts/build.sh release muster
	@sh scripts/demo.sh build/release/muster

test:
	@sh scripts/deps.sh build test
	@sh scripts/build.sh dev
	@sh scripts/test.sh dev

lint:
	@sh scripts/deps.sh build test lint
	@sh scripts/lint.sh

proof:
	@sh scripts/deps.sh build test
	@sh scripts/proof.sh

soak:
	@sh scripts/deps.sh build test
	@sh scripts/soak.sh

bench:
	@sh scripts/deps.sh build test
	@sh scripts/build.sh release bench
	@sh tests/bench/run.sh build/release

install: build
	cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build out

.PHONY: all build demo test lint proof soak bench install clean
