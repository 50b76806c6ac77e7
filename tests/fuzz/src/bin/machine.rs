//! `cargo xtask fuzz machine`
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| campaign_sync_fuzz::machine::run(input));
