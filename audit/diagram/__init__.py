"""The deployment as a picture, drawn from the templates."""
