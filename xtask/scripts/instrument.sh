#!/bin/sh
# Compiles a crate with the counters from which libFuzzer learns. Cargo calls this script in place of the
# compiler, for the crates of this repository only, so that the search does not explore other crates.
case "$*" in
*--crate-name*) set -- "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=yes \
    --cfg fuzzing ;;
esac
exec "$@"
