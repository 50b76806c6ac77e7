//! Additions to the active Rust toolchain.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, on_path, read, run};

const WASM: &str = "wasm32-unknown-unknown";
/// A script that installs the target on machines that cannot reach rustup's servers.
const TARGET_SCRIPT: &str = "CAMPAIGN_SYNC_WASM_TARGET_SCRIPT";

/// Adds the wasm target to the active toolchain.
pub(crate) fn wasm_target(repo: &Repo) -> Result<()> {
    let library = sysroot(repo)?.join("lib/rustlib").join(WASM).join("lib");
    if has_core(&library) {
        return Ok(());
    }
    let by_rustup = rustup(repo, &["target", "add", WASM]);
    if by_rustup.is_ok() && has_core(&library) {
        return Ok(());
    }
    if let Some(script) = env::var_os(TARGET_SCRIPT) {
        run(Command::new(script).current_dir(repo.root()))?;
    }
    if has_core(&library) {
        return Ok(());
    }
    by_rustup.with_context(|| {
        format!(
            "this Rust toolchain has no {WASM} target: install it with \
             `rustup target add {WASM}` or your distribution's package for it \
             (a script named by {TARGET_SCRIPT} is tried as well)"
        )
    })?;
    bail!("the {WASM} target is still missing in {}", library.display())
}

/// Adds rustfmt and clippy, which rustup's minimal profile leaves out.
pub(crate) fn components(repo: &Repo) -> Result<()> {
    let bin = sysroot(repo)?.join("bin");
    for (component, program) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if !bin.join(program).is_file()
            && (on_path("rustup").is_some() || on_path(program).is_none())
        {
            rustup(repo, &["component", "add", component])?;
        }
    }
    Ok(())
}

fn rustup(repo: &Repo, arguments: &[&str]) -> Result<()> {
    if on_path("rustup").is_none() {
        bail!("rustup is not on the PATH: it comes from https://rustup.rs");
    }
    run(repo.command("rustup").args(arguments))
}

fn sysroot(repo: &Repo) -> Result<PathBuf> {
    read(repo.command("rustc").args(["--print", "sysroot"])).map(PathBuf::from)
}

/// Whether the standard library for a target is in this directory.
fn has_core(library: &Path) -> bool {
    fs::read_dir(library).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
    })
}
