"""What the page on recursive reasoning works out."""
