-- How many events of which kind each host has, and their time range. Made anew after each ingest.
CREATE TABLE event_count (
    kind INTEGER NOT NULL REFERENCES kind(id),
    host INTEGER REFERENCES value(id),  -- NULL: the records name no computer
    events INTEGER NOT NULL,
    first INTEGER,                      -- @timestamp, FILETIME ticks
    last INTEGER
);
