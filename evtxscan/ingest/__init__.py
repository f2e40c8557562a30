"""Evidence to case: worker processes read, render and map batches of chunks, one writer stores them."""
