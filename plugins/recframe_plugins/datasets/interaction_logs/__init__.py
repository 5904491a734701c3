"""From a table of interactions to `Data`: roles of columns, times, checks of rows, tables of items and users. Shared by the datasets."""
