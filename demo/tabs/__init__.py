"""Layout and wiring, one module a tab."""
