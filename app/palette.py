"""The colours, once: one hue means one thing on every page, in both themes.

query     query heads                  state     recurrent state
kv        shared keys and values       routed    a routed expert (also: an honest "no")
latent    the compressed cache         shared    the shared expert
window    the sliding window           saved     saved, equal, solved
paper, card, ink, soft (soft ink) and line are the page itself.
"""

PALETTE = {
    "light": {
        "paper": "#fbfaf7",
        "card": "#ffffff",
        "ink": "#1c1f24",
        "soft": "#646a73",
        "line": "#e7e3da",
        "query": "#3a66c9",
        "kv": "#d1762a",
        "latent": "#8355c4",
        "window": "#1b8f80",
        "state": "#ab3f86",
        "routed": "#b4472f",
        "shared": "#5d6b7e",
        "saved": "#4f9a4a",
    },
    "dark": {
        "paper": "#15171b",
        "card": "#1c1f25",
        "ink": "#ece9e2",
        "soft": "#a0a5ad",
        "line": "#2e323a",
        "query": "#7fa2f2",
        "kv": "#eb9a54",
        "latent": "#b592ea",
        "window": "#4fc2b1",
        "state": "#dd7cbb",
        "routed": "#e2836c",
        "shared": "#9aa7b8",
        "saved": "#7cc475",
    },
}

HUES = ("query", "kv", "latent", "window", "state", "routed", "shared", "saved")
