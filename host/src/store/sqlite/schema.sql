CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL UNIQUE,
    job TEXT NOT NULL,
    status TEXT,
    started_at_us INTEGER NOT NULL,
    ended_at_us INTEGER,
    last_at_us INTEGER NOT NULL,
    events INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    first_step INTEGER,
    last_step INTEGER,
    first_log INTEGER,
    last_log INTEGER
);
CREATE TABLE run_inputs (
    run INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    params TEXT NOT NULL,
    components TEXT NOT NULL,
    settings TEXT NOT NULL,
    parent TEXT,
    parent_steps TEXT,
    manifest_path TEXT,
    manifest_working TEXT,
    manifest_text TEXT
);
CREATE TABLE event_batches (
    batch INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    digest BLOB NOT NULL,
    events TEXT NOT NULL
);
CREATE UNIQUE INDEX event_batches_by_place ON event_batches (run, first);
CREATE TABLE nodes (
    run INTEGER NOT NULL,
    node INTEGER NOT NULL,
    name TEXT NOT NULL,
    running INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    first_started_at_us INTEGER,
    first_ended INTEGER,
    last_finished_at_us INTEGER,
    took_us INTEGER NOT NULL,
    PRIMARY KEY (run, node)
) WITHOUT ROWID;
CREATE TABLE steps (
    step INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    node INTEGER NOT NULL,
    keys TEXT NOT NULL,
    status INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    started_at_us INTEGER,
    finished_at_us INTEGER,
    took_us INTEGER,
    error TEXT,
    cached_from TEXT
);
CREATE INDEX steps_by_node ON steps (run, node, status);
CREATE TABLE logs (
    log INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    node INTEGER NOT NULL,
    keys TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    level INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    message TEXT NOT NULL,
    fields TEXT NOT NULL
);
CREATE INDEX logs_by_node ON logs (run, node, level);
CREATE TABLE objects (
    object INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    bytes INTEGER NOT NULL
);
CREATE TABLE run_objects (
    object INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (object, run)
) WITHOUT ROWID;
CREATE INDEX run_objects_by_run ON run_objects (run);
CREATE TABLE cache_objects (
    object INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (object, entry)
) WITHOUT ROWID;
CREATE INDEX cache_objects_by_entry ON cache_objects (entry);
CREATE TABLE cache_origins (
    origin INTEGER PRIMARY KEY AUTOINCREMENT,
    component TEXT NOT NULL,
    op TEXT NOT NULL,
    interface TEXT NOT NULL,
    config BLOB NOT NULL,
    run TEXT NOT NULL,
    by_inputs INTEGER NOT NULL,
    by_step INTEGER NOT NULL,
    UNIQUE (op, component, run, config, interface)
);
CREATE INDEX cache_origins_by_run ON cache_origins (run);
CREATE TABLE cache_entries (
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    origin INTEGER NOT NULL,
    digest BLOB NOT NULL,
    inputs TEXT NOT NULL,
    identity TEXT,
    step TEXT NOT NULL,
    took_us INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    used_at_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    outputs TEXT,
    object BLOB
);
CREATE INDEX cache_entries_by_origin ON cache_entries (origin);
CREATE TABLE cache_keys (
    short INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL
);
CREATE TABLE cache_fresh (
    short INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL
);

CREATE VIEW run_list AS
SELECT r.run, r.job, coalesce(r.status, 'unfinished') AS status,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.started_at_us / 1e6, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.ended_at_us / 1e6, 'unixepoch') AS ended_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.last_at_us / 1e6, 'unixepoch') AS last_event_at,
    r.succeeded, r.failed, r.skipped, r.cached, r.cancelled, r.events,
    i.parent, i.manifest_path AS manifest, i.params
FROM runs AS r LEFT JOIN run_inputs AS i ON i.run = r.number;
CREATE VIEW node_list AS
SELECT r.run, n.name AS node,
    n.running, n.waiting, n.succeeded, n.cached, n.failed, n.skipped, n.cancelled, n.dropped,
    strftime('%Y-%m-%dT%H:%M:%fZ', n.first_started_at_us / 1e6, 'unixepoch') AS first_started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', n.last_finished_at_us / 1e6, 'unixepoch') AS last_finished_at,
    n.took_us / 1e3 AS took_ms
FROM nodes AS n JOIN runs AS r ON r.number = n.run;
CREATE VIEW step_list AS
SELECT r.run,
    n.name || coalesce((SELECT group_concat('[' || k.value || ']', '') FROM json_each(s.keys) AS k), '') AS step,
    n.name AS node, s.keys,
    CASE s.status WHEN 0 THEN 'running' WHEN 1 THEN 'waiting' WHEN 2 THEN 'succeeded' WHEN 3 THEN 'cached'
        WHEN 4 THEN 'failed' WHEN 5 THEN 'skipped' WHEN 6 THEN 'cancelled' WHEN 7 THEN 'dropped' END AS status,
    s.attempts,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.started_at_us / 1e6, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.finished_at_us / 1e6, 'unixepoch') AS finished_at,
    s.took_us / 1e3 AS took_ms, s.error, s.cached_from
FROM steps AS s JOIN runs AS r ON r.number = s.run JOIN nodes AS n ON n.run = s.run AND n.node = s.node;
CREATE VIEW event_list AS
SELECT r.run, b.first + e.key AS seq,
    strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(e.value, '$.at_us') / 1e6, 'unixepoch') AS at,
    json_extract(e.value, '$.event') AS event, json_extract(e.value, '$.step') AS step, e.value AS json
FROM event_batches AS b JOIN runs AS r ON r.number = b.run, json_each(b.events) AS e;
CREATE VIEW log_list AS
SELECT r.run,
    n.name || coalesce((SELECT group_concat('[' || k.value || ']', '') FROM json_each(l.keys) AS k), '') AS step,
    n.name AS node, l.attempt,
    CASE l.level WHEN 0 THEN 'trace' WHEN 1 THEN 'debug' WHEN 2 THEN 'info' WHEN 3 THEN 'warn' WHEN 4 THEN 'error' END AS level,
    strftime('%Y-%m-%dT%H:%M:%fZ', l.at_us / 1e6, 'unixepoch') AS at, l.message, l.fields
FROM logs AS l JOIN runs AS r ON r.number = l.run JOIN nodes AS n ON n.run = l.run AND n.node = l.node;
