# Every target sets up what it needs by itself: `make demo` and `make test` work on a fresh clone.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-gpu lint soak bench docs fuzz weights weights-new weights-large weights-sr weights-published wheel clean

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

# A test that crashes or hangs ends the run: pytest-xdist 3.8 would wait for ever after it replaced a process (#1323).
ENDS := --max-worker-restart 0 -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true

test: lint ## linters, types, layers and the fast tests (ARGS go to pytest)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ENDS) $(ARGS)

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

docs: $(READY) ## the documentation site: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

fuzz: $(READY) ## break files at random: no reader may do more than complain (e.g. ARGS="--minutes 60")
	$(BIN)/python -m tests.fuzz $(ARGS)

# The shipped `rdl` went on from earlier weights, made on kind scenes, for 85 minutes of a busy core, with half of the
# scenes unkind; half-way between the two is what is shipped.
WEIGHTS := models/rdl_models/weights
ERRORS := --error-only --minutes 6 --learning-rate 2e-3 --seed 51 --overwrite

weights: $(READY) ## train the shipped `rdl` on and mix it with what it was (ARGS="--device cuda" on a card)
	$(BIN)/rdl-live train denoise --from rdl --out further.safetensors --minutes 85 --seed 62 --learning-rate 6e-4 \
		--overwrite $(ARGS)
	$(BIN)/python -m benchmarks.mix rdl further.safetensors --share 0.5 --out $(WEIGHTS)/rdl.safetensors
	$(BIN)/python -m benchmarks.denoise
	$(BIN)/python -m benchmarks.real_light

# Images first, then the head that tells how wrong they are.
weights-new: $(READY) ## train weights like the shipped `rdl` from random numbers: new.safetensors (two hours with AMX)
	$(BIN)/rdl-live train denoise --out images.safetensors --minutes 110 --seed 31 --overwrite $(ARGS)
	$(BIN)/rdl-live train denoise --from images.safetensors --out new.safetensors --network spread=64 $(ERRORS) $(ARGS)
	$(BIN)/python -m benchmarks.denoise new.safetensors

# Its first stage had 4 exposures of a scene, each used 16 times: see `rdl-live models show rdl-large`.
weights-large: $(READY) ## the same for `rdl-large`, three times the work
	$(BIN)/rdl-live train denoise --out images-large.safetensors --minutes 110 --seed 41 --learning-rate 1e-3 \
		--network width=128 --network widest=128 --network blocks=1 --network levels=3 --network before=1 \
		--network after=2 --network spread=16 --network sampling=1.1 --overwrite $(ARGS)
	$(BIN)/rdl-live train denoise --from images-large.safetensors --out $(WEIGHTS)/rdl-large.safetensors \
		--network spread=48 $(ERRORS) $(ARGS)
	$(BIN)/python -m benchmarks.denoise rdl-large

# The shipped one took 19 minutes of a busy core: error .52 of widefield's. A card bears ten times as many (SR_STEPS=20000).
SR_STEPS := 2500

weights-sr: $(READY) ## train a small DFCAN for single frames, and assess it: matrix/matrix.html
	$(BIN)/rdl-live train sr --architecture dfcan --out $(WEIGHTS)/dfcan.safetensors --steps $(SR_STEPS) --size 64 \
		--workers 0 --seed 71 --overwrite \
		$(ARGS)
	$(BIN)/rdl-live assess --models dfcan --out matrix --overwrite

weights-published: $(READY) ## train the published network on one or more GPUs: published.safetensors (GPUS=4)
	$(BIN)/torchrun --standalone --nproc-per-node $(or $(GPUS),1) --no-python $(BIN)/rdl-live train denoise \
		--architecture rdl-sim --out published.safetensors --device cuda \
		--minutes 600 --batch 4 --workers 12 --overwrite $(ARGS)
	$(BIN)/python -m benchmarks.denoise published.safetensors

wheel: $(READY) ## build dist/*.whl and dist/*.tar.gz
	$(BIN)/python -m build --no-isolation

clean: ## remove .venv, builds and caches (no results)
	rm -rf $(VENV) dist build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find rdl_live devices models tests -name __pycache__ -type d -prune -exec rm -rf {} +
