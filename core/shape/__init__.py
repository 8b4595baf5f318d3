"""A description as picture, ladder, twin, text, and as a design that can be edited."""
