"""Where networks come from: one module per source, each with what it lists and how it builds."""
