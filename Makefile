# make        set up .venv, run the corpus on both frameworks, write reports/index.html
# make test   linters, types and every test, with real PyTorch, MindSpore and Chromium
# make baseline   run every case three times and write reports/baseline, to be committed
# make gate   run every case and say what changed since reports/baseline; see docs/ci.md
# make ports  verify the ports of docs/ports, in environments of their own
# make mutation   which subtly wrong kernels the corpus notices; see docs/judge.md

PYTHON ?= python3.11
BIN := .venv/bin
RUN := reports/run.sqlite
# A gate names its targets, so that it fails when one of them does not start.
TARGETS := -t torch -t mindspore -t mindspore:cpu:graph -t numpy
GATE := reports/gate
# Whether a difference is new is for the gate to say.
MAY_DIFFER = { status=$$?; [ $$status -eq 1 ] || exit $$status; }
export PYTHONWARNINGS :=

.DEFAULT_GOAL := report
.PHONY: report baseline gate test lint bench ports mutation schema clean

.venv/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "needs Python 3.11: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Installing PyTorch, MindSpore and the rest into .venv; this takes minutes and prints nothing"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,mindspore,test]'
	@touch $@

report: .venv/.installed
	@$(BIN)/conformance run --out $(RUN); status=$$?; \
	if [ $$status -le 1 ]; then $(BIN)/conformance report $(RUN) --out reports --format html,csv,json || exit $$?; \
	echo "Open reports/index.html"; fi; exit $$status

baseline: .venv/.installed
	@$(BIN)/conformance run --all --repeat 3 $(TARGETS) --out $(RUN) || $(MAY_DIFFER)
	@$(BIN)/conformance baseline $(RUN)

gate: .venv/.installed
	@rm -f $(GATE).sqlite $(GATE).md $(GATE).xml $(GATE).json
	@$(BIN)/conformance run --all $(TARGETS) --out $(GATE).sqlite || $(MAY_DIFFER)
	@$(BIN)/conformance gate reports/baseline $(GATE).sqlite --confirm 5 \
	  --markdown $(GATE).md --junit $(GATE).xml --json $(GATE).json

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

NODE := tests/site/node_modules/.package-lock.json
$(NODE): tests/site/package.json tests/site/package-lock.json
	@command -v npm >/dev/null || { echo "needs npm: apt-get install npm"; exit 2; }
	npm ci --prefix tests/site --no-audit --no-fund
	@touch $@

# The originals of docs/ports need a PyTorch of their own.  The ports run on the MindSpore that is
# installed already: their environment adds MindCV to it, without the dependencies it asks for.
VISION := .venv-vision/.installed
MINDCV := .venv-mindcv/.installed
PIP := python -m pip install --quiet --disable-pip-version-check
$(VISION): docs/ports/vision.txt
	$(PYTHON) -m venv .venv-vision
	.venv-vision/bin/$(PIP) -r $<
	@touch $@
$(MINDCV): docs/ports/mindcv.txt .venv/.installed
	$(PYTHON) -m venv .venv-mindcv
	.venv-mindcv/bin/$(PIP) --no-deps -r $<
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$(.venv-mindcv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/frameworks.pth"
	@touch $@

PORTS := $(basename $(notdir $(wildcard docs/ports/*.yaml)))
ports: $(PORTS:%=reports/ports/%.json)
reports/ports/%.json: docs/ports/%.yaml $(VISION) $(MINDCV)
	@$(BIN)/conformance port $< || $(MAY_DIFFER)

test: lint $(NODE) $(VISION) $(MINDCV)
	$(BIN)/conformance check --signatures
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: .venv/.installed
	$(BIN)/python tests/bench.py

mutation: .venv/.installed
	$(BIN)/python -m tests.mutation

schema: .venv/.installed
	$(BIN)/conformance schema > conformance/corpus/case.schema.json
	$(BIN)/conformance schema port > conformance/port/port.schema.json

clean:
	rm -rf .venv .venv-vision .venv-mindcv build dist tests/site/node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache
