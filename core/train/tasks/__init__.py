"""What the tiny models learn."""
