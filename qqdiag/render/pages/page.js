"use strict";
// Comfort only: without it the page says the same.
const UNITS = {"": 1, "%": 1, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12};
const AMOUNT = /^-?[\d.]+( (ms|s|m|h|d|B|kB|MB|GB|TB|%))?( [\d.]+ (s|m|h))?$/;
const amount = (text) => {
  if (!AMOUNT.test(text)) return NaN;
  const parts = [...text.replace("-", "").matchAll(/([\d.]+)(?: ([a-zA-Z%]+))?/g)];
  const sum = parts.reduce((all, [, number, unit]) => all + Number(number) * UNITS[unit || ""], 0);
  return text.startsWith("-") ? -sum : sum;
};
const compare = (one, other) => {
  const [a, b] = [amount(one), amount(other)];
  if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
  return Number.isNaN(a) ? one.localeCompare(other, "en", {numeric: true}) : a - b;
};
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((one, other) => compare(text(one), text(other)));
      table.tBodies[0].append(...(down ? rows.reverse() : rows));
    });
  });
}
// A picture that is too wide for the page is scrolled to what is marked.
const marked = [...document.querySelectorAll(".graph .bad.box, .graph .warn.box")];
if (marked.length) {
  const frame = marked[0].closest(".scroll");
  const right = Math.max(...marked.map((box) => box.getBoundingClientRect().right));
  const beyond = right - frame.getBoundingClientRect().right;
  if (beyond > 0) frame.scrollLeft += beyond + 24;
}
// What is jumped to is opened.
const open = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  for (const fold of target ? target.querySelectorAll("details:not(.words)") : []) fold.open = true;
};
addEventListener("hashchange", open);
open();
