"""Tests run on one thread: the sizes are small, and two runs at once must not fight for the cores."""

import torch

torch.set_num_threads(1)
