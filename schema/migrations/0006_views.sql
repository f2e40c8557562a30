-- Views for reading a case in sqlite-utils, Datasette or any SQLite shell. Tables have names in the singular, views in
-- the plural. Views hold nothing of their own: texts stand in place of the ids of table value, times are ISO 8601 in
-- UTC. The numbers of rows (event, process, session ...) depend on the order of ingest; event ids, times and texts do
-- not.

-- Every place in the evidence that holds an event: a record that two copies of a log have, has two. The first one, in
-- order of SHA-256, chunk and offset, gives the event its id.
CREATE VIEW event_places AS
SELECT
    e.id AS event,                          -- row of table event
    substr(source.sha256, 1, 16) || '-' || source_chunk.number || '-' || e."offset" AS place,
        -- the event id, for its first place
    source.path AS path,                    -- of the log, relative to the argument of ingest
    source.sha256 AS sha256,                -- of the log
    source_chunk.number AS chunk,           -- position of the chunk in the log, from 0
    e."offset" AS "offset"                  -- of the record in the chunk
FROM event e
JOIN source_chunk ON source_chunk.chunk = e.chunk
JOIN source ON source.id = source_chunk.source
UNION ALL
SELECT
    c.event, substr(source.sha256, 1, 16) || '-' || source_chunk.number || '-' || c."offset",
    source.path, source.sha256, source_chunk.number, c."offset"
FROM event_copy c
JOIN source_chunk ON source_chunk.chunk = c.chunk
JOIN source ON source.id = source_chunk.source;

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
    (SELECT text FROM value WHERE id = e.packed) AS packed,  -- event data that repeats, one JSON object
    e.data AS data,                         -- JSON: the rest of the document's winlog object
    e.mended AS mended,                     -- 1: damage was repaired to read it
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

-- Names that processes looked up (Sysmon 22).
CREATE VIEW dns_lookups AS
SELECT
    event_id, "@timestamp", "host.name", "process.entity_id", "process.pid", "process.executable",
    "dns.question.name",
    "sysmon.dns.status",                    -- SUCCESS, the name of an error, or its number
    "winlog.event_data.QueryResults"        -- as recorded; addresses and aliases, each with a semicolon behind it
FROM events WHERE kind IN (SELECT id FROM kind WHERE mapping = 'sysmon/22');

-- Connections of processes (Sysmon 3).
CREATE VIEW network_connections AS
SELECT
    event_id, "@timestamp", "host.name", "process.entity_id", "process.pid", "process.executable", "user.name",
    "network.direction",                    -- egress: the process began it
    "network.transport", "source.ip", "source.port", "destination.ip", "destination.port", "destination.domain"
FROM events WHERE kind IN (SELECT id FROM kind WHERE mapping = 'sysmon/3');

-- Work queued for the Update Orchestrator Service: registry events (Sysmon 12, 13, 14) below its UScheduler key.
CREATE VIEW orchestrator_work AS
SELECT
    event_id, "@timestamp", "host.name", "process.entity_id", "process.pid", "process.executable", "registry.path",
    "winlog.event_data.Details"             -- the value's data (Sysmon 13)
FROM events
WHERE kind IN (SELECT id FROM kind WHERE mapping IN ('sysmon/12', 'sysmon/13', 'sysmon/14'))
    AND "registry.path" LIKE '%\WindowsUpdate\Orchestrator\UScheduler%';

-- Services installed (System 7045, Security 4697) or changed in the registry (Sysmon 13 below Services). One
-- installation is a row of each log that saw it.
CREATE VIEW service_changes AS
SELECT
    event_id, "@timestamp", "host.name",
    mapping,                                -- system/7045, security/4697 or sysmon/13
    json_extract(packed, '$.ServiceName') AS "service.name",
    coalesce(json_extract(packed, '$.ImagePath'), json_extract(packed, '$.ServiceFileName')) AS image_path,
        -- command line of the service
    coalesce(json_extract(packed, '$.AccountName'), json_extract(packed, '$.ServiceAccount')) AS account,
        -- that it runs under
    coalesce(json_extract(packed, '$.StartType'), json_extract(packed, '$.ServiceStartType')) AS start_type,
        -- as recorded: words, or 0 boot, 1 system, 2 auto, 3 demand, 4 disabled
    coalesce("user.id", "winlog.user.identifier") AS "user.id",  -- who installed it
    NULL AS "process.executable",           -- what wrote the registry value
    NULL AS registry_value,                 -- name of the registry value
    NULL AS details                         -- its data, as Sysmon writes it
FROM events WHERE kind IN (SELECT id FROM kind WHERE mapping IN ('system/7045', 'security/4697'))
UNION ALL
SELECT
    event_id, "@timestamp", "host.name", mapping,
    substr(below, 1, instr(below || '\', '\') - 1),
    CASE WHEN lower(value) IN ('imagepath', 'parameters\servicedll') THEN details END,
    CASE lower(value) WHEN 'objectname' THEN details END,
    CASE lower(value) WHEN 'start' THEN details END,
    NULL, "process.executable", value, details
FROM (
    SELECT *, substr(below, instr(below || '\', '\') + 1) AS value
    FROM (
        SELECT event_id, "@timestamp", "host.name", mapping, "process.executable",
            "winlog.event_data.Details" AS details,
            substr("registry.path", instr(lower("registry.path"), '\services\') + length('\services\')) AS below
        FROM events WHERE kind IN (SELECT id FROM kind WHERE mapping = 'sysmon/13')
            AND "registry.path" LIKE 'HKLM\System\%\Services\%'
    )
);

-- Services that were given an ordinary account to run under, not LocalSystem, LocalService or NetworkService.
CREATE VIEW service_accounts AS
SELECT * FROM service_changes
WHERE account <> ''
    AND lower(replace(account, ' ', '')) NOT IN ('localsystem', '.\localsystem', 'ntauthority\system',
        'localservice', 'ntauthority\localservice', 'networkservice', 'ntauthority\networkservice');

-- Signatures of programs, libraries and drivers, as Sysmon saw them when they were loaded (6 and 7).
CREATE VIEW image_signatures AS
SELECT
    "host.name", "file.path",
    json_extract(packed, '$.Signed') AS signed,  -- true or false
    json_extract(packed, '$.Signature') AS "file.code_signature.subject_name",  -- who signed it
    json_extract(packed, '$.SignatureStatus') AS "file.code_signature.status",  -- Valid, or what is wrong
    "winlog.event_data.Hashes",             -- as recorded
    count(*) AS loads,                      -- how often it was loaded
    min("@timestamp") AS first,
    max("@timestamp") AS last
FROM events WHERE kind IN (SELECT id FROM kind WHERE mapping IN ('sysmon/6', 'sysmon/7'))
GROUP BY "host.name", "file.path", signed, "file.code_signature.subject_name", "file.code_signature.status",
    "winlog.event_data.Hashes";

-- The files that services run, and their signatures where Sysmon saw the file loaded on the same host. NULL is not
-- known, which is not the same as unsigned. Paths are compared without their drive letters.
CREATE VIEW service_executables AS
SELECT
    s.event_id, s."@timestamp", s."host.name", s.mapping, s."service.name", s.image_path, s.account,
    i."file.path",                          -- the file of image_path; NULL: not seen loaded
    i.signed,                               -- true or false
    i."file.code_signature.subject_name",   -- who signed it
    i."file.code_signature.status",  -- Valid, or what is wrong
    i."winlog.event_data.Hashes",           -- as recorded
    CASE WHEN instr(i."winlog.event_data.Hashes", 'SHA256=') THEN 'https://www.virustotal.com/gui/file/' || lower(
        substr(i."winlog.event_data.Hashes", instr(i."winlog.event_data.Hashes", 'SHA256=') + 7, 64)) END AS link
        -- for you to follow; evtxscan never does
FROM (
    SELECT *, CASE WHEN substr(bare, 2, 1) = ':' THEN substr(bare, 3)
        WHEN bare LIKE 'system32\%' THEN '\windows\' || bare ELSE bare END AS driveless
    FROM (
        SELECT *, replace(replace(replace(replace(ltrim(lower(image_path), '"'), '\??\', ''),
            '%systemroot%', '\windows'),
            '%windir%', '\windows'), '\systemroot\', '\windows\') AS bare
        FROM service_changes WHERE image_path <> ''
    )
) s
LEFT JOIN image_signatures i ON i."host.name" = s."host.name"
    AND substr(s.driveless, 1, length(i."file.path") - 2) = lower(substr(i."file.path", 3))
    AND substr(s.driveless, length(i."file.path") - 1, 1) IN ('', ' ', '"');

-- Executables of services whose signature was missing or not valid when they were loaded.
CREATE VIEW unsigned_service_executables AS
SELECT * FROM service_executables WHERE signed = 'false' OR "file.code_signature.status" <> 'Valid';

-- Processes, each once however many records witness its start, with parent and logon session.
CREATE VIEW processes AS
SELECT
    p.id AS process,                        -- row of table process
    b.host AS "host.id",                    -- the computer name in lower case
    b.number AS boot,                       -- of the host, from 1; 0: before the first that is recorded
    p.pid AS "process.pid",
    strftime('%Y-%m-%dT%H:%M:%S', p.started / 10000000 - 11644473600, 'unixepoch')
        || CASE WHEN p.security_event IS NULL THEN printf('.%03dZ', p.started % 10000000 / 10000)
           ELSE printf('.%07dZ', p.started % 10000000) END AS started,
        -- 7 digits: Security 4688; 3 digits: Sysmon 1
    strftime('%Y-%m-%dT%H:%M:%S', p.ended / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', p.ended % 10000000) AS ended,
        -- see end_method
    p.end_method AS end_method,
        -- recorded, shutdown; restart, pid_reused: not later than this; NULL: no end in the evidence
    (SELECT text FROM value WHERE id = p."process.executable") AS "process.executable",
    (SELECT text FROM value WHERE id = p."process.command_line") AS "process.command_line",
    (SELECT text FROM value WHERE id = p."process.entity_id") AS "process.entity_id",
    p.parent AS parent,                     -- row of table process
    coalesce(y."process.parent.pid", c."process.parent.pid") AS "process.parent.pid",
    (SELECT text FROM value WHERE id = coalesce(
        y."process.parent.executable", c."process.parent.executable", parent."process.executable"))
        AS "process.parent.executable",     -- as recorded with this process, else from the parent's own record
    (SELECT text FROM value WHERE id = coalesce(y."process.parent.command_line", parent."process.command_line"))
        AS "process.parent.command_line",   -- the same
    p.parent_method AS parent_method,       -- how column parent was found: sysmon_guid (exact), pid_time (inferred)
    p.parent_reason AS parent_reason,       -- why there is no parent
    p.session AS session,                   -- row of table logon_session
    printf('0x%x', s.logon_id) AS "winlog.logon.id",
    coalesce((SELECT text FROM value WHERE id = l."user.domain"),
        CASE WHEN s.logon_id IN (999, 997, 996) THEN 'NT AUTHORITY' END) AS "user.domain",
    coalesce((SELECT text FROM value WHERE id = l."user.name"),
        CASE s.logon_id WHEN 999 THEN 'SYSTEM' WHEN 997 THEN 'LOCAL SERVICE' WHEN 996 THEN 'NETWORK SERVICE' END)
        AS "user.name",                     -- the session's account; NULL: its logon is not recorded
    p.session_method AS session_method,     -- recorded, creator (the record says: the creator's), creator_assumed
    p.sysmon_event AS sysmon_event,         -- row of table event
    p.security_event AS security_event      -- row of table event
FROM process p
JOIN boot b ON b.id = p.boot
LEFT JOIN event y ON y.id = p.sysmon_event
LEFT JOIN event c ON c.id = p.security_event
LEFT JOIN process parent ON parent.id = p.parent
LEFT JOIN logon_session s ON s.id = p.session
LEFT JOIN event l ON l.id = s.logon_event;

-- Logon sessions, with what their logon record (Security 4624) says.
CREATE VIEW logon_sessions AS
SELECT
    s.id AS session,                        -- row of table logon_session
    b.host AS "host.id",                    -- the computer name in lower case
    b.number AS boot,                       -- of the host, from 1; 0: before the first that is recorded
    printf('0x%x', s.logon_id) AS "winlog.logon.id",
    strftime('%Y-%m-%dT%H:%M:%S', s.started / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', s.started % 10000000) AS started,
        -- NULL: not recorded
    strftime('%Y-%m-%dT%H:%M:%S', s.first_seen / 10000000 - 11644473600, 'unixepoch')
        || CASE WHEN s.started IS NULL AND f."winlog.time_created" IS NOT NULL
           THEN printf('.%03dZ', s.first_seen % 10000000 / 10000)
           ELSE printf('.%07dZ', s.first_seen % 10000000) END AS first_seen,
        -- started, or the first record that names the session
    strftime('%Y-%m-%dT%H:%M:%S', s.ended / 10000000 - 11644473600, 'unixepoch')
        || printf('.%07dZ', s.ended % 10000000) AS ended,
        -- see end_method
    s.end_method AS end_method,
        -- logoff (4634), user_logoff (4647), shutdown, id_reused; restart: not later than this; NULL: not in the
        -- evidence
    coalesce((SELECT text FROM value WHERE id = l."user.domain"),
        CASE WHEN s.logon_id IN (999, 997, 996) THEN 'NT AUTHORITY' END) AS "user.domain",
    coalesce((SELECT text FROM value WHERE id = l."user.name"),
        CASE s.logon_id WHEN 999 THEN 'SYSTEM' WHEN 997 THEN 'LOCAL SERVICE' WHEN 996 THEN 'NETWORK SERVICE' END)
        AS "user.name",
    coalesce((SELECT text FROM value WHERE id = l."user.id"),
        CASE s.logon_id WHEN 999 THEN 'S-1-5-18' WHEN 997 THEN 'S-1-5-19' WHEN 996 THEN 'S-1-5-20' END)
        AS "user.id",                       -- SID
    (SELECT text FROM value WHERE id = l."winlog.event_data.LogonType") AS "winlog.event_data.LogonType",
        -- 2 at the console, 3 network, 5 service, 7 unlock, 10 remote desktop, 11 cached ...
    (SELECT text FROM value WHERE id = l."source.ip") AS "source.ip",
    (SELECT text FROM value WHERE id = l."source.domain") AS "source.domain",  -- workstation name
    (SELECT text FROM value WHERE id = l."winlog.event_data.AuthenticationPackageName")
        AS "winlog.event_data.AuthenticationPackageName",
    (SELECT text FROM value WHERE id = l."winlog.event_data.LogonProcessName") AS "winlog.event_data.LogonProcessName",
    CASE json_extract((SELECT text FROM value WHERE id = l.packed), '$.ElevatedToken')
        WHEN '%%1842' THEN 'yes' WHEN '%%1843' THEN 'no' END AS elevated,  -- NULL: not recorded
    s.privileges_event IS NOT NULL AS has_privileges,  -- 1: Security 4672 gave it special privileges
    (SELECT count(*) FROM process WHERE session = s.id) AS processes,  -- that ran in it, as far as recorded
    s.reason AS reason,                     -- why there is no logon record
    s.logon_event AS logon_event            -- row of table event
FROM logon_session s
JOIN boot b ON b.id = s.boot
LEFT JOIN event l ON l.id = s.logon_event
LEFT JOIN event f ON f.id = s.first_event;

-- Records that were found and could not be stored, with the logs that hold them.
CREATE VIEW losses AS
SELECT
    source.path AS path,                    -- of the log, relative to the argument of ingest
    source.sha256 AS sha256,                -- of the log
    source_chunk.number AS chunk,           -- position of the chunk in the log, from 0
    loss."offset" AS "offset",              -- in the chunk; NULL: only the chunk's header names the record
    loss.record_id AS record_id,
    loss.reason AS reason,                  -- record_unreadable, record_missing, chunk_truncated, parser_crashed
    loss.detail AS detail
FROM loss
JOIN source_chunk ON source_chunk.chunk = loss.chunk
JOIN source ON source.id = source_chunk.source;

-- The findings of the last run of each rule, in short. Table finding has their whole documents.
CREATE VIEW findings AS
SELECT
    finding.id AS finding,                  -- the same in every run
    rule.name AS "rule",
    rule.severity AS severity,
    finding.host AS host,
    finding.time AS time,
    json_extract(finding.document, '$.process.executable') AS "process.executable",
    json_extract(finding.document, '$.process.command_line') AS "process.command_line",
    json_extract(finding.document, '$.process.parent.executable') AS "process.parent.executable",
    json_extract(finding.document, '$.process.parent.command_line') AS "process.parent.command_line",
    json_array_length(finding.document, '$.evtxscan.inferred') AS inferred,  -- number of inferred fields; NULL: none
    json_array_length(finding.document, '$.evtxscan.relies_on_missing') AS relies_on_missing,
        -- number of fields that are missing
    json_extract(finding.document, '$.evtxscan.event.id') AS event_id  -- the id that evtxscan show takes
FROM finding JOIN rule ON rule.id = finding.rule;

-- Verdicts, one row for each field that was missing; a verdict that lacks nothing has one row.
CREATE VIEW verdicts AS
SELECT
    rule.name AS "rule",
    verdict.host AS host,
    verdict.verdict AS verdict,             -- match, no_match, undetermined, incomplete
    verdict.events AS events,               -- it was decided from
    json_extract(missing.value, '$.field') AS field,  -- that was missing
    json_extract(missing.value, '$.events') AS missing_in,  -- so many events
    json_extract(missing.value, '$.reason') AS reason  -- why: see docs/verdicts.md
FROM verdict
JOIN rule ON rule.id = verdict.rule
LEFT JOIN json_each(verdict.missing) missing;
