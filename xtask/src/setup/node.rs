//! Node and npm, which we ask for but do not install.

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, on_path, read};

const OLDEST_NODE: u32 = 20;

/// Refuses a machine without Node 20 or newer and npm, and says where they come from.
pub(crate) fn require(repo: &Repo) -> Result<()> {
    let version = read(repo.command("node").arg("--version")).with_context(|| {
        format!("Node {OLDEST_NODE} or newer is needed: see https://nodejs.org")
    })?;
    let major = major(&version).with_context(|| format!("`node --version` said `{version}`"))?;
    if major < OLDEST_NODE {
        bail!(
            "Node {OLDEST_NODE} or newer is needed, this one is {version}: see https://nodejs.org"
        );
    }
    if on_path("npm").is_none() {
        bail!(
            "npm is missing: it comes with Node from https://nodejs.org, or as Debian's package `npm`"
        );
    }
    Ok(())
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_what_node_says() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v8.0.0"), Some(8));
        assert_eq!(major("20.1.0"), None);
        assert_eq!(major("vnext"), None);
    }
}
