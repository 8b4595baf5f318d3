"""What the page on multi-head latent attention works out."""
