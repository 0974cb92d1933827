# `make demo` and `make test` need Python 3.11 or newer and a network that reaches the package index, nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv || echo .uv/bin/uv)

export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_DOWNLOADS := never
export HF_HUB_OFFLINE := 1

.PHONY: setup demo test check bench clean

setup: $(VENV)/.ready

demo: setup
	$(BIN)/anonderm run recipes/phantom.toml --out runs/phantom

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf $(VENV) .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.ready: pyproject.toml constraints.txt | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev,faces,heic,onnx,restore,fidelity,c2pa]'
	touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet uv
