"""The remote stage: a model behind another server, in place of one here."""
