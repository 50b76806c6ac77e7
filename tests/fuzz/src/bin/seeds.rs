//! `fuzz-seeds FOLDER`: writes every target's seeds and former findings into `FOLDER/TARGET/`.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use campaign_sync_fuzz::{TARGETS, seeds};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("usage: fuzz-seeds FOLDER"))?;
    for (target, _) in TARGETS {
        let corpus = folder.join(target);
        fs::create_dir_all(&corpus)?;
        for (number, seed) in seeds::of(target).into_iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number:03}")), seed)?;
        }
        let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("found").join(target);
        for entry in fs::read_dir(found).into_iter().flatten() {
            let entry = entry?;
            fs::copy(entry.path(), corpus.join(entry.file_name()))?;
        }
    }
    Ok(())
}
