"""Pictures: files of many kinds, the codecs `image-grid` and `image-levels`, and what samples are worth."""
