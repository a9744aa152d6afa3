# Two commands are the whole set-up: `make image` and `make test`.

SITE ?= examples/example.com/site.nix
OUT ?= out
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
TOOL := target/$(HOST)/release/synapse-site
VENV := target/venv
# Where generated tests begin; another number tries other inputs.
SEED ?= 20261123
SKIPPED := target/$(HOST)/tmp/skipped
# The Macs that the tool is linked for, by Rust's names.
MACS ?= aarch64-apple-darwin
# The Debian releases whose Nix the tests run with, besides that of this machine.
LATER_NIX := trixie sid
# The files of the stack test that run on images of nixpkgs too.
ON_NIX := bring_up login rooms media turn exposure confinement secrets
# The services of the stack test that run Synapse; from nixpkgs, their image has a shell, since its programs are wrapped in scripts.
SYNAPSE_PROCESSES := synapse synapse-generic-worker-1 synapse-federation-sender-1

.PHONY: image test bench fuzz lint unit measure measured stack nix tool lock clean settings snapshots generated tools test-tools darwin later-nix $(LATER_NIX:%=later-nix-%)

## Build the images and the manifest of the example site (or of SITE=... into OUT=...).
image: tool
	$(TOOL) build $(SITE) --images images --relock-if-gone --out $(OUT)

## Everything that CI runs. The images come first: if a locked package is gone, that step chooses anew and says what moved.
test: image lint unit measure stack nix

tool: tools
	cargo build --release --locked

tools:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it with rustup, then run make again" >&2; exit 3; }
	@tools/ensure cc=gcc nix=nix-bin pip3=python3-pip

test-tools: tools
	@command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest
	@tools/ensure slapd=slapd ldapsearch=ldap-utils turnutils_uclient=coturn openssl=openssl \
	  gpgv=gpgv python3=python3 redis-server=redis-server gzip=gzip tar=tar prlimit=util-linux chromium=chromium ngircd=ngircd \
	  strace=strace mkfs.ext4=e2fsprogs losetup=mount
	@test -x /usr/lib/postgresql/15/bin/initdb || tools/ensure no-such-program=postgresql-15
	@python3 -c 'import yaml' 2>/dev/null || tools/ensure no-such-program=python3-yaml
	@python3 -c 'import ensurepip' 2>/dev/null || tools/ensure no-such-program=python3-venv

lint: test-tools
	cargo fmt --all -- --check
	cargo clippy --all-targets --locked -- -D warnings

unit: test-tools
	rm -rf $(SKIPPED)
	PROPTEST_RNG_SEED=$(SEED) SYNAPSE_SITE_IMAGES=$(CURDIR)/images cargo nextest run --locked --no-fail-fast
	@! test -d $(SKIPPED) || { echo "SKIPPED: $$(ls $(SKIPPED) | wc -l) tests"; grep . $(SKIPPED)/*; }

## Write the pages and the schema that are made from the program again.
generated: tool
	tools/generate $(TOOL)

## Write what the examples render to tests/snapshots again; git diff is the review.
snapshots:
	SNAPSHOTS=write cargo nextest run --locked --test site examples::

## Generated descriptions, FUZZ times as many as in the tests, from another seed each time; the seed of a failure repeats it (SEED=...).
fuzz: FUZZ ?= 50
fuzz: test-tools
	@seed=$(if $(filter file,$(origin SEED)),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' '),$(SEED)); echo "seed $$seed"; \
	  FUZZ=$(FUZZ) PROPTEST_RNG_SEED=$$seed cargo nextest run --locked --no-fail-fast --test cli generated:: sites:: yaml:: echo::

## Read anew what the locked Synapse says of itself, into the tables of src/synapse/facts; git diff is the review.
settings:
	python3 tools/facts add target/synapse-wheels "$$(sed -n '/^name = "matrix-synapse"/{n;s/^version = "\(.*\)"/\1/p;}' images/synapse/python.lock)"
	SETTINGS=write cargo nextest run --locked --test site settings::the_table_of

## The tests of modules with the Nix of later Debian releases, which are brought below target/.
later-nix: $(LATER_NIX:%=later-nix-%)

$(LATER_NIX:%=later-nix-%): later-nix-%: test-tools
	rm -rf $(SKIPPED)
	nix=$$(tools/later-nix $* target/later-nix/$*) && PATH="$$nix:$$PATH" cargo nextest run --locked --no-fail-fast --test nix
	@! test -d $(SKIPPED) || { echo "SKIPPED: $$(ls $(SKIPPED) | wc -l) tests of modules"; grep . $(SKIPPED)/*; }

$(VENV)/done: tests/stack/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement tests/stack/requirements.txt
	touch $@

## The tool for macOS, compiled and linked for MACS, below target/: nothing here can run it. Not in `test`: it takes 9 minutes of a
## processor, and 4 GB.
darwin: test-tools
	tools/darwin/build target/darwin $(MACS)

## The real thing, in Docker.
stack: image test-tools $(VENV)/done
	SYNAPSE_SITE_IMAGES=$(CURDIR)/images $(VENV)/bin/python -m pytest tests/stack

## What Synapse itself does with every example and with the good and the bad site of every code.
measure: image test-tools $(VENV)/done
	$(VENV)/bin/python -m pytest tests/measure --synapse-site $(TOOL) --images $(OUT)/images.tar

## Write that to tests/rules/synapse-verdicts.toml again; git diff is the review.
measured: image test-tools $(VENV)/done
	$(VENV)/bin/python -m pytest tests/measure --synapse-site $(TOOL) --images $(OUT)/images.tar --write-measured

## The flake and images of a Nix closure, from a stand-in for nixpkgs made of the locked packages; then the site on them, in Docker:
## what may differ from the same site on Debian's packages, not all of the test again.
nix: export SYNAPSE_SITE_IMAGES = $(CURDIR)/images
nix: tool test-tools $(VENV)/done
	@tools/ensure busybox=busybox-static patchelf=patchelf git=git systemd-analyze=systemd
	mkdir -p target/nix
	$(TOOL) build examples/example.com/site.nix --out target/nix/filled
	$(VENV)/bin/python -m pytest tests/nix
	STACK_SHELLS="$(SYNAPSE_PROCESSES)" STACK_PYTHON=$$(tests/nix/by_nix.py python) \
	  $(VENV)/bin/python -m pytest --synapse-site=tests/nix/by_nix.py $(ON_NIX:%=tests/stack/test_%.py)
	$(MAKE) later-nix

## How fast the largest example is checked, against only reading it; and how fast a big closure becomes an image, against tar | pigz and
## nixpkgs' own script, where it is at hand: STREAM_SCRIPT=FILE. Then what confinement adds to the making of byte code, for which the
## cache has to hold the locked packages (`make image`).
bench: tool
	@tools/ensure hyperfine=hyperfine pigz=pigz tar=tar python3=python3
	@python3 -c 'import yaml' 2>/dev/null || tools/ensure no-such-program=python3-yaml
	benches/check.sh $(TOOL)
	python3 benches/closure.py $(dir $(TOOL)) target/bench $(if $(STREAM_SCRIPT),--stream-script $(STREAM_SCRIPT))
	cargo run --release --locked --example confinement

## Bring the package locks up to date.
lock: tool
	$(TOOL) lock --images images

clean:
	rm -rf out target
