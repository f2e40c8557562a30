"""Documents in NDJSON: made from records, hostile ones, and Elastic's golden ones."""
