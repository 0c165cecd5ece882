"""The index stage: documents cut, embedded and searched, and how well the right passages are found."""
