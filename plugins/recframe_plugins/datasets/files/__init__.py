"""Reading text files: archives, encodings, line ends, separators and quotes; reporting malformed rows. Shared by the datasets."""
