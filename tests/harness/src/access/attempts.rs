//! Limits of login attempts, by address and by name.
//!
//! The address is judged first. So a client that invents names uses up its own attempts, and neither those of
//! other addresses nor those of the names that share an entry.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;

use crate::session::limits::Bucket;

/// Attempts to log in as one user: one every five seconds, after ten in a row.
const OF_NAME: (f64, u32) = (0.2, 50);

/// Attempts of one address: one per second, after sixty in a row. Many people may share an address.
const OF_ADDRESS: (f64, u32) = (1.0, 60);

/// The most checks of one address at a time, of all that [`Sessions`](crate::sessions::Sessions) admits.
pub(super) const CHECKS_OF_ADDRESS: usize = 4;

/// The delay for an address that has too many checks at a time, in milliseconds.
const CHECKS_FULL_MS: u64 = 1_000;

/// The attempts of all names and addresses.
///
/// Addresses and invented names are entries of a 16-bit keyed hash. They take bounded memory, and a client
/// cannot predict which of them share an entry. Each user has a separate entry, which invented names cannot
/// use up.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    addresses: HashMap<u16, Address>,
    users: BTreeMap<String, Bucket>,
    invented: HashMap<u16, Bucket>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Address {
    attempts: Bucket,
    checks: usize,
}

impl Attempts {
    /// Begins an attempt of an address. Call [`Attempts::end`] when it has ended.
    ///
    /// # Errors
    /// The milliseconds to wait, if there are too many attempts.
    pub(super) fn begin(&mut self, now_ms: u64, address: IpAddr) -> Result<(), u64> {
        let address = self.addresses.entry(self.hash(network(address))).or_default();
        address.attempts.take(now_ms, OF_ADDRESS.0, OF_ADDRESS.1)?;
        if address.checks >= CHECKS_OF_ADDRESS {
            return Err(CHECKS_FULL_MS);
        }
        address.checks += 1;
        Ok(())
    }

    /// Ends an attempt that [`Attempts::begin`] admitted.
    pub(super) fn end(&mut self, address: IpAddr) {
        let hash = self.hash(network(address));
        if let Some(address) = self.addresses.get_mut(&hash) {
            address.checks = address.checks.saturating_sub(1);
        }
    }

    /// Counts an attempt to log in as `name`. A name without a user is counted, too, so the limit does not
    /// reveal whether a user exists.
    ///
    /// # Errors
    /// As [`Attempts::begin`].
    pub(super) fn of_name(&mut self, now_ms: u64, name: &str, is_user: bool) -> Result<(), u64> {
        let bucket = if is_user {
            self.users.entry(name.to_owned()).or_default()
        } else {
            let hash = self.hash(name);
            self.invented.entry(hash).or_default()
        };
        bucket.take(now_ms, OF_NAME.0, OF_NAME.1)
    }

    fn hash(&self, key: impl Hash) -> u16 {
        self.hasher.hash_one(key) as u16
    }
}

/// The part of an address that one client has: all of it, or the first 64 bits of an IPv6 address, because a
/// client chooses the others.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(bits.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HONEST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn attempt(attempts: &mut Attempts, address: &str, name: &str) -> Result<(), u64> {
        let address = address.parse().unwrap();
        attempts.begin(0, address)?;
        let counted = attempts.of_name(0, name, name == "ada");
        attempts.end(address);
        counted
    }

    #[test]
    fn flood_of_invented_names_leaves_users_their_attempts() {
        let mut attempts = Attempts::default();
        let mut refused = 0;
        for n in 0..100_000 {
            let address = format!("198.51.{}.{}", n / 256 % 256, n % 256);
            refused += usize::from(attempt(&mut attempts, &address, &format!("x{n}")).is_err());
        }
        for _ in 0..10 {
            assert_eq!(attempt(&mut attempts, "192.0.2.1", "ada"), Ok(()), "after {refused}");
        }
        assert!(attempt(&mut attempts, "192.0.2.1", "ada").is_err());
        assert!(attempts.invented.len() <= 65_536 && attempts.addresses.len() <= 65_536);
    }

    #[test]
    fn address_runs_out_of_attempts_for_any_name() {
        let mut attempts = Attempts::default();
        for n in 0..60 {
            assert_eq!(attempt(&mut attempts, "2001:db8::1", &format!("x{n}")), Ok(()));
        }
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"] {
            assert!(attempt(&mut attempts, address, "ada").is_err(), "{address}");
        }
        assert_eq!(attempt(&mut attempts, "2001:db8:0:1::1", "ada"), Ok(()));
        assert_eq!(attempt(&mut attempts, "192.0.2.1", "ada"), Ok(()));
    }

    #[test]
    fn one_address_cannot_occupy_all_checks() {
        let mut attempts = Attempts::default();
        let busy = "::ffff:198.51.100.1".parse().unwrap();
        for _ in 0..CHECKS_OF_ADDRESS {
            assert_eq!(attempts.begin(0, busy), Ok(()));
        }
        assert_eq!(attempts.begin(0, "198.51.100.1".parse().unwrap()), Err(CHECKS_FULL_MS));
        assert_eq!(attempts.begin(0, HONEST), Ok(()));
        attempts.end(busy);
        assert_eq!(attempts.begin(0, busy), Ok(()));
    }
}
