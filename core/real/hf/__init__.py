"""config.json <-> spec and weights <-> ours: one small file a model family."""
