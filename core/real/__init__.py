"""What exists: released models, their configs and weights, published figures, what visitors hand in."""
