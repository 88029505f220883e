"""Vendors' emulators: own processes for tests and demos; they share no code with the product."""
