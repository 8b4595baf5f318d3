"""How an answer is produced."""
