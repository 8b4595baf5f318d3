"""Families that we do not read, counted by the class that transformers has for them."""
