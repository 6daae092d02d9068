// Times that say how long ago something was go on while the page is open.
"use strict";

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

const duration = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  for (let place = 0; place < UNITS.length; place += 1) {
    const [size, unit] = UNITS[place];
    if (whole < size) continue;
    const next = UNITS[place + 1];
    const rest = next && Math.floor(whole / size) < 10 ? Math.floor((whole % size) / next[0]) : 0;
    return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${next[1]}` : ""}`;
  }
  return "0 s";
};

const tick = () => {
  for (const one of document.querySelectorAll("time[title]")) {
    const seconds = (Date.now() - Date.parse(one.dateTime)) / 1000;
    const words = seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
    if (one.textContent !== words) one.textContent = words;
  }
};

setInterval(tick, 5000);
document.addEventListener("htmx:after:swap", tick);
