"""The formats of Polyphony, and how to check them.

Pure: nothing in this distribution opens a file or a socket, reads a clock or the environment, or draws
a random number. What it decides, it decides from the bytes it is handed.
"""
