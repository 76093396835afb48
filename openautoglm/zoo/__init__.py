"""The zoo: released artifacts, found by name and checked before use."""
