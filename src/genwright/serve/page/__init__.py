"""The page to talk with a system: rendered here, streamed by htmx, nothing from elsewhere."""
