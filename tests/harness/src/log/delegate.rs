//! Logs that differ from another log in a few methods only.

/// Implements methods of [`EventLog`](crate::log::EventLog) by calling the log that the method `$inner`
/// returns: `delegate_event_log!(inner: epoch, campaigns, head);`
#[macro_export]
macro_rules! delegate_event_log {
    ($inner:ident: $($method:ident),+ $(,)?) => {
        $($crate::delegate_event_log!(@ $inner $method);)+
    };
    (@ $inner:ident epoch) => {
        fn epoch(&self) -> String {
            self.$inner().epoch()
        }
    };
    (@ $inner:ident keys) => {
        fn keys(&self) -> Option<&$crate::keys::Keyring> {
            self.$inner().keys()
        }
    };
    (@ $inner:ident campaigns) => {
        fn campaigns(&self) -> $crate::log::Result<Vec<$crate::log::CampaignId>> {
            self.$inner().campaigns()
        }
    };
    (@ $inner:ident secret) => {
        fn secret(&self) -> String {
            self.$inner().secret()
        }
    };
    (@ $inner:ident list) => {
        fn list(
            &self,
            query: &$crate::log::CampaignQuery<'_>,
        ) -> $crate::log::Result<Vec<($crate::log::CampaignId, $crate::log::View)>> {
            self.$inner().list(query)
        }
    };
    (@ $inner:ident head) => {
        $crate::delegate_event_log!(@ $inner head() -> Option<$crate::log::Head>);
    };
    (@ $inner:ident append) => {
        $crate::delegate_event_log!(
            @ $inner append(expected: u64, drafts: &[$crate::log::Draft]) -> $crate::log::Appended
        );
    };
    (@ $inner:ident read) => {
        $crate::delegate_event_log!(
            @ $inner read(after: u64, bytes: usize) -> Vec<$crate::log::Event>
        );
    };
    (@ $inner:ident bytes_after) => {
        $crate::delegate_event_log!(@ $inner bytes_after(after: u64) -> u64);
    };
    (@ $inner:ident view) => {
        $crate::delegate_event_log!(
            @ $inner view(rows: &$crate::log::RowQuery) -> Option<$crate::log::View>
        );
    };
    (@ $inner:ident recount) => {
        $crate::delegate_event_log!(@ $inner recount() -> Option<$crate::log::Recount>);
    };
    (@ $inner:ident buckets) => {
        $crate::delegate_event_log!(
            @ $inner buckets() -> Option<(u64, Box<$crate::log::Buckets>)>
        );
    };
    (@ $inner:ident transactions) => {
        $crate::delegate_event_log!(@ $inner transactions() -> Vec<$crate::log::Transaction>);
    };
    (@ $inner:ident record_refusal) => {
        $crate::delegate_event_log!(@ $inner record_refusal(refused: &$crate::log::Transaction) -> ());
    };
    (@ $inner:ident audit_entry) => {
        $crate::delegate_event_log!(
            @ $inner audit_entry(key: &str) -> Option<$crate::log::Transaction>
        );
    };
    (@ $inner:ident truncate) => {
        $crate::delegate_event_log!(@ $inner truncate(to: u64) -> ());
    };
    (@ $inner:ident diverge) => {
        $crate::delegate_event_log!(@ $inner diverge(how: $crate::log::Divergence) -> u64);
    };
    (@ $inner:ident $method:ident($($name:ident: $type:ty),*) -> $result:ty) => {
        fn $method(
            &self,
            campaign: &$crate::log::CampaignId,
            $($name: $type),*
        ) -> $crate::log::Result<$result> {
            self.$inner().$method(campaign, $($name),*)
        }
    };
}
