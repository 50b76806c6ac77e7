//! Every target over its seeds, and over every input that ever failed.

use std::fs;
use std::path::Path;

use campaign_sync_fuzz::{TARGETS, seeds};

#[test]
fn every_seed_keeps_the_promises() {
    for (name, run) in TARGETS {
        let seeds = seeds::of(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        seeds.iter().for_each(|seed| run(seed));
    }
}

/// Runs cut, extended and changed seeds. The changes are the same in every run.
#[test]
fn every_seed_cut_and_changed_keeps_the_promises() {
    for (name, run) in TARGETS {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below.max(1)
        };
        for seed in seeds::of(name) {
            for _ in 0..12 {
                let mut input = seed.clone();
                let (at, length) = (random(input.len()), random(24));
                match random(4) {
                    0 => input.truncate(at),
                    1 => input[at] = b"0\"{}[],:x\n"[random(10)],
                    2 => drop(input.drain(at..(at + length).min(seed.len()))),
                    _ => {
                        let line = seed.split(|&byte| byte == b'\n').nth(random(8));
                        input.push(b'\n');
                        input.extend_from_slice(line.unwrap_or_default());
                    }
                }
                run(&input);
            }
        }
    }
}

#[test]
fn every_input_that_ever_failed_keeps_the_promises() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("found").join(name);
        for entry in fs::read_dir(folder).into_iter().flatten() {
            run(&fs::read(entry.unwrap().path()).unwrap());
        }
    }
}
