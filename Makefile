# The two commands a fresh machine needs: make quickstart, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
REQUIREMENTS := $(VENV)/requirements.txt
WHEEL := $(VENV)/wheel
SITE := $(VENV)/site
MKDOCS := NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs
MKDOCS_FLAGS := --strict --config-file docs/site/mkdocs.yml
RUN := runs/digits
DIGITS := --model=$(RUN)/model.keras

# Of make bench: what needs no GPU.
BENCHMARKS := input train own inference scaling

# Of make soak.
KILLS := 1000
INPUTS := 10000
SEED := 0

.PHONY: help quickstart train report fresh wheel test test-large bench soak arm64 peers lint format bazel pages docs docs-check clean

help:
	@echo "make quickstart  train, evaluate, export, verify and predict digits"
	@echo "make fresh       after quickstart: every command of the README, once and tiny"
	@echo "make wheel       a wheel in an environment of its own runs the README's Python"
	@echo "make test        all quick tests, lint and the Bazel check if Bazel is there"
	@echo "make test FOR=keras_resnet/export   the tests that reach a file or a folder alone"
	@echo "make test-large  the tests that take minutes"
	@echo "make bench       our speed beside the peers', in short; goes on where it was stopped"
	@echo "make soak        kills and damaged inputs for hours; goes on where it was stopped"
	@echo "make arm64       the phone's files as ARM64 code, emulated (needs qemu-user-static)"
	@echo "make peers       PyTorch, torchvision, timm, KerasHub, OpenVINO, MediaPipe, for the tests that compare with them"
	@echo "make lint        ruff; what is imported against what setup.py requires"
	@echo "make format      ruff's formatter"
	@echo "make bazel       the Bazel build files, checked offline"
	@echo "make docs        all pages with a search, at http://127.0.0.1:8000"
	@echo "make docs-check  the same built strictly, into runs/site"
	@echo "make pages       the pages that are written from the code"
	@echo "make clean       remove the environment and all runs"

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "ERROR: Python 3.11 or newer is needed, this is " + \
	  sys.version.split()[0] + ". Try: make PYTHON=python3.12 quickstart")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made setup.py requirements_lock.txt
	$(PIP) install --quiet -c requirements_lock.txt -e .
	@touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(PIP) install --quiet -c requirements_lock.txt -e ".[test]"
	@touch $@

# The frameworks whose weights are read, and other readers of what is exported,
# to prove both right. torchvision and timm are needed for their model code alone.
$(VENV)/.peers-installed: $(VENV)/.test-installed tests/peers.txt
	$(PIP) install --quiet -c tests/peers.txt torch huggingface_hub pyyaml regex tokenizers
	$(PIP) install --quiet --no-deps -r tests/peers.txt
	@touch $@

quickstart: train report

train: $(VENV)/.installed
	$(BIN)/python pipelines/train.py --recipe=digits --strategy=mirrored --workdir=$(RUN)

report: $(VENV)/.installed
	$(BIN)/python pipelines/evaluate.py $(DIGITS)
	$(BIN)/python pipelines/export.py $(DIGITS) --output_dir=exported --force
	$(BIN)/python pipelines/verify.py $(DIGITS) exported
	$(BIN)/python pipelines/predict.py --model=exported/model.tflite exported/samples
	@echo
	@echo "Curves:     $(RUN)/curves.png"
	@echo "Metrics:    $(RUN)/metrics.jsonl, $(RUN)/tensorboard"
	@echo "Model:      $(RUN)/model.keras"
	@echo "Artifacts:  exported/ (SavedModel, TFLite, ONNX, manifest.json)"

fresh: $(VENV)/.installed
	$(BIN)/python tests/fresh_machine.py

# What the wheel requires is taken from the other environment. Without an index
# the last installation ends well only if all of it is there.
wheel: $(VENV)/.installed
	rm -rf $(WHEEL)
	$(PIP) wheel --quiet --no-deps --wheel-dir $(WHEEL) .
	$(BIN)/python -m venv $(WHEEL)/env
	$(WHEEL)/env/bin/python -m pip --disable-pip-version-check install --quiet \
	  --no-deps $(WHEEL)/*.whl
	realpath $(VENV)/lib/python*/site-packages \
	  > $$(echo $(WHEEL)/env/lib/python*/site-packages)/required.pth
	$(WHEEL)/env/bin/python -m pip --disable-pip-version-check install --quiet \
	  --no-index $(WHEEL)/*.whl
	$(WHEEL)/env/bin/python -P tests/fresh_machine.py --python
	rm -rf $(WHEEL)

test: $(VENV)/.test-installed lint
	files="$$($(BIN)/python tests/support/sources.py $(FOR))" && \
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not large" --durations=20 $$files

peers: $(VENV)/.peers-installed

test-large: $(VENV)/.test-installed
	$(BIN)/python -m pytest -m large

# A benchmark whose peers are not installed says so and goes on.
bench: $(VENV)/.test-installed
	for name in $(BENCHMARKS); do \
	  $(BIN)/python pipelines/benchmark.py $$name --short \
	    --json=runs/bench/$$name.json || exit 1; \
	done

soak: $(VENV)/.test-installed
	nice -n 19 $(BIN)/python pipelines/soak.py --kills=$(KILLS) --inputs=$(INPUTS) --seed=$(SEED)

arm64: $(VENV)/.test-installed
	$(BIN)/python -m pytest -m large -s tests/export/arm64_test.py

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/requirements.py > $(REQUIREMENTS)
	$(BIN)/deptry keras_resnet pipelines --requirements-files $(REQUIREMENTS)
	$(BIN)/mypy

format: $(VENV)/.test-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bazel: $(VENV)/.test-installed
	PYTHON=$(BIN)/python tests/bazel/check.sh

# An environment of its own: a site needs no TensorFlow, and TensorFlow no site.
$(SITE)/.installed: docs/site/requirements.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip --disable-pip-version-check install --quiet \
	  -r docs/site/requirements.txt
	@touch $@

docs: $(SITE)/.installed
	$(MKDOCS) serve $(MKDOCS_FLAGS)

# No page takes a script, a style or a font from another host.
docs-check: $(SITE)/.installed
	$(MKDOCS) build $(MKDOCS_FLAGS)
	@! grep -rE --include="*.html" '(src|href)="https?://[^"]*\.(js|css|woff2?)"' runs/site
	@grep -q '^const runs = \[{' runs/site/CURVES/index.html

pages: $(VENV)/.installed
	$(BIN)/python pipelines/api_page.py
	$(BIN)/python pipelines/recipes_page.py
	$(BIN)/python pipelines/zoo.py

clean:
	rm -rf $(VENV) runs
