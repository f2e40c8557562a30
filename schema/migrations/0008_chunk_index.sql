-- Made anew when an ingest is done: to keep it up takes longer than to make it.
DROP INDEX event_by_chunk;
