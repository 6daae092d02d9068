// Charts of a lane that can be zoomed, from the numbers that the page has already. Without this the drawn chart stays.
"use strict";

const HEIGHT = 220; // pixels

const colours = { sent: "--accent", bounces: "--bad", complaints: "--slow" };

const zoomed = (figure, document_) => {
  const style = getComputedStyle(document_.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const data = JSON.parse(figure.dataset.chart);
  const isShare = data.unit === "share";
  const words = (value) => value === null || value === undefined ? "–" : isShare ? `${(value * 100).toFixed(2)} %` : String(Math.round(value));
  const shortly = (value) => isShare ? `${+(value * 100).toPrecision(3)} %` : String(value);
  // Times are UTC and written as on the rest of the page.
  const dates = (chart, marks) => {
    const days = chart.scales.x.max - chart.scales.x.min > 2 * 86400;
    const how = days ? { day: "numeric", month: "short", timeZone: "UTC" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" };
    return marks.map((seconds) => new Date(seconds * 1000).toLocaleString("en-GB", how));
  };
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const place = document_.createElement("div");
  place.className = "zoomed";
  figure.append(place);
  const chart = new uPlot({
    width: place.clientWidth,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, values: dates }, { ...axis, size: 64, values: (_, marks) => marks.map(shortly) }],
    series: [
      { value: (_, seconds) => seconds ? `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC` : "–" },
      ...data.series.map((one) => ({
        label: one.name,
        stroke: colour(colours[one.kind]),
        width: 2,
        fill: isShare ? undefined : `${colour(colours[one.kind])}44`,
        points: { show: isShare },
        paths: isShare ? undefined : uPlot.paths.bars({ size: [0.8] }),
        value: (_, value) => words(value),
      })),
    ],
  }, [data.times, ...data.series.map((one) => one.values)], place);
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  return chart;
};

document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const plot = figure.querySelector(".plot");
    if (!plot || typeof uPlot === "undefined") continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = "Zoom";
    let chart = null;
    button.addEventListener("click", () => {
      if (chart) {
        chart.root.parentNode.remove();
        chart.destroy();
        chart = null;
      } else {
        chart = zoomed(figure, document);
      }
      plot.hidden = chart !== null;
      button.textContent = chart ? "Whole" : "Zoom";
    });
    figure.querySelector("figcaption").append(button);
  }
});
