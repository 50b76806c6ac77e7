//! The place of a server's log, as given at start-up.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::nats::NatsLog;
use super::sqlite::SqliteLog;
use super::{EventLog, Result, check_history};
use crate::keys::{Keyring, check_epoch};

/// The place of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// A database file: `sqlite:PATH`.
    Sqlite(PathBuf),
    /// One or more servers of one cluster, as `host:port`: `nats://host:port[,host:port...]`.
    Nats(Vec<String>),
}

impl FromStr for LogPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(path.into()));
        }
        let list = text.strip_prefix("nats://").unwrap_or_default();
        let servers: Vec<String> = list.split(',').map(str::to_owned).collect();
        let is_server = |it: &String| {
            let parts = it.rsplit_once(':');
            parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if servers.iter().all(is_server) {
            return Ok(Self::Nats(servers));
        }
        Err("neither sqlite:PATH nor nats://HOST:PORT[,HOST:PORT...]".into())
    }
}

impl LogPlace {
    /// Opens the log; see [`SqliteLog::open`] and [`NatsLog::open`].
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage).
    pub fn open(
        &self,
        cache: &Path,
        new_epoch: &str,
        renew: bool,
        keys: Option<Arc<Keyring>>,
    ) -> Result<Arc<dyn EventLog>> {
        let log: Arc<dyn EventLog> = match self {
            Self::Sqlite(path) => {
                Arc::new(SqliteLog::open(path, new_epoch, renew)?.sealed_by(keys))
            }
            Self::Nats(servers) => Arc::new(NatsLog::open(servers, cache, new_epoch, renew, keys)?),
        };
        check_epoch(&log.epoch(), log.keys().is_some())?;
        check_history(&*log)?;
        Ok(log)
    }
}
