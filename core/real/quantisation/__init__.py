"""How a release stores its weights: read from what its config states about quantisation, in every form that is known."""
