"""From files to a cleaned, split, documented dataset."""
