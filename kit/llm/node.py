"""One question to one model, by pydantic-ai, over the granted endpoint.

The answer is text, or JSON that fits ``task.outputs.schema``: an answer that does not fit goes back to the model with
the errors, ``repairs`` times. Errors of the endpoint are kind ``network``, of the model ``model``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from openai import AsyncOpenAI
from prompt import new_mark, rules, user_prompt
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits


def secret(context, name):
    """The key, or a word that servers without keys ignore."""
    place = context.secrets.get(name)
    return Path(place).read_text("utf-8").strip() if place else "none"


def strip_fence(text):
    """The answer without the Markdown fence that many models put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        return text.split("\n", 1)[-1][:-3].strip()
    return text


def check(text, schema):
    """Parse and check an answer; what is wrong goes back to the model."""
    from jsonschema import Draft202012Validator

    try:
        value = json.loads(strip_fence(text))
    except ValueError as error:
        raise ModelRetry(f"That is not JSON: {error}. Answer with one JSON value and nothing else.") from None
    problems = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)
    ]
    if problems:
        raise ModelRetry("That JSON does not fit the schema:\n" + "\n".join(problems[:10]))
    return value


def model_settings(parameters, schema):
    """Settings of the request. Servers that know it are asked to keep to the schema while they write."""
    settings = {name: parameters[name] for name in ("temperature", "max_tokens") if name in parameters}
    if schema:
        settings["extra_body"] = {
            "response_format": {"type": "json_schema", "json_schema": {"name": "result", "schema": schema}}
        }
    return settings


def usd_of(result):
    """What the answer cost as a decimal string, ``"0"`` where no price is known."""
    try:
        return str(
            sum(message.cost().total_price for message in result.new_messages() if message.kind == "response")
        )
    except (LookupError, AssertionError, AttributeError, ValueError):
        return "0"


async def ask(inputs, parameters, task, context):
    """Run the conversation to its end and return the node's outputs."""
    schema = (task.get("outputs") or {}).get("schema")
    mark = new_mark()
    prompt, cut = user_prompt(
        task.get("objective"), parameters["instructions"], inputs, mark, parameters["max_input"]
    )
    for name in cut:
        context.log("warning", f"input {name!r} was cut to fit max_input")
    # retries are the node's policy, journaled, not something that happens unseen in a library
    api = AsyncOpenAI(
        base_url=parameters["endpoint"].rstrip("/") + "/v1",
        api_key=secret(context, parameters["key"]),
        max_retries=0,
        timeout=300,
    )
    model = OpenAIChatModel(parameters["model"], provider=OpenAIProvider(openai_client=api))
    agent = Agent(
        model,
        system_prompt=rules(mark, schema),
        retries=parameters["repairs"],
        model_settings=model_settings(parameters, schema),
    )
    checked = {}
    if schema:

        @agent.output_validator
        def fits(text: str) -> str:
            checked["value"] = check(text, schema)
            return text

    async def follow(_context, events):
        async for _ in events:
            checked["events"] = checked.get("events", 0) + 1
            if checked["events"] % 200 == 0:
                context.progress(checked["events"], None, "receiving")

    async with api:
        result = await agent.run(
            prompt,
            event_stream_handler=follow,
            usage_limits=UsageLimits(request_limit=parameters["repairs"] + 1),
        )
    used = result.usage
    usd = usd_of(result)
    context.usage(
        model=parameters["model"], input_tokens=used.input_tokens, output_tokens=used.output_tokens, usd=usd
    )
    value = checked["value"] if schema else result.output
    return {
        "result": value,
        "model": parameters["model"],
        "usage": {
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "usd": usd,
            "requests": used.requests,
        },
    }


def root_cause(error):
    """The innermost cause, which says what the operating system or the proxy said."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(error) or type(error).__name__


def main(inputs, parameters, task, context):
    """Ask, and turn what can go wrong into typed errors."""
    try:
        return asyncio.run(ask(inputs, parameters, task, context))
    except ModelHTTPError as error:
        retryable = error.status_code in (408, 409, 425, 429) or error.status_code >= 500
        context.fail(
            "model",
            f"{parameters['endpoint']} answered {error.status_code}: {str(error.body)[:500]}",
            retryable=retryable,
        )
    except ModelAPIError as error:
        context.fail(
            "network", f"{parameters['endpoint']} cannot be reached: {root_cause(error)}", retryable=True
        )
    except (UnexpectedModelBehavior, UsageLimitExceeded) as error:
        context.fail(
            "model",
            f"the answer of {parameters['model']} cannot be used: {error} {error.__cause__ or ''}".strip()[
                :2000
            ],
            retryable=True,
        )
