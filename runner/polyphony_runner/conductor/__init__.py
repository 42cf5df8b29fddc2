"""The Conductor: one pure state machine over the journal, and the shell that feeds it.

``evolve(state, event)`` turns the journal into state, ``decide(state, moment)`` says what happens next, ``conclude``
says what a node's outcome means. The shell (``conductor.Conductor``) appends what they say and starts nodes only
after their start is durable. Read in this order: ``state``, ``evolve``, ``decide``, ``conductor``.
"""
