"""The charts of the page, as specifications in Vega-Lite and the rows that they draw."""
