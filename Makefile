.PHONY: run test lint bench

run:   ; ./tests/run.sh
test:  ; ./tests/test.sh
lint:  ; ./tests/lint.sh
bench: ; ./bench/bench.sh
