-- JSON list: columns in which every event of the kind has a value. What no rule asks for need not be read then.
ALTER TABLE kind ADD COLUMN complete TEXT NOT NULL DEFAULT '[]';
