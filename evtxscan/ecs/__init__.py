"""From parsed records to ECS events: kinds, columns for the case, and documents back from them."""
