"""Permissions: how they are written, what they mean together, and the digest that people consent to.

``model`` is the document, ``keys`` the plain values, ``declared`` leads from one to the other, ``effective`` says what
a node gets, ``compare`` what an update adds, ``digest`` what is signed, ``words`` what people read.
Nothing is imported here, so that running a program needs no document models.
"""
