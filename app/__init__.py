"""The frame that pages share: navigation, state, controls, panels. It may import core; core never imports it."""
