"""Plugins: finding, checking, describing and creating them."""
