-- What follows from the events together: boots, processes, parents, logon sessions. All of it is derived from table
-- event alone and made anew when events were added. Times are FILETIME ticks (100 ns since 1601, UTC); columns named as
-- ECS fields hold ids of value.
CREATE TABLE context_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,       -- of the rules that made the tables
    last_event INTEGER NOT NULL     -- the newest event they know
);

-- Times when a host ran. Ids of processes and logon sessions mean something within one boot only.
CREATE TABLE boot (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,             -- the computer name in lower case
    number INTEGER NOT NULL,        -- from 1; 0: what was running before the first boot that is recorded
    started INTEGER,                -- NULL for number 0
    start_method TEXT,              -- recorded (Kernel-General 12 names the time), first_sign (the earliest record of it)
    ended INTEGER,                  -- with another end_method than shutdown: not later than this; NULL: not in the evidence
    end_method TEXT,                -- shutdown (recorded), unexpected (System 6008), restart (only the next boot shows it)
    UNIQUE (host, number)
);

-- The records that a boot is known from.
CREATE TABLE boot_event (
    boot INTEGER NOT NULL REFERENCES boot(id),
    event INTEGER NOT NULL REFERENCES event(id),
    role TEXT NOT NULL,             -- start, stop, unexpected (the boot before had no shutdown)
    PRIMARY KEY (boot, event)
) WITHOUT ROWID;

-- Each time that the clock was set, as recorded (Security 4616, Kernel-General 1), or was behind when the host started.
CREATE TABLE clock_change (
    event INTEGER PRIMARY KEY REFERENCES event(id),
    host TEXT NOT NULL,
    old INTEGER,                    -- the clock before; NULL: cannot be told from the evidence
    new INTEGER,                    -- the clock after
    method TEXT NOT NULL            -- recorded, previous_record (old is the time of the record before), at_boot (the
                                    -- first record of a boot is older than the one before it)
);

-- One row per process, however many records witness its start; ids are in order of start.
CREATE TABLE process (
    id INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL REFERENCES boot(id),
    pid INTEGER,
    started INTEGER,                -- Security 4688 where there is one, else Sysmon 1
    ended INTEGER,                  -- with end_method restart or pid_reused: not later than this
    end_method TEXT,                -- recorded, shutdown, restart, pid_reused; NULL: no end in the evidence
    end_event INTEGER REFERENCES event(id),
    "process.entity_id" INTEGER REFERENCES value(id),
    "process.executable" INTEGER REFERENCES value(id),
    "process.command_line" INTEGER REFERENCES value(id),
    sysmon_event INTEGER REFERENCES event(id),
    security_event INTEGER REFERENCES event(id),
    parent INTEGER REFERENCES process(id),
    parent_method TEXT,             -- sysmon_guid (exact), pid_time (inferred)
    parent_reason TEXT,             -- why there is no parent: see evtxscan.context.lineage.ParentReason
    session INTEGER REFERENCES logon_session(id),
    session_method TEXT,            -- recorded, creator (the record says: the creator's), creator_assumed
    creator_session INTEGER REFERENCES logon_session(id)
);
CREATE INDEX process_by_parent ON process(parent) WHERE parent IS NOT NULL;
CREATE INDEX process_by_entity_id ON process("process.entity_id") WHERE "process.entity_id" IS NOT NULL;
CREATE INDEX process_by_end_event ON process(end_event) WHERE end_event IS NOT NULL;
CREATE INDEX process_by_session ON process(session) WHERE session IS NOT NULL;

-- One row per process-start event: its process, and what other records add to it. The two fields are NULL where the
-- event itself has a value (? and - count as none) or none was found.
CREATE TABLE lineage (
    event INTEGER PRIMARY KEY REFERENCES event(id),
    process INTEGER NOT NULL REFERENCES process(id),
    parent_event INTEGER REFERENCES event(id),  -- where the values come from
    "process.parent.executable" INTEGER REFERENCES value(id),
    "process.parent.command_line" INTEGER REFERENCES value(id),
    method TEXT,                    -- witness (the other record of this start), sysmon_guid, pid_time
    reason TEXT                     -- why there is no command line: see evtxscan.context.added.LineageReason
);
CREATE INDEX lineage_by_process ON lineage(process);

-- Logon sessions, with or without the record of the logon.
CREATE TABLE logon_session (
    id INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL REFERENCES boot(id),
    logon_id INTEGER NOT NULL,      -- unique within one boot
    started INTEGER,                -- NULL: not recorded
    first_seen INTEGER,             -- started, or the first record that names the session
    ended INTEGER,                  -- with end_method restart: not later than this
    end_method TEXT,                -- logoff (4634), user_logoff (4647), shutdown, restart, id_reused; NULL: not in the evidence
    end_event INTEGER REFERENCES event(id),
    logon_event INTEGER REFERENCES event(id),       -- Security 4624
    first_event INTEGER NOT NULL REFERENCES event(id),
    privileges_event INTEGER REFERENCES event(id),  -- Security 4672
    "winlog.event_data.LogonGuid" INTEGER REFERENCES value(id),  -- Sysmon's id of the session
    reason TEXT                     -- why there is no logon record: see evtxscan.context.sessions.SessionReason
);
CREATE INDEX logon_session_by_boot ON logon_session(boot, first_seen);
CREATE INDEX logon_session_by_logon_id ON logon_session(boot, logon_id);

-- Credentials of another account that were used from a session (Security 4648).
CREATE TABLE explicit_credential (
    session INTEGER NOT NULL REFERENCES logon_session(id),
    event INTEGER NOT NULL REFERENCES event(id),
    PRIMARY KEY (session, event)
) WITHOUT ROWID;
