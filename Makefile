PY ?= python3
V := .venv
# jsonpath-rw, which the validator of data sheets needs, has no wheel.
WHEELS = --only-binary :all: --no-binary jsonpath-rw
# Elsewhere pip takes the CUDA build of torch by default; TORCH_INDEX names the index of the CPU build.
INSTALL = PIP_CONSTRAINT=constraints.txt $(V)/bin/python -m pip install -q $(WHEELS) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test lint types walls vendor tests cells docs conformance bench readme constraints clean

$(V)/.ok: pyproject.toml constraints.txt
	$(PY) -m venv $(V)
	$(INSTALL) -e '.[all,test,docs]'
	touch $@

demo: $(V)/.ok
	rm -rf demo
	$(V)/bin/genwright new python-prose demo
	cd demo && ../$(V)/bin/genwright run
	cd demo && ../$(V)/bin/genwright generate "The " --num 2 --max-tokens 80
	@echo "serve it:  cd demo && ../$(V)/bin/genwright serve"

test: lint types walls vendor tests

lint: $(V)/.ok
	$(V)/bin/ruff check src tests bench docs scripts
	$(V)/bin/ruff format --check src tests bench docs scripts

types: $(V)/.ok
	$(V)/bin/mypy

walls: $(V)/.ok
	$(V)/bin/lint-imports

tests: $(V)/.ok
	OMP_NUM_THREADS=1 $(V)/bin/python -m pytest -n 2 --dist loadfile

# Every family over every modality, killed and gone on with; `make tests` does five of the twenty.
cells: $(V)/.ok
	GENWRIGHT_ALL_CELLS=1 OMP_NUM_THREADS=1 $(V)/bin/python -m pytest -n 2 tests/journeys/test_cells.py

# Files of others that the chat page and its tests are made with.
vendor: $(V)/.ok
	$(V)/bin/python scripts/vendor.py

docs: $(V)/.ok
	$(V)/bin/python -m sphinx -W -q -b html docs docs/_build

# The figures of README and docs/benchmarks.md, on a quiet machine; about an hour, most of it the quality runs.
conformance: $(V)/.ok
	$(PY) -m venv $(V)-comply
	$(V)-comply/bin/python -m pip install -q --only-binary :all: llm-comply "openai[aiohttp]" langchain-openai langchain-tests llm
	$(V)-comply/bin/python -m pip install -q --only-binary :all: pytest pytest-asyncio respx hatchling hatch-fancy-pypi-readme rich inline-snapshot
	$(V)/bin/python bench/conformance.py $(V)-comply/bin/python

bench: $(V)/.ok
	$(INSTALL) -e '.[bench]'
	$(V)/bin/python bench/ledger.py
	$(V)/bin/python bench/serve_throughput.py
	$(V)/bin/python bench/gguf_read.py
	$(V)/bin/python bench/engines.py
	$(V)/bin/python bench/gateway.py
	$(V)/bin/python bench/train_speed.py
	$(V)/bin/python bench/family_speed.py
	$(V)/bin/python bench/diffusion_speed.py
	$(V)/bin/python bench/table_memory.py build/table-memory
	$(V)/bin/python bench/quality.py python-prose build/quality-prose
	$(V)/bin/python bench/quality.py python-code build/quality-code

readme: $(V)/.ok
	rm -rf demo
	($(MAKE) --no-print-directory demo 2>&1 | tee docs/demo.txt)
	COLUMNS=100 $(V)/bin/python docs/generate.py

constraints:
	rm -rf build/venv
	$(PY) -m venv build/venv
	build/venv/bin/python -m pip install -q $(WHEELS) -c constraints.txt -e ".[all,test,docs]"
	build/venv/bin/python -m pip freeze --exclude-editable | sed "s,+cpu$$,," > constraints.txt

clean:
	rm -rf $(V) demo docs/_build
