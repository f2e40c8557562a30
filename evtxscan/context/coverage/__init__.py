"""What the logs of a case cover, and what they do not."""
