// One request on standard input, events on standard output, one JSON object a line.
import { readFileSync } from "node:fs";

const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");

const { inputs } = JSON.parse(readFileSync(0, "utf8"));
say({ type: "log", message: "shouting" });
say({ type: "result", outputs: { text: inputs.text.toUpperCase() } });
