# The commands of every day: make run, make test, make fast, make browser, make serve, make train NAME=gqa
.PHONY: run test fast browser serve train
PORT ?= 8501
NAME ?= all
JOBS ?= 2

run:
	python -m streamlit run app/main.py

test:
	python -m pytest -n 2 --ignore=tests/bench

fast:
	python -m pytest -n 2 -m fast --ignore=tests/bench

browser:
	python -m pytest -n 2 tests/browser

serve:
	OMP_NUM_THREADS=1 python -m streamlit run app/main.py --server.port $(PORT) --server.address 0.0.0.0 --server.headless true

train:
	python -m core train $(NAME) --jobs $(JOBS)
