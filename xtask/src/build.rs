//! `cargo xtask build`: Rust to wasm, wasm to the npm package, the package to the demo page.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};

use crate::npm::Project;
use crate::repo::{BINARYEN, Repo, Runner, WASM_PACK, run};
use crate::setup;

/// How wasm-opt optimises: for speed. `size` and `bench` say what another level would cost.
const OPTIMISATION: &str = "-O3";

/// What every browser we support has; without these names wasm-opt refuses the module.
const FEATURES: [&str; 6] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
];

/// The npm projects that are built, in the order in which they import each other.
pub(crate) const PROJECTS: [&str; 2] = ["pkg", "www"];

/// Set-up, then the whole build.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_build(repo)?;
    everything(repo, &mut run)
}

/// The whole build, on a machine that is set up.
pub(crate) fn everything(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    wasm(repo, runner)?;
    for directory in PROJECTS {
        match Project::find(repo, directory) {
            Some(project) => {
                project.install(runner)?;
                runner(&mut project.script("build"))?;
            }
            None => eprintln!("{directory}: skipped, it has no package.json yet"),
        }
    }
    Ok(())
}

/// The reference server, as the native tests build it too: compiling it once more with all
/// optimisations would take minutes that neither demo nor tests get back.
pub(crate) fn server(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    runner(repo.command("cargo").args(["build", "--package", "campaign-sync-harness"]))
}

/// Compiles the crate into `pkg/wasm`, unless what is there was made from the same module.
fn wasm(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    let target = "wasm32-unknown-unknown";
    let profile = ["--profile", "wasm"];
    runner(repo.command("cargo").args(["build", "--lib", "--target", target]).args(profile))?;
    let compiled = repo.target(target).join("wasm/campaign_sync.wasm");
    let stamp = repo.target("xtask/pkg-wasm.stamp");
    let recipe = recipe(repo, &compiled)?;
    let output = repo.path("pkg/wasm/campaign_sync_bg.wasm");
    if output.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == recipe) {
        return Ok(());
    }
    let _ = fs::remove_file(&stamp);
    runner(repo.command("wasm-pack").args([
        "build",
        "--profile",
        "wasm",
        "--target",
        "web",
        "--out-dir",
        "pkg/wasm",
        "--no-pack",
        "--no-gitignore",
        "--no-opt",
        "--mode",
        "no-install",
    ]))?;
    optimise(repo, &output, runner)?;
    let directory = stamp.parent().context("a stamp has a directory")?;
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&stamp, recipe))
        .with_context(|| format!("cannot write {}", stamp.display()))
}

fn optimise(repo: &Repo, module: &Path, runner: &mut Runner<'_>) -> Result<()> {
    let optimised = module.with_extension("wasm.optimised");
    // The names and the producers of the functions are for debuggers: they do not ship.
    runner(
        repo.command("wasm-opt")
            .arg(OPTIMISATION)
            .args(FEATURES)
            .args(["--strip-debug", "--strip-producers"])
            .arg(module)
            .arg("-o")
            .arg(&optimised),
    )?;
    fs::rename(&optimised, module).with_context(|| format!("cannot replace {}", module.display()))
}

/// Everything that decides what `pkg/wasm` holds, in one line.
fn recipe(repo: &Repo, compiled: &Path) -> Result<String> {
    let bytes =
        fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(format!(
        "{:016x} wasm-bindgen {} wasm-pack {WASM_PACK} binaryen {BINARYEN} {OPTIMISATION}",
        hasher.finish(),
        repo.wasm_bindgen_version()
    ))
}
