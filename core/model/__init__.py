"""What runs: blocks, the description of a model, how tokens and channels mix, how an answer is produced."""
