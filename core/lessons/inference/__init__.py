"""What the page on inference works out."""
