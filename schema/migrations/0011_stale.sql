-- Records that are not live: left over behind a chunk's live data, hidden in another record, or carved.
CREATE TABLE stale_record (
    chunk INTEGER NOT NULL REFERENCES chunk(id),
    offset INTEGER NOT NULL,        -- in the chunk
    size INTEGER NOT NULL,          -- bytes
    record_id INTEGER,              -- of its header; NULL: more than 2^63
    written INTEGER,                -- FILETIME ticks of its header; NULL: more than 2^63
    origin TEXT NOT NULL,           -- slack, carved
    state TEXT NOT NULL,            -- event, copy (of a live record, or of another stale one), unnamed (the names of its
                                    -- data are lost), refused, filtered (by ingest --only)
    event INTEGER REFERENCES event(id),  -- itself, or what it is a copy of
    template TEXT,                  -- where its templates were found: in_place, same_source, other_source
    template_id INTEGER,            -- of a template that is nowhere in the evidence
    reason TEXT,                    -- why it was refused
    detail TEXT,
    document TEXT,                  -- of an unnamed record: JSON, with its values in their order
    PRIMARY KEY (chunk, offset)
) WITHOUT ROWID;
CREATE INDEX stale_record_by_event ON stale_record(event) WHERE event IS NOT NULL;

-- What each chunk has to give to stale records, and of them.
CREATE TABLE chunk_slack (
    chunk INTEGER PRIMARY KEY REFERENCES chunk(id),
    origin TEXT NOT NULL,           -- slack; carved: all its records are stale, and 01 stands behind its SHA-256, so that
                                    -- it is never taken for the live chunk
    records INTEGER NOT NULL,       -- stale records found in it
    settled INTEGER NOT NULL,       -- 1: all of them are in stale_record
    definitions BLOB NOT NULL       -- templates: GUID (16 bytes), offset in the chunk (2, little-endian), 1 where that is
                                    -- no live data (1)
);

DROP VIEW event_places;

-- Every place in the evidence that holds an event: a record that two copies of a log have, has two. The first live one,
-- in order of SHA-256, chunk and offset, gives the event its id.
CREATE VIEW event_places AS
SELECT
    e.id AS event,                          -- row of table event
    substr(source.sha256, 1, 16) || '-' || source_chunk.number || '-' || e."offset" AS place,
        -- the event id, for its first place
    source.path AS path,                    -- of the log, relative to the argument of ingest
    source.sha256 AS sha256,                -- of the log
    source_chunk.number AS chunk,           -- position of the chunk in the log, from 0
    e."offset" AS "offset",                 -- of the record in the chunk
    coalesce((SELECT origin FROM stale_record r WHERE r.chunk = e.chunk AND r."offset" = e."offset"), 'live')
        AS origin                           -- live, slack or carved
FROM event e
JOIN source_chunk ON source_chunk.chunk = e.chunk
JOIN source ON source.id = source_chunk.source
UNION ALL
SELECT
    c.event, substr(source.sha256, 1, 16) || '-' || source_chunk.number || '-' || c."offset",
    source.path, source.sha256, source_chunk.number, c."offset", c.origin
FROM (
    SELECT event, chunk, "offset", 'live' AS origin FROM event_copy
    UNION ALL SELECT event, chunk, "offset", origin FROM stale_record WHERE state = 'copy'
) c
JOIN source_chunk ON source_chunk.chunk = c.chunk
JOIN source ON source.id = source_chunk.source;

-- Stale records, with the logs that hold them and what became of each.
CREATE VIEW stale_records AS
SELECT
    source.path AS path,                    -- of the log, relative to the argument of ingest
    source.sha256 AS sha256,                -- of the log
    source_chunk.number AS chunk,           -- position of the chunk in the log, from 0
    r."offset" AS "offset",                 -- in the chunk
    r.size AS size,                         -- bytes
    r.record_id AS record_id,
    strftime('%Y-%m-%dT%H:%M:%S', r.written / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', r.written % 10000000) AS written,  -- in its header
    r.origin AS origin,                     -- slack, carved
    r.state AS state,                       -- event, copy, unnamed, refused, filtered
    r.event AS event,                       -- row of table event
    r.template AS template,                 -- in_place, same_source, other_source
    r.reason AS reason,                     -- why it was refused
    r.detail AS detail,
    r.document AS document                  -- of an unnamed record: JSON
FROM stale_record r
JOIN source_chunk ON source_chunk.chunk = r.chunk
JOIN source ON source.id = source_chunk.source;

DROP VIEW events;

-- Every event with its texts, under the names that ECS gives them. Only what was recorded: constants of an event id
-- (event.category ...) and values derived from these columns (process.name, process.args, hashes) are in the documents
-- that `evtxscan query` and `evtxscan show` give.
CREATE VIEW events AS
SELECT
    e.id AS event,                          -- row of table event
    (SELECT substr(s.sha256, 1, 16) || '-' || sc.number || '-' || place."offset" FROM (
        SELECT e.chunk AS chunk, e."offset" AS "offset"
        UNION ALL SELECT c.chunk, c."offset" FROM event_copy c WHERE c.event = e.id
    ) place JOIN source_chunk sc ON sc.chunk = place.chunk JOIN source s ON s.id = sc.source
    ORDER BY s.sha256, sc.number, place."offset", s.path LIMIT 1) AS event_id,  -- the id that evtxscan show takes
    strftime('%Y-%m-%dT%H:%M:%S', e."@timestamp" / 10000000 - 11644473600, 'unixepoch')
        || CASE WHEN e."winlog.time_created" IS NULL THEN printf('.%07dZ', e."@timestamp" % 10000000)
           ELSE printf('.%03dZ', e."@timestamp" % 10000000 / 10000) END AS "@timestamp",
        -- 7 digits: TimeCreated; 3 digits: Sysmon's own UtcTime
    strftime('%Y-%m-%dT%H:%M:%S',
        coalesce(e."winlog.time_created", e."@timestamp") / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', coalesce(e."winlog.time_created", e."@timestamp") % 10000000) AS "winlog.time_created",
        -- TimeCreated
    e."@timestamp" AS ticks,                -- @timestamp as FILETIME, to sort by
    e.kind AS kind,                         -- row of table kind
    k.mapping AS mapping,                   -- table that mapped it, for example sysmon/1; base: none did
    k.provider AS "event.provider",
    k.channel AS "winlog.channel",
    k.code AS "event.code",
    (SELECT text FROM value WHERE id = e."host.name") AS "host.name",
    e."winlog.record_id",
    e."winlog.process.pid",
    e."winlog.process.thread.id",
    (SELECT text FROM value WHERE id = e."winlog.user.identifier") AS "winlog.user.identifier",
    (SELECT text FROM value WHERE id = e."winlog.activity_id") AS "winlog.activity_id",
    (SELECT text FROM value WHERE id = e."process.entity_id") AS "process.entity_id",
    e."process.pid",
    e."process.thread.id",
    (SELECT text FROM value WHERE id = e."process.executable") AS "process.executable",
    (SELECT text FROM value WHERE id = e."process.command_line") AS "process.command_line",
    (SELECT text FROM value WHERE id = e."process.working_directory") AS "process.working_directory",
    (SELECT text FROM value WHERE id = e."process.parent.entity_id") AS "process.parent.entity_id",
    e."process.parent.pid",
    (SELECT text FROM value WHERE id = e."process.parent.executable") AS "process.parent.executable",
    (SELECT text FROM value WHERE id = e."process.parent.command_line") AS "process.parent.command_line",
    (SELECT text FROM value WHERE id = e."winlog.event_data.OriginalFileName") AS "winlog.event_data.OriginalFileName",
    (SELECT text FROM value WHERE id = e."winlog.event_data.Hashes") AS "winlog.event_data.Hashes",
    (SELECT text FROM value WHERE id = e."winlog.event_data.IntegrityLevel") AS "winlog.event_data.IntegrityLevel",
    (SELECT text FROM value WHERE id = e."winlog.event_data.LogonGuid") AS "winlog.event_data.LogonGuid",
    (SELECT text FROM value WHERE id = e."winlog.event_data.LogonId") AS "winlog.event_data.LogonId",
    (SELECT text FROM value WHERE id = e."winlog.event_data.ParentUser") AS "winlog.event_data.ParentUser",
    (SELECT text FROM value WHERE id = e."rule.name") AS "rule.name",
    (SELECT text FROM value WHERE id = e."user.id") AS "user.id",
    (SELECT text FROM value WHERE id = e."user.name") AS "user.name",
    (SELECT text FROM value WHERE id = e."user.domain") AS "user.domain",
    (SELECT text FROM value WHERE id = e."winlog.logon.id") AS "winlog.logon.id",
    (SELECT text FROM value WHERE id = e."winlog.event_data.SubjectUserSid") AS "winlog.event_data.SubjectUserSid",
    (SELECT text FROM value WHERE id = e."winlog.event_data.SubjectUserName") AS "winlog.event_data.SubjectUserName",
    (SELECT text FROM value WHERE id = e."winlog.event_data.SubjectDomainName")
        AS "winlog.event_data.SubjectDomainName",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetUserSid") AS "winlog.event_data.TargetUserSid",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetSid") AS "winlog.event_data.TargetSid",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetUserName") AS "winlog.event_data.TargetUserName",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetDomainName") AS "winlog.event_data.TargetDomainName",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetLogonId") AS "winlog.event_data.TargetLogonId",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetLinkedLogonId")
        AS "winlog.event_data.TargetLinkedLogonId",
    (SELECT text FROM value WHERE id = e."winlog.event_data.LogonType") AS "winlog.event_data.LogonType",
    (SELECT text FROM value WHERE id = e."winlog.event_data.LogonProcessName") AS "winlog.event_data.LogonProcessName",
    (SELECT text FROM value WHERE id = e."winlog.event_data.AuthenticationPackageName")
        AS "winlog.event_data.AuthenticationPackageName",
    (SELECT text FROM value WHERE id = e."file.path") AS "file.path",
    (SELECT text FROM value WHERE id = e."file.name") AS "file.name",
    (SELECT text FROM value WHERE id = e."source.ip") AS "source.ip",
    e."source.port",
    (SELECT text FROM value WHERE id = e."source.domain") AS "source.domain",
    (SELECT text FROM value WHERE id = e."destination.ip") AS "destination.ip",
    e."destination.port",
    (SELECT text FROM value WHERE id = e."destination.domain") AS "destination.domain",
    (SELECT text FROM value WHERE id = e."network.transport") AS "network.transport",
    (SELECT text FROM value WHERE id = e."network.protocol") AS "network.protocol",
    (SELECT text FROM value WHERE id = e."network.direction") AS "network.direction",
    (SELECT text FROM value WHERE id = e."network.type") AS "network.type",
    (SELECT text FROM value WHERE id = e."dns.question.name") AS "dns.question.name",
    (SELECT text FROM value WHERE id = e."winlog.event_data.QueryResults") AS "winlog.event_data.QueryResults",
    (SELECT text FROM value WHERE id = e."sysmon.dns.status") AS "sysmon.dns.status",
    (SELECT text FROM value WHERE id = e."registry.path") AS "registry.path",
    (SELECT text FROM value WHERE id = e."winlog.event_data.Details") AS "winlog.event_data.Details",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetImage") AS "winlog.event_data.TargetImage",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetProcessGUID")
        AS "winlog.event_data.TargetProcessGUID",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TargetProcessId") AS "winlog.event_data.TargetProcessId",
    (SELECT text FROM value WHERE id = e."winlog.event_data.GrantedAccess") AS "winlog.event_data.GrantedAccess",
    (SELECT text FROM value WHERE id = e."winlog.event_data.CallTrace") AS "winlog.event_data.CallTrace",
    (SELECT text FROM value WHERE id = e."winlog.event_data.ObjectName") AS "winlog.event_data.ObjectName",
    (SELECT text FROM value WHERE id = e."winlog.event_data.ObjectDN") AS "winlog.event_data.ObjectDN",
    (SELECT text FROM value WHERE id = e."winlog.event_data.TaskName") AS "winlog.event_data.TaskName",
    (SELECT text FROM value WHERE id = e."powershell.file.script_block_id") AS "powershell.file.script_block_id",
    e."powershell.sequence",
    e."powershell.total",
    (SELECT text FROM value WHERE id = e."powershell.runspace_id") AS "powershell.runspace_id",
    (SELECT text FROM value WHERE id = e.packed) AS packed,  -- event data that repeats, one JSON object
    e.data AS data,                         -- JSON: the rest of the document's winlog object
    e.mended AS mended,                     -- 1: damage was repaired to read it
    coalesce((SELECT origin FROM stale_record r WHERE r.chunk = e.chunk AND r."offset" = e."offset"), 'live')
        AS origin,                          -- live, slack or carved
    (SELECT s.path FROM (
        SELECT e.chunk AS chunk, e."offset" AS "offset"
        UNION ALL SELECT c.chunk, c."offset" FROM event_copy c WHERE c.event = e.id
    ) place JOIN source_chunk sc ON sc.chunk = place.chunk JOIN source s ON s.id = sc.source
    ORDER BY s.sha256, sc.number, place."offset", s.path LIMIT 1) AS path,  -- the log
    (SELECT sc.number FROM (
        SELECT e.chunk AS chunk, e."offset" AS "offset"
        UNION ALL SELECT c.chunk, c."offset" FROM event_copy c WHERE c.event = e.id
    ) place JOIN source_chunk sc ON sc.chunk = place.chunk JOIN source s ON s.id = sc.source
    ORDER BY s.sha256, sc.number, place."offset", s.path LIMIT 1) AS chunk,  -- its position in the log, from 0
    (SELECT place."offset" FROM (
        SELECT e.chunk AS chunk, e."offset" AS "offset"
        UNION ALL SELECT c.chunk, c."offset" FROM event_copy c WHERE c.event = e.id
    ) place JOIN source_chunk sc ON sc.chunk = place.chunk JOIN source s ON s.id = sc.source
    ORDER BY s.sha256, sc.number, place."offset", s.path LIMIT 1) AS "offset"  -- of the record in the chunk
FROM event e JOIN kind k ON k.id = e.kind;
