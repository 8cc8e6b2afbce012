"""What all rooms of Pedalflow share. Standard library only; runs on Python 3.10 to 3.12."""
