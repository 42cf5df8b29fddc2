"""Leaves a timer and a handler that run in the next call.

Must: they end with the call
Way: warm
"""

import signal


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        signal.signal(signal.SIGALRM, lambda *a: None)
        signal.setitimer(signal.ITIMER_REAL, 60)
        return {"found": False}
    return {"found": bool(signal.getitimer(signal.ITIMER_REAL)[0] > 0 or signal.getsignal(signal.SIGALRM) not in (signal.SIG_DFL, None))}
