"""Large files through the real system, and how it bears them."""
