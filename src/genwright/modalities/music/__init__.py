"""Music: four-voice scores on a sixteenth grid, and tunes of one voice."""
