"""Reading text files by lines, and reporting malformed rows; shared by the datasets."""
