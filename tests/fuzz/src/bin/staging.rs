//! `cargo xtask fuzz staging`
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| campaign_sync_fuzz::staging::run(input));
