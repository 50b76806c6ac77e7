//! The tools in the cache. Each version has a separate directory, so a file that is present is the right
//! one.

use std::fs;

use anyhow::{Context, Result};

use crate::repo::{BINARYEN, CARGO_DENY, CARGO_MUTANTS, GECKODRIVER, Repo, WASM_PACK, run};

/// The command line and the test runner of wasm-bindgen, in exactly the version of Cargo.lock.
pub(crate) fn wasm_bindgen(repo: &Repo) -> Result<()> {
    let version = repo.wasm_bindgen_version();
    by_cargo(repo, "wasm-bindgen-cli", version, &["wasm-bindgen", "wasm-bindgen-test-runner"])
}

/// wasm-pack.
pub(crate) fn wasm_pack(repo: &Repo) -> Result<()> {
    by_cargo(repo, "wasm-pack", WASM_PACK, &["wasm-pack"])
}

/// geckodriver, which drives Firefox.
pub(crate) fn geckodriver(repo: &Repo) -> Result<()> {
    by_cargo(repo, "geckodriver", GECKODRIVER, &["geckodriver"])
}

/// cargo-mutants.
pub(crate) fn cargo_mutants(repo: &Repo) -> Result<()> {
    by_cargo(repo, "cargo-mutants", CARGO_MUTANTS, &["cargo-mutants"])
}

/// cargo-deny.
pub(crate) fn cargo_deny(repo: &Repo) -> Result<()> {
    by_cargo(repo, "cargo-deny", CARGO_DENY, &["cargo-deny"])
}

/// wasm-opt, from the npm package binaryen.
pub(crate) fn wasm_opt(repo: &Repo) -> Result<()> {
    let root = repo.tool_root("binaryen", BINARYEN);
    let is_whole = || root.join("node_modules/.bin/wasm-opt").exists();
    if is_whole() {
        return Ok(());
    }
    // npm is not atomic. The tool is installed beside its final directory and then moved, so that a
    // present directory is complete. Each process uses a separate partial directory, because two may
    // find the tool missing at the same time.
    let own = format!("{BINARYEN}-partial-{}", std::process::id());
    let partial = repo.tool_root("binaryen", &own);
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    run(repo
        .command("npm")
        .args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"])
        .arg(&partial)
        .arg(format!("binaryen@{BINARYEN}")))?;
    if is_whole() {
        return fs::remove_dir_all(&partial)
            .with_context(|| format!("cannot remove {}", partial.display()));
    }
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    fs::rename(&partial, &root).with_context(|| format!("cannot make {}", root.display()))
}

fn by_cargo(repo: &Repo, package: &str, version: &str, programs: &[&str]) -> Result<()> {
    let root = repo.tool_root(package, version);
    if programs.iter().all(|program| root.join("bin").join(program).is_file()) {
        return Ok(());
    }
    // Not `--locked`: the versions of the tool's own lock file are not available everywhere.
    run(repo
        .command("cargo")
        .args(["install", "--version", &format!("={version}"), "--root"])
        .arg(&root)
        .arg(package))
    .with_context(|| format!("cannot install {package} {version}"))
}
