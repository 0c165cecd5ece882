"""The prompt stage: patterns and their parameters, searched on questions of their own."""
