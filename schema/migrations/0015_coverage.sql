-- What the logs cover, worked out once from all events and chunks, as the other tables of the context.
ALTER TABLE context_state ADD COLUMN last_source INTEGER NOT NULL DEFAULT 0;  -- the newest source they know

-- The logs of each host: a channel whose numbers began again has a row for each numbering.
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,             -- the computer name in lower case
    channel TEXT NOT NULL,          -- empty: the records name none
    events INTEGER NOT NULL,        -- live records with a number
    files INTEGER NOT NULL,         -- sources with records of it, by SHA-256
    first_record_id INTEGER NOT NULL,
    last_record_id INTEGER NOT NULL,
    started INTEGER,                -- the earliest @timestamp
    ended INTEGER,                  -- the latest
    begins TEXT NOT NULL            -- why not earlier: see evtxscan.context.coverage.model.BeginReason
);
CREATE INDEX log_by_host ON log(host, channel);

-- Numbers that no record of a log has.
CREATE TABLE log_gap (
    log INTEGER NOT NULL REFERENCES log(id),
    after INTEGER NOT NULL,         -- record id before the first of them
    before INTEGER NOT NULL,        -- record id behind the last of them
    records INTEGER NOT NULL,       -- how many; less than lie between the two where gaps of an export are put together
    lost INTEGER NOT NULL,          -- of these, known as lost
    started INTEGER,                -- time of the record before
    ended INTEGER,                  -- of the record behind
    reason TEXT NOT NULL,           -- see evtxscan.context.coverage.model.GapReason
    PRIMARY KEY (log, after)
) WITHOUT ROWID;

-- Whether a host's records of process starts hold what Windows records on demand.
CREATE TABLE recorded_field (
    host TEXT NOT NULL,             -- the computer name in lower case
    what TEXT NOT NULL,             -- command_lines, parent_names (Security 4688), sysmon
    events INTEGER NOT NULL,
    present INTEGER NOT NULL,       -- of these, with a value
    first_with INTEGER,
    last_with INTEGER,
    first_without INTEGER,
    last_without INTEGER,
    PRIMARY KEY (host, what)
) WITHOUT ROWID;

-- The time that a verdict speaks of, and whether the logs are whole in it: JSON; NULL: of an earlier version.
ALTER TABLE verdict ADD COLUMN "window" TEXT;

DROP VIEW verdicts;

-- Verdicts, one row for each field that was missing; a verdict that lacks nothing has one row.
CREATE VIEW verdicts AS
SELECT
    rule.name AS "rule",
    verdict.host AS host,
    verdict.verdict AS verdict,             -- match, no_match, undetermined, incomplete
    verdict.events AS events,               -- it was decided from
    json_extract(missing.value, '$.field') AS field,  -- that was missing
    json_extract(missing.value, '$.events') AS missing_in,  -- so many events
    json_extract(missing.value, '$.reason') AS reason,  -- why: see docs/verdicts.md
    json_extract(verdict."window", '$.whole') AS whole  -- 1: the logs that the rule looks into lack nothing of its time
FROM verdict
JOIN rule ON rule.id = verdict.rule
LEFT JOIN json_each(verdict.missing) missing;

-- The logs of each host.
CREATE VIEW logs AS
SELECT
    log.host AS host,                       -- the computer name in lower case
    log.channel AS channel,                 -- empty: the records name none
    log.events AS events,                   -- live records with a number
    log.files AS files,                     -- sources with records of it
    log.first_record_id AS first_record_id,
    log.last_record_id AS last_record_id,
    strftime('%Y-%m-%dT%H:%M:%S', log.started / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', log.started % 10000000) AS started,
    strftime('%Y-%m-%dT%H:%M:%S', log.ended / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', log.ended % 10000000) AS ended,
    log.begins AS begins,                   -- why not earlier: see docs/verdicts.md
    (SELECT count(*) FROM log_gap WHERE log_gap.log = log.id) AS gaps  -- in the record ids
FROM log;
