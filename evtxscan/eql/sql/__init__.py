"""Runs EQL over a case: conditions become SQL over the event table, tests become sets of values.

A leaf of a condition is answered once per distinct value of the column it needs, in Python; SQL then only asks whether
a cell's value is in the set. What is the same for all records of a kind (event.category, event.type ...) is decided
before SQL sees the condition.
"""
