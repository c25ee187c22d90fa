"""`dlgauge network`: what follows from a network's graph."""

from __future__ import annotations

import typer

app = typer.Typer(name="network", help="Look at networks.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _network() -> None:
    """Look at networks."""


@app.command()
def show(
    name: str = typer.Argument(..., metavar="NETWORK", help="A name, or a file that ends in .yaml."),
    as_json: bool = typer.Option(False, "--json", help="As JSON."),
) -> None:
    """Shape, parameters and work of every layer, for one image."""
    import json
    from dataclasses import asdict
    from pathlib import Path

    from harness.workloads.networks import layer_counts, load_network

    network = load_network(name, relative_to=Path.cwd())
    lines = layer_counts(network)
    parameters, flops = sum(line.parameters for line in lines), sum(line.forward_flops for line in lines)
    if as_json:
        value = {
            "network": network.name,
            "input": network.input,
            "layers": [asdict(line) for line in lines],
            "parameters": parameters,
            "forward_flops": flops,
        }
        print(json.dumps(value, indent=1))
        return
    print(f"{network.name}: input {_text(network.input)}, {parameters:,} parameters, {flops:,} FLOP forward an image")
    header = ("layer", "kind", "inputs", "output", "parameters", "forward FLOP")
    previous, rows = "input", [header]
    for line in lines:
        inputs = "" if line.inputs == (previous,) else ", ".join(line.inputs)
        counts = (
            f"{line.parameters:,}" if line.parameters else "",
            f"{line.forward_flops:,}" if line.forward_flops else "",
        )
        rows.append((line.layer, line.kind, inputs, _text(line.output_shape), *counts))
        previous = line.layer
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        left = [text.ljust(width) for text, width in zip(row[:4], widths[:4], strict=True)]
        right = [text.rjust(width) for text, width in zip(row[4:], widths[4:], strict=True)]
        print("  ".join([*left, *right]).rstrip())
    print("A multiply-add is two operations; biases, activations, pools and normalisation are not counted.")


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)
