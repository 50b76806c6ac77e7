-- The event log, and the state that it folds into. Both always change in the same transaction.
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS campaigns (
    campaign_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    current_phase TEXT NOT NULL,
    phase_status TEXT NOT NULL,
    total_items INTEGER NOT NULL,
    processed_items INTEGER NOT NULL,
    successful_items INTEGER NOT NULL,
    failed_items INTEGER NOT NULL,
    progress_percentage REAL NOT NULL,
    total_domain_count INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    error_message TEXT,
    settings TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    last_sequence_number INTEGER NOT NULL,
    last_event_id TEXT NOT NULL,
    oldest_sequence_number INTEGER NOT NULL,
    domains_count INTEGER NOT NULL,
    domains_digest TEXT NOT NULL
) WITHOUT ROWID;

-- Used to list the campaigns of one owner without reading the others.
CREATE INDEX IF NOT EXISTS campaigns_by_owner ON campaigns (settings ->> 'owner', campaign_id)
    WHERE deleted = 0;

CREATE TABLE IF NOT EXISTS domains (
    campaign_id TEXT NOT NULL,
    domain_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    offset_index INTEGER,
    dns_status TEXT,
    http_status TEXT,
    http_status_code INTEGER,
    lead_status TEXT,
    lead_score REAL,
    row_hash INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, domain_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS domains_in_order ON domains (campaign_id, offset_index, domain_id);

-- `document` is the published document, byte for byte. `end_byte` is the size of the campaign's whole log up
-- to and including this event, so the size of any replay is one subtraction.
CREATE TABLE IF NOT EXISTS events (
    campaign_id TEXT NOT NULL,
    sequence_number INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    document TEXT NOT NULL,
    end_byte INTEGER NOT NULL,
    UNIQUE (campaign_id, sequence_number)
);

-- The audit trail: requests and their results. An accepted request is written together with its event, and
-- `record` is the campaign after it. A repeated request with the same key is answered from here.
CREATE TABLE IF NOT EXISTS transaction_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_id TEXT NOT NULL,
    name TEXT NOT NULL,
    who TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    type TEXT NOT NULL,
    reason TEXT NOT NULL,
    result TEXT NOT NULL,
    message TEXT,
    key TEXT,
    fingerprint TEXT,
    sequence_number INTEGER,
    event_id TEXT,
    record TEXT,
    UNIQUE (campaign_id, key)
);

-- Used to delete the oldest refusals without reading the accepted requests.
CREATE INDEX IF NOT EXISTS refusals ON transaction_log (campaign_id, id) WHERE result <> 'accepted';
