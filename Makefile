# Every target sets up what it needs by itself: `make demo` and `make test` work on a fresh clone.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-gpu lint soak bench fuzz weights weights-large wheel clean

help: ## this list
	@echo "rdl-live: make TARGET [ARGS=\"...\"]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## make .venv with the pinned packages

# Repeated only when what is to be installed changes.
$(READY): pyproject.toml constraints.txt rdl_live/_version.py
	bash .ci/setup $(VENV)
	@touch $@

demo: $(READY) ## the simulated microscope, live (ARGS go to `rdl-live demo`, e.g. ARGS="--seconds 30")
	$(BIN)/rdl-live demo $(ARGS)

test: lint ## linters, types, layers and the fast tests (ARGS go to pytest)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

test-slow: $(READY) ## the tests that take minutes
	$(BIN)/python -m pytest -m slow $(ARGS)

test-gpu: $(READY) ## the tests that need an NVIDIA GPU
	$(BIN)/python -m pytest -m gpu $(ARGS)

lint: $(READY) ## linters, types and layers only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

soak: $(READY) ## half an hour of starts, stops and faults at random, everything checked (ARGS="--minutes 5")
	$(BIN)/python -m benchmarks.soak $(ARGS)

bench: $(READY) ## speed and quality against other programs and the hardware (ARGS go to the benchmark)
	@if [ -f benchmarks/requirements.txt ]; then \
		$(BIN)/python -m pip install --quiet -c constraints.txt -r benchmarks/requirements.txt; \
	fi
	$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(READY) ## break files at random: no reader may do more than complain (e.g. ARGS="--minutes 60")
	$(BIN)/python -m tests.fuzz $(ARGS)

# The shipped ones were made so; the first stage with the training scenes of that day (see the file's own card).
weights: $(READY) ## train the weights that are shipped anew (three and a half hours on two cores)
	$(BIN)/rdl-live train denoise --network levels=1 --out one-scale.safetensors --minutes 36 --overwrite
	$(BIN)/rdl-live train denoise --from one-scale.safetensors --grow --out two-scales.safetensors \
		--minutes 74 --batch 2 --learning-rate 1.2e-3 --seed 7 --overwrite
	$(BIN)/rdl-live train denoise --from two-scales.safetensors --network sampling=1.1 \
		--out models/rdl_models/weights/rdl.safetensors \
		--minutes 84 --batch 2 --learning-rate 1.2e-3 --seed 21 --overwrite $(ARGS)
	$(BIN)/python -m benchmarks.denoise

weights-large: $(READY) ## train rdl-large, the published network's size, on one or more GPUs (ARGS go to the training)
	$(BIN)/torchrun --standalone --nproc-per-node $(or $(GPUS),1) --no-python $(BIN)/rdl-live train denoise \
		--architecture rdl-sim --out models/rdl_models/weights/rdl-large.safetensors --device cuda \
		--minutes 600 --batch 4 --workers 12 --overwrite $(ARGS)
	$(BIN)/python -m benchmarks.denoise rdl-large

wheel: $(READY) ## build dist/*.whl and dist/*.tar.gz
	$(BIN)/python -m build --no-isolation

clean: ## remove .venv, builds and caches (no results)
	rm -rf $(VENV) dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find rdl_live devices models tests -name __pycache__ -type d -prune -exec rm -rf {} +
