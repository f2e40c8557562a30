-- Findings of several events have no event at top level: the view shows the first that is there.
DROP VIEW findings;

-- The findings of the last run of each rule, in short. Table finding has their whole documents. A finding of several
-- events shows the first of them; host is empty where they are of several hosts.
CREATE VIEW findings AS
SELECT
    finding,                                -- the same in every run
    "rule",
    severity,
    host,
    time,
    json_extract(event, '$.process.executable') AS "process.executable",
    json_extract(event, '$.process.command_line') AS "process.command_line",
    json_extract(event, '$.process.parent.executable') AS "process.parent.executable",
    json_extract(event, '$.process.parent.command_line') AS "process.parent.command_line",
    json_array_length(event, '$.evtxscan.inferred') AS inferred,  -- number of inferred fields; NULL: none
    relies_on_missing,                      -- number of fields that are missing
    json_extract(event, '$.evtxscan.event.id') AS event_id,  -- the id that evtxscan show takes
    suppressed,                             -- the reason for which it is set aside; NULL: it is not
    events                                  -- number of events that the finding's document holds
FROM (
    SELECT
        finding.id AS finding, rule.name AS "rule", rule.severity AS severity, finding.host AS host, finding.time AS time,
        finding.suppressed AS suppressed,
        json_array_length(document, '$.evtxscan.relies_on_missing') AS relies_on_missing,
        coalesce((SELECT value FROM json_each(document, '$.evtxscan.events') WHERE type = 'object' LIMIT 1), document)
            AS event,
        coalesce((SELECT sum(type = 'object') FROM json_each(document, '$.evtxscan.events')), 1) AS events
    FROM finding JOIN rule ON rule.id = finding.rule
);
