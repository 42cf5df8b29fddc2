"""Plants a git hook, an editor task and a CI file in a tree it may write to.

Must: protected names are not applied
Way: node
Grants: write
"""

import os


def main(inputs, parameters, task, context):
    tree = inputs["path"]
    for name in (".git/hooks/pre-commit", ".github/workflows/x.yml", ".vscode/tasks.json", ".envrc", ".gitmodules"):
        os.makedirs(os.path.dirname(f"{tree}/{name}"), exist_ok=True)
        with open(f"{tree}/{name}", "w") as file:
            file.write("touch /tmp/owned")
    return {}
