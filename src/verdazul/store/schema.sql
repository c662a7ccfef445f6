-- One row per declared thing: its record as JSON, beside the few columns that queries need.
-- Keys (`*_key`) are lower-cased names: Azure matches names case-insensitively.

CREATE TABLE IF NOT EXISTS meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS endpoints (
    endpoint_key TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    record TEXT NOT NULL,
    status TEXT
) STRICT;

CREATE TABLE IF NOT EXISTS deployments (
    endpoint_key TEXT NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    deployment_key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    record TEXT NOT NULL,
    status TEXT,
    memory TEXT NOT NULL,
    PRIMARY KEY (endpoint_key, deployment_key)
) STRICT;

CREATE TABLE IF NOT EXISTS operations (
    id TEXT PRIMARY KEY,
    endpoint_key TEXT NOT NULL,
    deployment_key TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at REAL NOT NULL,
    operation TEXT NOT NULL
) STRICT;

-- One open operation on a resource: the second caller gets a Conflict.
CREATE UNIQUE INDEX IF NOT EXISTS one_open_operation
    ON operations (endpoint_key, deployment_key) WHERE state = 'InProgress';

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    endpoint_key TEXT NOT NULL,
    deployment_key TEXT NOT NULL,
    event TEXT NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS events_of_endpoint ON events (endpoint_key, seq);

CREATE TABLE IF NOT EXISTS assets (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    tree_hash TEXT NOT NULL,
    created_at REAL NOT NULL,
    asset TEXT NOT NULL,
    PRIMARY KEY (kind, name, version)
) STRICT;

CREATE INDEX IF NOT EXISTS assets_by_hash ON assets (kind, tree_hash);

-- `endpoint_key` '' is the whole workspace.
CREATE TABLE IF NOT EXISTS role_assignments (
    id TEXT PRIMARY KEY,
    endpoint_key TEXT NOT NULL,
    created_at REAL NOT NULL,
    assignment TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS items (
    kind TEXT NOT NULL,
    name_key TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (kind, name_key)
) STRICT;

-- The activity log. `resource_key` ends in a slash, so that an id is a prefix of those below it only.
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    is_change INTEGER NOT NULL,
    caller TEXT NOT NULL,
    resource_key TEXT NOT NULL,
    outcome TEXT NOT NULL,
    correlation TEXT NOT NULL,
    entry TEXT NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS audit_of_kind ON audit (is_change, seq);
