# Every target prepares what it needs, once: `make serve` and `make test` work on a fresh clone.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
INSTALLED := .venv/.installed
SITE := _build/html/.built
SOURCES := $(wildcard *.md *.yml *.bib chapters/* data/* results/* _ext/* _static/* d2l_utils/* d2l_utils/*/*)

.PHONY: serve book lab test lint bench clean

serve: book
	@echo "The book: http://127.0.0.1:$(PORT)  (Ctrl+C stops; another port: make serve PORT=8001)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

book: $(SITE)

lab: $(INSTALLED)
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/chapters $(LAB_OPTIONS)

test: $(INSTALLED)
	$(BIN)/pytest

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/nbstripout --verify chapters/*.ipynb
	$(BIN)/codespell

bench: $(INSTALLED)
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf _build .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

# Sphinx keeps what it has read, warnings and all: after a failure it must read everything again.
$(SITE): $(INSTALLED) $(SOURCES)
	$(BIN)/jupyter-book build -n -W --keep-going . || { rm -rf _build/.doctrees; exit 1; }
	@touch $@

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --progress-bar on -r requirements.txt
	$(BIN)/pip install --no-deps --editable .
	@touch $@
