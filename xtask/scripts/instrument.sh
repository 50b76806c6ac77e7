#!/bin/sh
# Compiles a crate of this repository with the counters that libFuzzer learns from; cargo calls it in
# the place of the compiler, for our own crates only: the search shall not get lost in others.
case "$*" in
*--crate-name*) set -- "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=yes \
    --cfg fuzzing ;;
esac
exec "$@"
