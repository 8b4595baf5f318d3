"""The README's pictures, taken again: python -m tests.browser.screens"""

from tests.browser import driver

SCREENS = {
    "gqa-light": ("gqa?kv_heads=2", 1440, 900, False),
    "gqa-phone-dark": ("gqa?kv_heads=2", 390, 844, True),
    "mixers-light": ("mixers", 1440, 900, False),
    "recursive-light": ("recursive", 1440, 900, False),
    "inference-dark": ("inference", 1440, 900, True),
}


def main() -> None:
    """One server, one browser, one picture a line of SCREENS."""
    folder = driver.ROOT / "assets" / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        driver.serving(driver.ROOT, "app/main.py") as base,
        driver.browser() as chromium,
        driver.visitors(chromium, base) as visit,
    ):
        for name, (path, width, height, dark) in SCREENS.items():
            tab = visit(path, width, height, dark)
            driver.settle(tab)
            tab.screenshot(path=str(folder / f"{name}.png"))


if __name__ == "__main__":
    main()
