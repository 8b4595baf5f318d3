"""What it costs: parameters, memory, arithmetic, and what an accelerator makes of them."""
