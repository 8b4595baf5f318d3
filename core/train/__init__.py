"""What was learned: tasks, recipes, training, checkpoints, tables and the rules that judge them."""
