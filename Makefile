# Three commands: `make demo`, `make serve`, `make test`. All they need goes into .venv; models and people into VISAGE_HOME.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An index with CPU builds of PyTorch. Without it pip takes what the platform offers: on Linux x86-64 that is, from
# PyPI, the CUDA build with 2 to 3 GB of libraries; on macOS and arm64 it is the CPU build.
TORCH_INDEX ?=
SAMPLES := .samples
# Processes that test at the same time; part of the tests' time is waiting. What fails is tried once more, alone:
# browsers and processes on busy cores now and then take longer than any test would wait.
TESTERS := 4
# For make package: what runs the networks on instances (openvino, torch, or both), and where to copy the release.
RUNTIMES ?= openvino
BUCKET ?=
# Linters for AWS templates; their pinned packages do not go together with ours, nor with each other's.
TOOLS := .tools

.PHONY: help setup demo serve test lint types laws bench package tools clean

help:
	@echo "make demo     set up, and recognize the sample photos"
	@echo "make serve    set up, and serve over HTTP at 127.0.0.1:8000 until Ctrl-C (visage serve)"
	@echo "make test     set up, and run lint, types, import law and tests"
	@echo "make bench    set up, and measure speed, accuracy, queue, service, autoscaler, functions, page and unknown faces"
	@echo "make setup    only set up (.venv)"
	@echo "make package  set up, and make a release for AWS in dist/deploy (RUNTIMES='openvino torch', BUCKET=NAME, where to"
	@echo "              copy it); see scalable/README.md"
	@echo "make tools    install linters of AWS templates and its emulator (.tools); make test skips their tests without them"
	@echo "make clean    delete .venv and everything made by these commands in this folder"

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@sh demo/announce.sh "$(TORCH_INDEX)"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Visage needs Python 3.11 or newer, not " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pip setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,test]'
	@sh demo/try_models.sh $(BIN)/visage
	@touch $@

$(SAMPLES)/.ready: $(VENV)/.ready demo/samples.py
	$(BIN)/python demo/samples.py $(SAMPLES)
	@touch $@

demo: $(SAMPLES)/.ready
	$(BIN)/python demo/demo.py $(SAMPLES) demo-output

serve: setup
	@if $(BIN)/visage people list --json 2>&1 | grep -qE '"people": \[\]|nobody has been enrolled'; then \
		echo "Nobody is enrolled yet, so every face is unknown. A folder for each person; now, or while the service runs:"; \
		echo "    $(BIN)/visage enroll people/"; fi
	@$(BIN)/visage serve

test: $(SAMPLES)/.ready lint types laws
	@export VISAGE_SAMPLES=$(SAMPLES) PYTHONDONTWRITEBYTECODE=; \
	all="$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0"; \
	$$all; status=$$?; \
	if [ $$status -eq 2 ]; then echo "A tester was lost; all over again:"; $$all; status=$$?; fi; \
	if [ $$status -eq 1 ]; then \
		echo "Tried once more, alone:"; $(BIN)/python -m pytest --last-failed --maxfail 8 --verbose; status=$$?; \
	fi; exit $$status

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

laws: setup
	$(BIN)/lint-imports

bench: $(SAMPLES)/.ready
	VISAGE_SAMPLES=$(SAMPLES) $(BIN)/python benchmarks/speed.py
	VISAGE_SAMPLES=$(SAMPLES) $(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/queues.py
	VISAGE_SAMPLES=$(SAMPLES) $(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/scaling_simulation.py
	VISAGE_SAMPLES=$(SAMPLES) $(BIN)/python benchmarks/serverless.py
	VISAGE_SAMPLES=$(SAMPLES) $(BIN)/python benchmarks/page.py
	VISAGE_SAMPLES=$(SAMPLES) $(BIN)/python benchmarks/bulk.py
	-$(BIN)/python benchmarks/unknown.py

package: setup
	$(BIN)/python scalable/package.py dist/deploy $(RUNTIMES:%=--runtime %) $(if $(BUCKET),--bucket $(BUCKET)) $(if $(TORCH_INDEX),--index $(TORCH_INDEX))

tools: $(TOOLS)/sam/.ready $(TOOLS)/checkov/.ready

# The lists are complete, so nothing is resolved.
$(TOOLS)/%/.ready: scalable/tools/%.txt
	rm -rf $(TOOLS)/$*
	$(PYTHON) -m venv $(TOOLS)/$*
	@echo '*' > $(TOOLS)/.gitignore
	$(TOOLS)/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(SAMPLES) $(TOOLS) dist/deploy demo-output
