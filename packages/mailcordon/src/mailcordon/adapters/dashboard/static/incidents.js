// The chart that can be zoomed, in place of the picture that needs no script. Both show the same counts.
"use strict";

const HEIGHT = 340; // pixels

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const paint = (name) => () => colour(name);

const two = (number) => String(number).padStart(2, "0");

const clock = (seconds) => {
  const at = new Date(seconds * 1000);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
};

const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

const markers = (marks) => ({
  hooks: {
    draw: [(plot) => {
      const context = plot.ctx;
      context.save();
      context.strokeStyle = colour("--ink");
      context.fillStyle = colour("--ink");
      context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
      context.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
      marks.forEach((mark, place) => {
        const x = plot.valToPos(mark.at, "x", true);
        if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) return;
        context.beginPath();
        const label = (14 + 15 * place) * devicePixelRatio;
        const isRight = x > plot.bbox.left + plot.bbox.width * 0.85;
        context.textAlign = isRight ? "right" : "left";
        context.moveTo(x, label - 10 * devicePixelRatio);
        context.lineTo(x, plot.bbox.top + plot.bbox.height);
        context.stroke();
        context.fillText(mark.name, x + (isRight ? -5 : 5) * devicePixelRatio, label);
      });
      context.restore();
    }],
  },
});

const draw = async (figure) => {
  const answer = await fetch(figure.dataset.figures, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const found = await answer.json();
  const place = figure.querySelector(".zoomed");
  place.hidden = false;
  const bars = uPlot.paths.bars({ size: [0.9, 40], align: 1 });
  const isLong = found.times.at(-1) - found.times[0] > 86400;
  const axis = { stroke: paint("--soft"), grid: { stroke: paint("--line"), width: 1 }, ticks: { stroke: paint("--line"), width: 1 } };
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    padding: [52, 8, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: { drag: { x: true, y: false } },
    scales: { bad: { range: (_plot, _least, most) => [0, Math.max(2, most * 1.05)] }, y: { range: (_plot, _least, most) => [0, Math.max(2, most * 1.05)] } },
    axes: [{ ...axis, values: (_plot, splits) => splits.map((at) => (isLong ? `${day(at)} ${clock(at)}` : clock(at))) }, { ...axis, size: 56 }, { ...axis, scale: "bad", side: 1, grid: { show: false }, size: 48 }],
    series: [
      { label: "Time", value: (_plot, at) => (at == null ? "–" : `${day(at)} ${clock(at)} UTC`) },
      { label: "Mails sent", paths: bars, fill: paint("--accent"), stroke: paint("--accent"), points: { show: false } },
      { label: "Hard bounces and complaints", scale: "bad", stroke: paint("--bad"), width: 2, points: { show: true, size: 5 } },
    ],
    plugins: [markers(found.marks)],
  };
  const plot = new uPlot(options, [found.times, found.sent, found.bad], place);
  figure.querySelector("svg").remove();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
};

document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure[data-figures]")) draw(figure);
});
