-- Script blocks of PowerShell whose text is spread over several records (4104), put together again. Derived from table
-- event alone and made anew when events were added.
CREATE TABLE script_block (
    id INTEGER PRIMARY KEY,
    event INTEGER NOT NULL UNIQUE REFERENCES event(id),  -- the first part there is: it stands for the block
    "powershell.file.script_block_id" INTEGER NOT NULL REFERENCES value(id),
    "powershell.total" INTEGER NOT NULL,    -- parts that the block has, as recorded
    parts INTEGER NOT NULL,                 -- of them, how many are in the evidence
    state TEXT NOT NULL,                    -- complete, incomplete (parts are missing), conflicting (one part is there with
                                            -- different texts: nothing is put together), too_large (the same)
    missing TEXT NOT NULL                   -- JSON list of [first, last]: numbers of the parts that are missing, at most 1,000
);

-- Which record is which part. A part may be there more than once.
CREATE TABLE script_block_part (
    event INTEGER PRIMARY KEY REFERENCES event(id),
    block INTEGER NOT NULL REFERENCES script_block(id),
    number INTEGER NOT NULL,                -- powershell.sequence, from 1
    is_copy INTEGER NOT NULL                -- 1: another record of the same part stands for it
);
CREATE INDEX script_block_part_by_block ON script_block_part(block, number, is_copy);

-- The texts: one row for each run of parts without a gap between them, so one row for a complete block. No rows where
-- there is only one part, or nothing was put together.
CREATE TABLE script_block_text (
    block INTEGER NOT NULL REFERENCES script_block(id),
    first INTEGER NOT NULL,                 -- number of the first part of the run
    last INTEGER NOT NULL,                  -- and of the last one
    is_exact INTEGER NOT NULL,              -- 0: line ends between its parts may be missing (a record could not be read again)
    text TEXT NOT NULL                      -- line ends are LF, as in all texts of events
);
CREATE INDEX script_block_text_by_block ON script_block_text(block, first);

-- Script blocks of several records as they read.
CREATE VIEW script_blocks AS
SELECT
    (SELECT text FROM value WHERE id = b."powershell.file.script_block_id") AS "powershell.file.script_block_id",
    (SELECT text FROM value WHERE id = e."host.name") AS "host.name",
    strftime('%Y-%m-%dT%H:%M:%S', e."@timestamp" / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', e."@timestamp" % 10000000) AS "@timestamp",  -- of the first part
    b."powershell.total" AS "powershell.total",  -- parts that the block has
    b.parts AS parts,                       -- of them, how many are in the evidence
    b.state AS state,                       -- complete, incomplete, conflicting, too_large
    b.missing AS missing,                   -- JSON list of [first, last]: parts that are missing
    b.event AS event,                       -- row of table event that stands for the block
    t.first AS first,                       -- number of the first part of this text; a gap in the block makes two texts of it
    t.last AS last,                         -- number of its last part
    t.text AS text                          -- NULL: nothing was put together
FROM script_block b JOIN event e ON e.id = b.event LEFT JOIN script_block_text t ON t.block = b.id;
