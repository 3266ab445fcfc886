# make        set up .venv, run the corpus on both frameworks, write reports/index.html
# make test   linters, types and every test, with real PyTorch and MindSpore
# make mutation   which subtly wrong kernels the corpus notices; see docs/judge.md

PYTHON ?= python3.11
BIN := .venv/bin
RUN := reports/run.sqlite
export PYTHONWARNINGS :=

.DEFAULT_GOAL := report
.PHONY: report test lint bench mutation schema clean

.venv/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "needs Python 3.11: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,mindspore,test]'
	@touch $@

report: .venv/.installed
	@$(BIN)/conformance run --out $(RUN); status=$$?; \
	if [ $$status -le 1 ]; then $(BIN)/conformance report $(RUN) --out reports --format html,csv,json || exit $$?; \
	echo "Open reports/index.html"; fi; exit $$status

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/conformance check --signatures
	$(BIN)/python -m pytest

bench: .venv/.installed
	$(BIN)/python tests/bench.py

mutation: .venv/.installed
	$(BIN)/python -m tests.mutation

schema: .venv/.installed
	$(BIN)/conformance schema > conformance/corpus/case.schema.json

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
