"""What the Pulumi program is made of, besides `__main__.py` itself."""
