"""report.html: one self-contained page on one run or many, with charts in Vega-Lite. Imports no torch.

The charts are specifications as plain values, which Vega-Lite draws in the browser: a run writes its page at its end, and building charts
with a library takes longer than reading the run. The tests hold them to the schema.
"""
