"""One question to one model, over the granted endpoint; what can go wrong becomes a typed error.

What the model answers with is its own fault (kind ``model``): a refusal, too many requests, an answer that does not
fit the schema after all repairs. That the endpoint cannot be reached, or breaks off, is kind ``network``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from conversation import Parameters, Task, ask
from openai import APIConnectionError, APIError
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior, UsageLimitExceeded

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

TRY_AGAIN = (408, 409, 425, 429)


def main(
    inputs: dict[str, object], parameters: Parameters, task: Task, context: Context
) -> dict[str, object]:
    """Ask, and return the answer, the model's name and what it took."""
    endpoint, name = parameters["endpoint"], parameters["model"]
    try:
        return asyncio.run(ask(inputs, parameters, task, context))
    except ModelHTTPError as error:
        if from_proxy(error):
            context.fail("network", f"{endpoint} cannot be reached: {error.body}", retryable=True)
        retryable = error.status_code in TRY_AGAIN or error.status_code >= 500
        context.fail("model", f"{endpoint} answered {error.status_code}: {str(error.body)[:500]}", retryable)
    except (UnexpectedModelBehavior, UsageLimitExceeded) as error:
        context.fail("model", f"the answer of {name} cannot be used: {reason(error)}"[:2000], retryable=True)
    except (ModelAPIError, APIConnectionError, OSError) as error:
        context.fail("network", f"{endpoint} cannot be reached: {root_cause(error)}", retryable=True)
    except APIError as error:
        context.fail("model", f"{endpoint} broke off its answer: {error}"[:2000], retryable=True)


def from_proxy(error: ModelHTTPError) -> bool:
    """Whether the answer came from the sandbox's proxy: the endpoint itself was not reached."""
    response = getattr(error.__cause__, "response", None)
    return response is not None and "proxy-status" in response.headers


def reason(error: BaseException) -> str:
    """The error and what it came from."""
    return f"{error} {error.__cause__ or ''}".strip()


def root_cause(error: BaseException) -> str:
    """The innermost cause, which says what the operating system or the proxy said."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__
