-- What the laboratory writes on the folder, and what made the case.
CREATE TABLE case_info (
    key TEXT PRIMARY KEY,       -- case_number, examiner, created_by ...
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Every command that was run on the case.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,      -- ingest, detect, ...
    arguments TEXT NOT NULL,    -- JSON list, as given
    started TEXT NOT NULL,      -- UTC, ISO 8601
    ended TEXT,                 -- NULL: still running, killed or failed
    exit_code INTEGER,
    versions TEXT NOT NULL      -- JSON object: evtxscan, the parsers, the mapping, Python, SQLite
);

-- One file of evidence, or one entry of a container.
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,         -- relative to the argument it was found under, with /
    argument TEXT NOT NULL,     -- that argument, as given
    sha256 TEXT NOT NULL,       -- hex
    size INTEGER NOT NULL,      -- bytes
    modified TEXT,              -- the file system's modification time, UTC
    exhibit TEXT,
    expected_sha256 TEXT,       -- the acquisition hash it was compared with
    state TEXT NOT NULL,        -- reading, complete, changed (differs after reading), failed
    error TEXT,                 -- why it failed
    found INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    filtered INTEGER NOT NULL DEFAULT 0,  -- counted, not stored: ingest --only
    run INTEGER NOT NULL REFERENCES run(id)
);
CREATE INDEX source_by_path ON source(path);

-- The bytes of each chunk of 64 KiB, kept once however many sources hold it.
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,            -- bytes before compression; less than 65536 where a file was cut
    first_record_id INTEGER,          -- of the records found, NULL if there are none
    first_written INTEGER,            -- FILETIME ticks of that record's header
    records INTEGER NOT NULL,         -- found = events + lost + those that --only left out
    checksums_ok INTEGER NOT NULL,    -- both checksums of the chunk are right
    events INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    only_categories TEXT,             -- NULL: every record is stored; else the categories of ingest --only
    bytes BLOB NOT NULL               -- zstd; last, so that the other columns are read without it
);
CREATE INDEX chunk_by_first_record ON chunk(first_record_id, first_written);

-- Which chunk stands where in which source.
CREATE TABLE source_chunk (
    source INTEGER NOT NULL REFERENCES source(id),
    number INTEGER NOT NULL,          -- position in the file, from 0
    chunk INTEGER NOT NULL REFERENCES chunk(id),
    PRIMARY KEY (source, number)
) WITHOUT ROWID;
CREATE INDEX source_chunk_by_chunk ON source_chunk(chunk);

-- Records that were found and could not be stored, one row each. Sources have them through source_chunk.
CREATE TABLE loss (
    chunk INTEGER NOT NULL REFERENCES chunk(id),
    offset INTEGER,                   -- in the chunk; NULL: only the chunk's header names the record
    record_id INTEGER,
    reason TEXT NOT NULL,             -- record_unreadable, record_missing, chunk_truncated, parser_crashed
    detail TEXT NOT NULL
);
CREATE INDEX loss_by_chunk ON loss(chunk);

-- Files in a given folder that are no event logs.
CREATE TABLE skipped (
    path TEXT NOT NULL,
    argument TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (path, argument)
) WITHOUT ROWID;

-- What all records of one event definition share.
CREATE TABLE kind (
    id INTEGER PRIMARY KEY,
    definition TEXT NOT NULL UNIQUE,  -- JSON: the fields below and what else evtxscan.ecs.kind.Kind has
    mapping TEXT NOT NULL,            -- id in the ECS mapping tables
    provider TEXT,
    channel TEXT,
    code TEXT,
    version INTEGER
);

-- Every text that a keyword column of event holds, once.
CREATE TABLE value (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);

-- Further places of a record that an earlier chunk already gave (a log that grew between two copies).
CREATE TABLE event_copy (
    chunk INTEGER NOT NULL REFERENCES chunk(id),  -- the key first: SQLite 3.40 takes other orders for damage
    offset INTEGER NOT NULL,
    event INTEGER NOT NULL REFERENCES event(id),
    PRIMARY KEY (chunk, offset)
) WITHOUT ROWID;
CREATE INDEX event_copy_by_event ON event_copy(event);
