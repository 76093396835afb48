"""The studio: a local web page on which a person teaches a net their own gestures without writing code."""
