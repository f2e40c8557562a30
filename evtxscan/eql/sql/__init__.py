"""Runs EQL and KQL over a case: all conditions of a run in one pass over its events.

``plan`` says what has to be asked of each kind of records: what is the same for all of them (event.category, event.type
...) is decided there, before any event is read. ``answers`` asks each test once of each distinct text of a column.
``block`` and ``evaluate`` are the conditions over some thousand events at once, as sets of rows; ``scan`` puts these
together, and leaves the events that match in a temporary table for what else is asked of them in SQL.
"""
