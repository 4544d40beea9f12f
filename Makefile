.PHONY: run demo test lint bench

run:   ; ./tests/run.sh
demo:  ; ./tests/demo.sh
test:  ; ./tests/test.sh
lint:  ; ./tests/lint.sh
bench: ; ./bench/bench.sh
