"""How tokens mix: one file a mechanism, with its configuration, its formulas and its torch module side by side."""
