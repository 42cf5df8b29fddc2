"""The conversation with the model, by pydantic-ai.

The answer is text, or JSON that fits ``task.outputs.schema``: an answer that does not fit goes back to the model with
what is wrong, ``repairs`` times.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, TypedDict

from answer import Misfit, parse
from inlining import inlined
from openai import AsyncOpenAI, Timeout
from prompt import new_mark, rules, user_prompt
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

Schema = dict[str, Any]
CONNECT_SECONDS, SILENT_SECONDS = 30, 3600  # the node's own timeout is the one that counts
EVENTS_A_MESSAGE = 200


class Outputs(TypedDict, total=False):
    """How the answer must look."""

    schema: Schema


class Task(TypedDict, total=False):
    """What the melody asks for."""

    objective: str
    generated: bool
    outputs: Outputs


class _Always(TypedDict):
    model: str
    endpoint: str
    key: str
    instructions: str
    repairs: int
    max_input: int


class Parameters(_Always, total=False):
    """Which model, where, and how it is asked."""

    temperature: float
    max_tokens: int


async def ask(
    inputs: dict[str, object], parameters: Parameters, task: Task, context: Context
) -> dict[str, object]:
    """Run the conversation to its end and return the node's outputs."""
    asked = task.get("outputs", {}).get("schema")
    schema = None if asked is None else inlined(asked)
    mark = new_mark()
    prompt, cut = user_prompt(
        None if task.get("generated") else task.get("objective"),
        parameters["instructions"],
        inputs,
        mark,
        parameters["max_input"],
    )
    for name in cut:
        context.log(f"input {name!r} was cut to fit max_input", "warning")
    # Trying again is the node's policy, written in the journal, not something that happens unseen in a library.
    api = AsyncOpenAI(
        base_url=parameters["endpoint"].rstrip("/") + "/v1",
        api_key=context.secret(parameters["key"]) or "none",
        max_retries=0,
        timeout=Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS),
    )
    agent = Agent(
        OpenAIChatModel(parameters["model"], provider=OpenAIProvider(openai_client=api)),
        system_prompt=rules(mark, schema),
        retries=parameters["repairs"],
        model_settings=model_settings(parameters, schema),
    )
    answer = Answer(schema, context)
    agent.output_validator(answer.check)
    async with api:
        result = await agent.run(
            prompt,
            event_stream_handler=answer.follow,
            usage_limits=UsageLimits(request_limit=parameters["repairs"] + 1),
        )
    return {"result": answer.value, "model": parameters["model"], "usage": used(result, parameters, context)}


class Answer:
    """The answer as it arrives and once it is checked."""

    def __init__(self, schema: Schema | None, context: Context) -> None:
        self._schema = schema
        self._context = context
        self._events = 0
        self.value: object = None

    async def check(self, text: str) -> str:
        """Keep the value; what does not fit goes back to the model."""
        try:
            self.value = text if self._schema is None else parse(text, self._schema)
        except Misfit as misfit:
            self._context.log(f"sent back to the model: {misfit}", "warning")
            raise ModelRetry(str(misfit)) from None
        return text

    async def follow(self, _context: object, events: AsyncIterable[object]) -> None:
        """Say now and then that something arrives."""
        async for _ in events:
            self._events += 1
            if self._events % EVENTS_A_MESSAGE == 0:
                self._context.progress(self._events, message="receiving")


def model_settings(parameters: Parameters, schema: Schema | None) -> dict[str, object]:
    """Settings of the request. Servers that know it are asked to keep to the schema while they write."""
    settings: dict[str, object] = {}
    if "temperature" in parameters:
        settings["temperature"] = parameters["temperature"]
    if "max_tokens" in parameters:
        settings["max_tokens"] = parameters["max_tokens"]
    if schema is not None:
        form = {"type": "json_schema", "json_schema": {"name": "result", "schema": schema}}
        settings["extra_body"] = {"response_format": form}
    return settings


def used(result: Any, parameters: Parameters, context: Context) -> dict[str, object]:  # the library's own
    """What the answer took; ``usd`` where the price of the model is known."""
    usage: dict[str, object] = {
        "input_tokens": result.usage.input_tokens,
        "output_tokens": result.usage.output_tokens,
        "requests": result.usage.requests,
    }
    usd = price(result)
    if usd is not None:
        usage["usd"] = usd
    context.usage(parameters["model"], result.usage.input_tokens, result.usage.output_tokens, usd)
    return usage


def price(result: Any) -> str | None:  # the library's own
    """What the answer cost in dollars as a decimal text, None where no price is known."""
    answers = [message for message in result.new_messages() if message.kind == "response"]
    try:
        return format(sum(answer.cost().total_price for answer in answers), "f")
    except (LookupError, AssertionError, AttributeError, ValueError):
        return None
