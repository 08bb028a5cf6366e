# Needs Python >= 3.11, make and a package registry; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# One thread per test worker: two workers with a thread pool each would compete for the cores.
TEST_WORKERS ?= 2
MEASURED := .benchmarks/last.json

.PHONY: install demo test test-browser page-picture bench check-gpu check-forecast check-kills simulate lint format clean

install: $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/objbench run --objectives mlm,taco --preset demo

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal \
	    --benchmark-disable

# Needs chromium and chromium-driver, and AXE_CORE=PATH/axe.min.js; see CONTRIBUTING.
test-browser: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,browser]'
	OBJBENCH_BROWSER=required OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 --benchmark-disable \
	    -m browser tests/objbench/leaderboard/html

# Needs chromium; draws the README's picture of a page: make page-picture STUDY=leaderboard/toy.
page-picture: $(INSTALLED)
	$(BIN)/objbench leaderboard $(STUDY) --format html --out .page
	chromium --headless --no-sandbox --hide-scrollbars --window-size=1160,840 \
	    --screenshot=leaderboard/page.png file://$(CURDIR)/.page/index.html
	rm -r .page

# Needs an otherwise idle machine; writes leaderboard/performance.md, its picture and its record.
# CORPUS=TEXTS also measures the time to a held-out loss on that text, another half an hour.
# ONLY=tests/benchmarks/test_modern_step.py measures some rows again and leaves the others as they are.
bench: $(INSTALLED)
	mkdir -p .benchmarks
	$(BIN)/python -m pytest $(or $(ONLY),tests/benchmarks) --benchmark-only --benchmark-json=$(MEASURED) \
	    $(if $(CORPUS),--corpus=$(CORPUS))
	$(BIN)/python tests/benchmarks/report.py \
	    $(if $(ONLY),leaderboard/performance.json leaderboard $(MEASURED),$(MEASURED) leaderboard)

# On a machine with a GPU, at most eight minutes; writes .benchmarks/check-gpu.json.
check-gpu: $(INSTALLED)
	$(BIN)/python tests/gpu/check.py

# A study that is killed at random moments, under each executor, for an hour or two; goes on where it
# was interrupted. KILLS='--only "--jobs 2" --kills 4' for less.
check-kills: $(INSTALLED)
	$(BIN)/python tests/kills/campaign.py $(KILLS)

# Needs a machine that nobody else uses, for half an hour: STUDY='--corpus FILE --glue-dir FOLDER'.
check-forecast: $(INSTALLED)
	$(BIN)/python tests/benchmarks/check_forecast.py $(STUDY)

# Studies of up to 150,000 made-up cells, some ten minutes; SIZES='10x3 30x10' (objectives x seeds).
simulate: $(INSTALLED)
	$(BIN)/python tests/simulation/simulate.py $(SIZES)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Runs again when the dependencies have changed or an installation was interrupted.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(None if sys.version_info >= (3, 11) \
	    else f"objbench needs Python 3.11 or newer; {sys.executable} is {v}. Try: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
