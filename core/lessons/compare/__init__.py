"""What the page that compares two models works out."""
