"""Images: PNG, JPEG and others, as encoded bytes."""

from __future__ import annotations
