"""The notebook: one Python class and one TypeScript file per widget. The only room that knows Jupyter."""
