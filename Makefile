# Two commands for everybody: `make run` and `make test`. The rest is for those who work on it.

.PHONY: run web build test soak bench generate

# Builds what is needed and starts Anser with the embedded store and no configuration.
run: web
	cargo build --release --locked -p anser-server
	./target/release/anser serve

# The demo page and the TypeScript SDK. They are built into the binary when they are there.
web: web/node_modules/.stamp
	npm --prefix web run build

web/node_modules/.stamp: web/package.json web/package-lock.json
	npm --prefix web ci --no-audit --no-fund
	touch $@

build:
	cargo build --release --locked --workspace

# Everything that CI checks.
test:
	bash tests/run

# Hours instead of minutes: long fuzzing, thousands of seeds, long crash and load tests.
soak:
	bash tests/soak

# The figures of docs/performance.md, floors and server in one run.
bench:
	bash tests/bench

# Writes every generated file anew.
generate:
	cargo run --locked -p anser-xtask -- generate
