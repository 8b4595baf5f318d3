"""What the page on mixtures of experts works out."""
