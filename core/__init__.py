"""What is true: architectures described once, counted, and run."""
