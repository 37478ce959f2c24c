"""The deployment and a release as pictures, drawn from the templates."""
