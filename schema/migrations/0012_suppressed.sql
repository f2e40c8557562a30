-- Findings that a suppression file sets aside: they stay, and say so.
ALTER TABLE finding ADD COLUMN suppressed TEXT;

DROP VIEW findings;

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
    json_extract(finding.document, '$.evtxscan.event.id') AS event_id,  -- the id that evtxscan show takes
    finding.suppressed AS suppressed        -- the reason for which it is set aside; NULL: it is not
FROM finding JOIN rule ON rule.id = finding.rule;
