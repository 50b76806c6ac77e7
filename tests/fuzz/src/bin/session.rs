//! `cargo xtask fuzz session`
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| campaign_sync_fuzz::session::run(input));
