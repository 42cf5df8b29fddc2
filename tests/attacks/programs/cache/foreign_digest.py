"""Claims an artifact that nobody gave it, to poison what is kept for the next run.

Must: a digest must be one it was given
Way: node
Outputs: file
Ends: validation, protocol, exit
"""

def main(inputs, parameters, task, context):
    return {"file": {"$file": "x", "digest": "sha256:" + "0" * 64, "name": "x", "size": 1, "media_type": "text/plain"}}
