# make demo      set everything up, open the demo on http://127.0.0.1:7860
# make predict   set everything up, find the largest object of a photo, write the picture
# make check     set everything up; format, lint, types and the quick tests
# make test      set everything up; the same with all tests

PYTHON ?= python3
PHOTO ?= examples/cat.jpg
BIN := .venv/bin
DEMO_FLAGS ?=
SCRIPTS := demo/web/*.js

.PHONY: setup demo predict verify check test lint format clean

setup: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "pip>=25.1" # the first that knows dependency groups
	$(BIN)/python -m pip install --quiet -r requirements.txt --group dev
	touch $@

demo: setup
	$(BIN)/python demo/app.py $(DEMO_FLAGS)

predict: setup
	$(BIN)/python -m model.predict $(PHOTO) --draw outputs

verify: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/oxfmt --check $(SCRIPTS)
	$(BIN)/oxlint demo/web
	rm -f demo/*.pyi demo/*/*.pyi # written by Gradio, and perhaps older than the modules they describe
	$(BIN)/pyrefly check

check: verify
	$(BIN)/python -m pytest -m "not slow"

test: verify
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/oxfmt $(SCRIPTS)
	$(BIN)/oxlint demo/web
	rm -f demo/*.pyi demo/*/*.pyi
	$(BIN)/pyrefly check

clean:
	rm -rf .venv outputs .pytest_cache .ruff_cache .hypothesis
