"""What the page on code world models works out."""
