-- The last result of each rule: rules with their text's hash, findings, and a verdict per host.
CREATE TABLE rule (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    severity TEXT NOT NULL,
    risk_score INTEGER NOT NULL,
    sha256 TEXT NOT NULL,       -- of the rule file
    run INTEGER NOT NULL REFERENCES run(id)
) WITHOUT ROWID;

CREATE TABLE finding (
    id TEXT PRIMARY KEY,        -- made of the rule and the event, the same in every run
    rule TEXT NOT NULL REFERENCES rule(id),
    event INTEGER REFERENCES event(id),  -- NULL: the finding is several events
    host TEXT NOT NULL,         -- in lower case; empty: its events are of several hosts
    time TEXT NOT NULL,         -- @timestamp of the (first) event
    document TEXT NOT NULL      -- JSON, as `detect --format ndjson` gives it
) WITHOUT ROWID;
CREATE INDEX finding_by_rule ON finding(rule, host, time);

CREATE TABLE verdict (
    rule TEXT NOT NULL REFERENCES rule(id),
    host TEXT NOT NULL,
    verdict TEXT NOT NULL,      -- match, no_match, undetermined, incomplete
    events INTEGER NOT NULL,    -- it was decided from
    missing TEXT NOT NULL,      -- JSON list of {field, events, reason}
    PRIMARY KEY (rule, host)
) WITHOUT ROWID;
