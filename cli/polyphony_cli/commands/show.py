"""``polyphony show``: one run, told from its journal."""

from __future__ import annotations

import shutil

import click

from polyphony_cli.console import Console


@click.command()
@click.argument("run")
@click.option("--html", is_flag=True, help="A report as one HTML page on stdout.")
@click.pass_obj
def command(console: Console, run: str, html: bool) -> int:
    """Show a run: outcome, nodes with attempts and times on a line of time, outputs.

    What a scope did more than twenty times is one row, with the first of those that failed below it; --json lists
    every one.
    """
    from polyphony_cli.run_table import table
    from polyphony_cli.run_verbs import home_of, run_folder
    from polyphony_cli.run_view import summary
    from polyphony_runner.journal.file import is_held
    from polyphony_runner.observe.spans import Span, Spans
    from polyphony_runner.runs.report import run_document
    from polyphony_runner.runs.session import load_state

    folder = run_folder(console, run)
    spans, ended = Spans(), list[Span]()
    state = load_state(folder, home_of(console), lambda event, _state: ended.extend(spans.feed(event)))
    document = run_document(folder.run, state)
    if html:
        from polyphony_runner.runs.page import run_page
        from polyphony_runner.runs.page_facts import page_facts

        click.echo(run_page(folder.record(), document, state, page_facts(folder)), nl=False)
        return 0
    if console.as_json:
        console.document(document)
        return 0
    record = folder.record()
    console.line(f"{record.name} {record.version}{' (local, unverified)' if record.local else ''}")
    if record.unsafe_no_sandbox:
        console.line("  without sandbox, by --unsafe-no-sandbox")
    lines = summary(document)
    console.line(lines[0])
    width = shutil.get_terminal_size((100, 24)).columns
    for line in (*table(state, [*ended, *spans.unfinished()], width=width), *lines[1:]):
        console.line(line)
    if not state.finished and not is_held(folder.journal) and not folder.of_cluster:
        console.hint(f"no process executes this run; polyphony resume {folder.run}")
    return 0
