-- Blocks of NDJSON: the whole lines that begin in one stretch of 64 KiB of a file. They stand in table chunk, as chunks
-- of event logs do.
CREATE TABLE document_block (
    chunk INTEGER PRIMARY KEY REFERENCES chunk(id),
    lines INTEGER NOT NULL              -- blank ones included
);

-- Events that were read from a line, each once: the same line again is a further place of the same event (event_copy).
CREATE TABLE document_line (
    event INTEGER PRIMARY KEY REFERENCES event(id),
    sha256 BLOB NOT NULL,               -- of the line's bytes without the line end
    size INTEGER NOT NULL,              -- bytes
    line INTEGER NOT NULL               -- its number in the block, from 0
);
CREATE UNIQUE INDEX document_line_by_sha256 ON document_line(sha256);

-- Fields that documents of a kind have in the data of an event, and in no column.
CREATE TABLE document_field (
    kind INTEGER NOT NULL REFERENCES kind(id),
    field TEXT NOT NULL,                -- dotted name; *: there are too many to list
    PRIMARY KEY (kind, field)
) WITHOUT ROWID;

-- Documents of a record that another event tells of as well: the record itself, or a document of it that comes first.
-- Derived from table event alone and made anew when events were added.
CREATE TABLE document_twin (
    event INTEGER PRIMARY KEY REFERENCES event(id),
    original INTEGER NOT NULL REFERENCES event(id)
);

-- Where a block of lines begins in its source; NULL for chunks of event logs.
ALTER TABLE source_chunk ADD COLUMN start INTEGER;  -- byte offset in the file
ALTER TABLE source_chunk ADD COLUMN line INTEGER;   -- number of the block's first line in the file, from 1

-- Of a lost line.
ALTER TABLE loss ADD COLUMN line INTEGER;           -- its number in the block, from 0; NULL for records
