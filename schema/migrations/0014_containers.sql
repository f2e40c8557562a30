-- The outermost archives and disk images that sources came out of, as the files they are; of a set each file is a row.
CREATE TABLE container (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,         -- of the file, relative to the argument it was found under, with /
    argument TEXT NOT NULL,     -- that argument, as given
    first TEXT NOT NULL,        -- path of the first file of its set: the paths of its sources begin with it
    kind TEXT NOT NULL,         -- zip archive, EWF image (E01) ...
    sha256 TEXT,                -- hex, of the file as it is; NULL: not hashed (a disk image without ingest --hash-images)
    size INTEGER NOT NULL,      -- bytes
    modified TEXT,              -- the file system's modification time, UTC
    expected_sha256 TEXT,       -- the acquisition hash it was compared with
    error TEXT,                 -- why it could not be hashed, or that it is not what was expected
    run INTEGER NOT NULL REFERENCES run(id)
);
CREATE UNIQUE INDEX container_by_path ON container(path, argument, sha256);
