"""What the page on text diffusion works out."""
