//! `cargo xtask fuzz frame`
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| campaign_sync_fuzz::frame::run(input));
