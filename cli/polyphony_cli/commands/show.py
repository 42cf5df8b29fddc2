"""``polyphony show``: one run, told from its journal."""

from __future__ import annotations

import click

from polyphony_cli.console import Console

# The end of a stack trace says most; the whole stands in the journal and under --json.
_TRACE_LINES = 8


@click.command()
@click.argument("run")
@click.option("--html", is_flag=True, help="A report as one HTML page on stdout.")
@click.pass_obj
def command(console: Console, run: str, html: bool) -> int:
    """Show a run: outcome, nodes with attempts and times, outputs."""
    from polyphony_cli.run_lines import first_line, node_line
    from polyphony_cli.run_verbs import home_of, run_folder
    from polyphony_cli.run_view import summary
    from polyphony_runner.journal.file import is_held
    from polyphony_runner.runs.report import run_document, shown_error
    from polyphony_runner.runs.session import load_state

    folder = run_folder(console, run)
    state = load_state(folder, home_of(console))
    document = run_document(folder.run, state)
    if html:
        from polyphony_runner.runs.page import run_page

        click.echo(run_page(folder.record(), document, state), nl=False)
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
    for node in state.nodes.values():
        console.line(f"  {node_line(node)}")
        error = shown_error(node)
        if error is not None and error.get("trace"):
            for line in str(error["trace"]).strip().splitlines()[-_TRACE_LINES:]:
                console.line(f"      {first_line(line)}")
    for line in lines[1:]:
        console.line(line)
    if not state.finished and not is_held(folder.journal):
        console.hint(f"no process executes this run; polyphony resume {folder.run}")
    return 0
