//! The users file, and the check of passwords.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;

/// The names that mean no user: the audit trail records them for other identities.
const RESERVED: [&str; 3] = ["anonymous", "operator", "server"];

/// The longest name of a user, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The users, with the hashes of their passwords.
#[derive(Debug, Default)]
pub struct Users {
    hashes: BTreeMap<String, String>,
    /// The same hashes, from which unknown names get one each.
    pool: Vec<String>,
    hasher: RandomState,
}

impl Users {
    /// The users with these hashes, by name.
    pub fn new(hashes: BTreeMap<String, String>) -> Self {
        let pool = hashes.values().cloned().collect();
        Self { hashes, pool, hasher: RandomState::new() }
    }

    /// Whether there is a user of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.hashes.contains_key(name)
    }

    /// The hash that a password of `name` is compared with. An unknown name gets the hash of a user, always
    /// the same one. So the check costs what it costs for users, whatever parameters the file has, and the
    /// time of the answer does not reveal which names exist.
    pub fn hash_for(&self, name: &str) -> Option<&str> {
        let place = self.hasher.hash_one(name) as usize % self.pool.len().max(1);
        self.hashes.get(name).or_else(|| self.pool.get(place)).map(String::as_str)
    }

    /// Whether this is the password of a user of this name. Blocks for the time of a check.
    pub fn matches(&self, name: &str, password: &str) -> bool {
        let hash = self.hash_for(name).and_then(|hash| PasswordHash::new(hash).ok());
        let verified = hash.is_some_and(|hash| {
            Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
        });
        verified && self.contains(name)
    }
}

/// Whether a text has the form of a user's name, and is not reserved.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain) && !is_reserved(text)
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Reads a file of users: one `name:hash` per line, with hashes as `argon2 SALT -id -e` prints them.
///
/// # Errors
/// A message that names the file and the problem.
pub fn read(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let problem = |what: &str| format!("--users {}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| problem(&error.to_string()))?;
    let mut users = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let wrong = || problem(&format!("line {number} is not name:hash, argon2id"));
        let (name, hash) = line.trim().split_once(':').ok_or_else(wrong)?;
        if is_reserved(name) {
            return Err(problem(&format!("line {number}: the name {name} is reserved")));
        }
        let sound = PasswordHash::new(hash).is_ok_and(|it| it.algorithm.as_str() == "argon2id");
        if !is_name(name) || !sound {
            return Err(wrong());
        }
        users.insert(name.to_owned(), hash.to_owned());
    }
    if users.is_empty() { Err(problem("there is no user in it")) } else { Ok(users) }
}
