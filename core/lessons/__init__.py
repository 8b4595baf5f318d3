"""What each page works out, as numbers: one file a page, nothing drawn."""
