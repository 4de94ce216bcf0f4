"""What is believed of a glyph before a person says so, and which labels are doubtful."""
