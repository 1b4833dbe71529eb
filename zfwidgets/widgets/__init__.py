"""The notebook: a Python class and a TypeScript file per widget. Only this room knows Jupyter."""
