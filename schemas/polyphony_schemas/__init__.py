"""The formats of Polyphony, and how to check them.

Pure: nothing in this distribution opens a file or a socket, reads a clock or the environment, or draws
a random number. What it decides, it decides from the bytes it is handed.
"""

# Compared with the package metadata by a test, so that asking needs no import.
VERSION = "0.1.0"
