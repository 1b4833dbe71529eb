"""How the bundled weights were made: run `python -m training all` to make them again."""
