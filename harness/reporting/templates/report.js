"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Plotly reads a little HTML in texts; names of trials and frameworks are shown as they are.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const ink = (framework) => { const one = data.frameworks[framework]; return dark.matches ? one.dark : one.light; };
  const symbol = (framework) => data.frameworks[framework].symbol;
  const phaseColour = (phase) => data.phases[phase] || data.phases[""];
  const faded = (colour, alpha) => {
    const part = (start) => parseInt(colour.slice(start, start + 2), 16);
    return "rgba(" + part(1) + "," + part(3) + "," + part(5) + "," + alpha + ")";
  };

  function axis(title, more) {
    return Object.assign({
      title: { text: title, standoff: 8, font: { size: 13 } }, gridcolor: style("--grid"), zerolinecolor: style("--grid"),
      linecolor: style("--line"), automargin: true,
    }, more || {});
  }

  function layout(more) {
    return Object.assign({
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 60, r: 14, t: 34, b: 46 },
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: style("--text") },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
      hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: style("--text") } },
      hovermode: "closest", modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--quiet"), activecolor: style("--accent") },
    }, more);
  }

  // As many panels side by side as get `least` pixels each; on a narrow screen they stand below each other.
  function sideBySide(id, panels, least) {
    const place = document.getElementById(id);
    return place ? Math.max(1, Math.min(panels, Math.floor(place.clientWidth / least))) : panels;
  }

  function glanceGrid() {
    const columns = sideBySide("glance", data.glance.length, 200), rows = Math.ceil(data.glance.length / columns);
    return { columns: columns, rows: rows, row: data.cells.length * 34 + 64 };
  }

  function glance() {
    const place = glanceGrid();
    const traces = [], more = { showlegend: false, grid: { rows: place.rows, columns: place.columns, pattern: "independent", xgap: 0.08, ygap: 60 / place.row }, annotations: [] };
    data.glance.forEach((panel, index) => {
      const suffix = index ? String(index + 1) : "";
      const names = panel.rows.map((row) => plain(row.name));
      more["xaxis" + suffix] = axis(plain(panel.title), { rangemode: "tozero", nticks: 5 });
      more["yaxis" + suffix] = axis("", { autorange: "reversed", showgrid: false, showticklabels: index % place.columns === 0, type: "category" });
      traces.push({
        type: "bar", orientation: "h", x: panel.rows.map((row) => row.mean), y: names, xaxis: "x" + suffix, yaxis: "y" + suffix, width: 0.62,
        marker: { color: panel.rows.map((row) => faded(ink(row.framework), 0.45)) }, hovertemplate: "%{y}<br>mean %{x:.4g}<extra></extra>",
      });
      panel.rows.forEach((row, position) => traces.push({
        type: "scatter", mode: "markers", x: row.values, y: row.values.map(() => names[position]), xaxis: "x" + suffix, yaxis: "y" + suffix,
        customdata: row.seeds, marker: { color: ink(row.framework), symbol: symbol(row.framework), size: 8, line: { width: 1, color: style("--card") } },
        hovertemplate: "%{y}, seed %{customdata}<br>%{x:.5g}<extra></extra>",
      }));
    });
    return [traces, layout(more)];
  }

  function curves(id, single, mean, singleMode, title, scale, format) {
    const traces = [], columns = sideBySide(id, 2, 320);
    data.cells.forEach((cell) => {
      const colour = ink(cell.framework);
      [["x", "y", "step", "steps"], ["x2", "y2", "time", "s"]].forEach(([x, y, key, unit]) => {
        cell[single].forEach((curve) => traces.push({
          type: "scatter", mode: singleMode, x: curve[key], y: curve.value, xaxis: x, yaxis: y, legendgroup: cell.name, showlegend: false,
          opacity: singleMode === "lines" ? 0.28 : 0.75, line: { color: colour, width: 1 }, marker: { color: colour, symbol: symbol(cell.framework), size: 7 },
          name: plain(cell.name) + " seed " + curve.seed, meta: "seed", hovertemplate: "%{x:.5g} " + unit + ": %{y:" + format + "}",
        }));
        const average = cell[mean];
        if (average) traces.push({
          type: "scatter", mode: "lines", x: average[key], y: average.value, xaxis: x, yaxis: y, legendgroup: cell.name, showlegend: x === "x",
          line: { color: colour, width: 2.6, dash: cell.dash }, name: plain(cell.name), meta: "mean", hovertemplate: "mean, %{x:.5g} " + unit + ": %{y:" + format + "}",
        });
      });
    });
    const y = scale === "log" ? { type: "log", tickformat: "~g", dtick: "D2" } : { type: scale };
    return [traces, layout({
      grid: { rows: 3 - columns, columns: columns, pattern: "independent", xgap: 0.06, ygap: 0.2 },
      xaxis: axis("steps", { rangemode: "tozero" }), xaxis2: axis("training time, s", { rangemode: "tozero" }),
      yaxis: axis(title, y), yaxis2: axis(columns === 2 ? "" : title, Object.assign({ matches: "y", showticklabels: columns === 1 }, y)),
    })];
  }

  function breakdown() {
    const names = Object.keys(data.phases).filter((name) => data.breakdown.some((row) => row.phases[name]));
    const traces = names.map((phase) => ({
      type: "bar", orientation: "h", name: phase.replace("_", " "), y: data.breakdown.map((row) => plain(row.name)), x: data.breakdown.map((row) => row.phases[phase] || 0),
      marker: { color: phaseColour(phase), line: { width: 1, color: style("--card") } }, hovertemplate: "%{y}<br>" + phase.replace("_", " ") + " %{x:.3f} s<extra></extra>",
    }));
    return [traces, layout({ barmode: "stack", bargap: 0.35, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal" }, xaxis: axis("wall time, s"), yaxis: axis("", { autorange: "reversed", type: "category", showgrid: false }) })];
  }

  function timeline(one) {
    const rows = [["cores", "cores used"], ["memory", "memory, MiB"]];
    const power = one.gpus.filter((line) => line.name.endsWith("W")), held = one.gpus.filter((line) => line.name.endsWith("MiB"));
    const lines = { cores: one.cores, memory: one.memory, power: power, held: held };
    if (power.length) rows.push(["power", "GPU power, W"]);
    if (held.length) rows.push(["held", "GPU memory, MiB"]);
    const end = Math.max(...rows.flatMap(([key]) => lines[key].flatMap((line) => line.time)), ...one.phases.map((span) => span.end), 0);
    const begin = Math.min(0, ...rows.flatMap(([key]) => lines[key].flatMap((line) => line.time)));
    const traces = [], more = { shapes: [], annotations: [], showlegend: true, hovermode: "x unified", margin: { l: 64, r: 14, t: 54, b: 46 } };
    more.legend = { orientation: "h", x: 1, xanchor: "right", y: -0.16, yanchor: "top", bgcolor: "rgba(0,0,0,0)" };
    const height = 1 / rows.length, pixels = document.getElementById("timeline").clientWidth - 78;
    rows.forEach(([key, title], index) => {
      const suffix = index ? String(index + 1) : "", top = 1 - index * height;
      more["yaxis" + suffix] = axis(title, { domain: [top - height + (index < rows.length - 1 ? 0.05 : 0), top], rangemode: "tozero", anchor: "x" });
      lines[key].forEach((line, number) => traces.push({
        type: "scatter", mode: "lines", x: line.time, y: line.value, xaxis: "x", yaxis: "y" + suffix, name: plain(line.name), showlegend: lines[key].length > 1,
        line: { color: number ? style("--quiet") : ink(one.framework), width: 2, shape: key === "cores" ? "vh" : "linear", dash: number ? "dot" : "solid" },
        hovertemplate: "%{y:.4g}",
      }));
      if (key === "cores" && one.cpus) more.shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y" + suffix, y0: one.cpus, y1: one.cpus, line: { color: style("--quiet"), width: 1, dash: "dash" }, name: "cpus" });
    });
    one.phases.forEach((span) => {
      more.shapes.push({
        type: "rect", xref: "x", yref: "paper", x0: span.begin, x1: span.end, y0: 0, y1: 1.035, layer: "below", line: { width: 0 },
        fillcolor: faded(phaseColour(span.phase), dark.matches ? 0.26 : 0.2), name: "phase " + span.phase,
      });
      more.shapes.push({ type: "rect", xref: "x", yref: "paper", x0: span.begin, x1: span.end, y0: 1.02, y1: 1.035, line: { width: 0 }, fillcolor: phaseColour(span.phase), name: "band " + span.phase });
      const words = span.phase.replace("_", " ");
      if ((span.end - span.begin) / (end - begin) * pixels > 7 * words.length + 6) more.annotations.push({
        xref: "x", yref: "paper", x: (span.begin + span.end) / 2, y: 1.04, yanchor: "bottom", text: words, showarrow: false, font: { size: 12, color: style("--quiet") },
      });
    });
    more.xaxis = axis("time since the worker's first phase, s", { anchor: "y" + (rows.length > 1 ? String(rows.length) : ""), range: [begin, end], hoverformat: ".2f" });
    return [traces, layout(more)];
  }

  function caption(one) {
    const source = one.source ? "from the counter of the " + one.source : "no CPU counter was recorded";
    return "Cores used: CPU time ÷ wall time over windows of " + one.window + " s, " + source + "; the dashed line is the number of logical CPUs. " +
      "Memory as sampled; the sum over processes counts shared pages more than once. Peaks of the table are kept by the kernel and may lie between samples.";
  }

  function draw(id, built) {
    const place = document.getElementById(id);
    if (place && built) Plotly.react(place, built[0], built[1], config);
  }

  const select = document.getElementById("trial");
  function drawTimeline() {
    if (!select) return;
    const one = data.timelines[Number(select.value)];
    draw("timeline", timeline(one));
    document.getElementById("timeline-caption").textContent = caption(one);
  }

  function fit(id, rows, each, rest) { const place = document.getElementById(id); if (place) place.style.height = rows * each + rest + "px"; }

  function drawAll() {
    const losses = data.cells.some((cell) => cell.loss.length), scores = data.cells.some((cell) => cell.accuracy.length);
    const glances = glanceGrid();
    fit("glance", glances.rows, glances.row, 46);
    fit("loss", 3 - sideBySide("loss", 2, 320), 340, 60);
    fit("accuracy", 3 - sideBySide("accuracy", 2, 320), 300, 60);
    fit("breakdown", data.breakdown.length, 38, 120 + (sideBySide("breakdown", 2, 320) === 1 ? 66 : 0));
    draw("glance", data.glance.length ? glance() : null);
    draw("loss", losses ? curves("loss", "loss", "loss_mean", "lines", "training loss (log)", "log", ".4g") : null);
    draw("accuracy", scores ? curves("accuracy", "accuracy", "accuracy_mean", "markers", "top-1 accuracy, %", "linear", ".2f") : null);
    draw("breakdown", data.breakdown.length ? breakdown() : null);
    drawTimeline();
  }

  function move(by) {
    select.value = String((Number(select.value) + by + data.timelines.length) % data.timelines.length);
    drawTimeline();
  }
  if (select) {
    select.value = String(Math.max(0, data.timelines.findIndex((one) => one.termination === "completed")));
    select.addEventListener("change", drawTimeline);
    document.getElementById("previous").addEventListener("click", () => move(-1));
    document.getElementById("next").addEventListener("click", () => move(1));
  }
  const arrangement = () => [glanceGrid().columns, sideBySide("loss", 2, 320)].join();
  let arranged = arrangement();
  window.addEventListener("resize", () => {
    if (arrangement() === arranged) return;
    arranged = arrangement();
    document.querySelectorAll(".plot").forEach((place) => Plotly.purge(place)); // react would keep margins of the old one
    drawAll();
  });
  dark.addEventListener("change", drawAll);
  drawAll();
})();
