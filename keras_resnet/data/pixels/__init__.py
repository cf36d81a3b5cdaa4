"""From encoded images to what a network sees."""
