"""Stages: each reads the artifacts of earlier ones and leaves one of its own."""
