"""Rendered hands: an articulated skeleton, its skin, light, camera and the source that serves them."""

from __future__ import annotations

from openautoglm.data.synthetic.source import SyntheticGestures

__all__ = ["SyntheticGestures"]
