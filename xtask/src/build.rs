//! `cargo xtask build`: Rust to wasm, wasm to the npm package, the package to the demo page.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::npm::Project;
use crate::repo::{BINARYEN, Repo, Runner, WASM_PACK, run};
use crate::setup;

/// How wasm-opt optimises: for size, and it inlines next to nothing, which the compiler has done
/// already. What it inlines on top costs 2 % of the download and gains no speed that `bench` sees.
/// The passes that are skipped make the module smaller and its compressed form larger.
const OPTIMISATION: [&str; 14] = [
    "-Oz",
    "--converge",
    "-aimfs",
    "2",
    "-fimfs",
    "2",
    "-ocimfs",
    "30",
    "--generate-global-effects",
    "--low-memory-unused",
    "--zero-filled-memory",
    "--skip-pass=local-cse",
    "--skip-pass=code-pushing",
    "--skip-pass=simplify-locals",
];

/// Takes the texts of panics out of a module.
const TRAP_PANICS: &str = "xtask/scripts/trap-panics.mjs";

/// Names functions by their place in the order that compresses best.
const ORDER_FUNCTIONS: &str = "xtask/scripts/order-functions.mjs";

/// Takes what no page needs out of the generated JavaScript, and the hashes out of names.
const LEAN_GLUE: &str = "xtask/scripts/lean-glue.mjs";

/// What these scripts share.
const WASM: &str = "xtask/scripts/wasm.mjs";

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
    for module in &MODULES {
        wasm(repo, module, runner)?;
    }
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

/// The reference server, and what tests look into its tables with, as the native tests build them too:
/// compiling them once more with all optimisations would take minutes that neither demo nor tests get
/// back.
pub(crate) fn server(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    let packages = ["--package", "campaign-sync-harness", "--package", "campaign-sync-support"];
    runner(repo.command("cargo").arg("build").args(packages))
}

/// A module of the package: the crate, compiled with some of its features.
struct Module {
    /// Names it in the target directory, where each module has a place of its own: two sets of
    /// features in one place would replace each other at every build.
    name: &'static str,
    directory: &'static str,
    features: &'static [&'static str],
}

/// The main module does without the cipher, which would make it larger for every page.
const MODULES: [Module; 2] = [
    Module { name: "main", directory: "pkg/wasm", features: &[] },
    Module {
        name: "encrypted",
        directory: "pkg/wasm/encrypted",
        features: &["--features", "encrypted"],
    },
];

/// Compiles the crate into `pkg/wasm`, unless what is there was made from the same module.
fn wasm(repo: &Repo, module: &Module, runner: &mut Runner<'_>) -> Result<()> {
    let target = "wasm32-unknown-unknown";
    let target_directory = repo.target("modules").join(module.name);
    let mut cargo = repo.command("cargo");
    cargo.args(["build", "--lib", "--profile", "wasm", "--target", target]).args(module.features);
    runner(cargo.env("CARGO_TARGET_DIR", &target_directory))?;
    let compiled = target_directory.join(target).join("wasm/campaign_sync.wasm");
    let stamp = target_directory.join("module.stamp");
    let recipe = recipe(repo, &compiled)?;
    let output = repo.path(module.directory).join("campaign_sync_bg.wasm");
    if output.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == recipe) {
        return Ok(());
    }
    let _ = fs::remove_file(&stamp);
    let mut wasm_pack = repo.command("wasm-pack");
    wasm_pack.args(["build", "--profile", "wasm", "--target", "web", "--mode", "no-install"]);
    wasm_pack.args(["--no-pack", "--no-gitignore", "--no-opt", "--out-dir", module.directory]);
    wasm_pack.arg(".").arg("--").args(module.features);
    runner(wasm_pack.env("CARGO_TARGET_DIR", &target_directory))?;
    optimise(repo, &output, runner)?;
    fs::write(&stamp, recipe).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Panics trap, then wasm-opt twice: what the first run makes tells the order of the functions that the
/// second one puts them in.
fn optimise(repo: &Repo, module: &Path, runner: &mut Runner<'_>) -> Result<()> {
    let quiet = module.with_extension("wasm.quiet");
    let optimised = module.with_extension("wasm.optimised");
    let ordered = module.with_extension("wasm.ordered");
    let binaryen = repo.tool_root("binaryen", BINARYEN).join("node_modules");
    runner(repo.command("node").arg(TRAP_PANICS).arg(binaryen).arg(module).arg(&quiet))?;
    runner(wasm_opt(repo, &quiet, &optimised).arg("--debuginfo"))?;
    runner(repo.command("node").arg(ORDER_FUNCTIONS).args([&optimised, &quiet, &ordered]))?;
    // The names and the producers of the functions are for debuggers: they do not ship.
    let last = ["--reorder-functions-by-name", "--strip-debug", "--strip-producers"];
    runner(wasm_opt(repo, &ordered, module).args(last))?;
    for intermediate in [quiet, optimised, ordered] {
        fs::remove_file(&intermediate)
            .with_context(|| format!("cannot remove {}", intermediate.display()))?;
    }
    let glue = module.with_file_name("campaign_sync.js");
    runner(repo.command("node").arg(LEAN_GLUE).arg(module).arg(glue))
}

fn wasm_opt(repo: &Repo, from: &Path, to: &Path) -> Command {
    let mut command = repo.command("wasm-opt");
    command.args(OPTIMISATION).args(FEATURES).arg(from).arg("-o").arg(to);
    command
}

/// Everything that decides what a module's directory holds, in one line.
fn recipe(repo: &Repo, compiled: &Path) -> Result<String> {
    let bytes =
        fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    for script in [TRAP_PANICS, ORDER_FUNCTIONS, LEAN_GLUE, WASM] {
        fs::read(repo.path(script))
            .with_context(|| format!("cannot read {script}"))?
            .hash(&mut hasher);
    }
    Ok(format!(
        "{:016x} wasm-bindgen {} wasm-pack {WASM_PACK} binaryen {BINARYEN} {}",
        hasher.finish(),
        repo.wasm_bindgen_version(),
        OPTIMISATION.join(" ")
    ))
}
