// Tables: sorting, the top group, a filter of rows, and a download of what is on screen.

const MANY_ROWS = 20;

function readyTable(box, study) {
  const table = box.querySelector("table");
  const body = table.tBodies[0];
  [...body.rows].forEach((row, place) => (row.dataset.place = place));
  for (const press of table.querySelectorAll("thead button")) {
    press.addEventListener("click", () => sortBy(table, press.parentNode));
  }
  const filters = [];
  const apply = () => {
    for (const row of body.rows) row.hidden = !filters.every((keeps) => keeps(row));
    const shown = [...body.rows].filter((row) => !row.hidden).length;
    say(`${shown} of ${body.rows.length} rows`);
  };
  const tools = make("div", { class: "tools" });
  if (box.closest("[data-top-group]")) {
    let isOn = false;
    filters.push((row) => !isOn || row.dataset.top === "yes");
    const top = choice("checkbox", ["Top group only"], false, (value) => {
      isOn = value;
      apply();
    });
    tools.append(top.label);
  }
  if (body.rows.length > MANY_ROWS) {
    const find = make("input", { type: "search", placeholder: "Filter rows", "aria-label": "Filter rows" });
    filters.push((row) => row.textContent.toLowerCase().includes(find.value.trim().toLowerCase()));
    find.addEventListener("input", apply);
    tools.append(find);
  }
  const name = `${slug(study)}-${box.dataset.table}.csv`;
  tools.append(button("CSV", () => download(name, csvText(shownCells(table)))));
  box.append(tools);
}

// The texts of the cells on screen, in their order, without what is drawn.
function shownCells(table) {
  return [...table.rows]
    .filter((row) => !row.hidden)
    .map((row) => [...row.cells].filter((cell) => !("drawn" in cell.dataset)).map((cell) => cell.textContent));
}

// Rising, then falling, then as it was.
const NEXT_ORDER = { none: "ascending", ascending: "descending", descending: "none" };

function sortBy(table, head) {
  const order = NEXT_ORDER[head.getAttribute("aria-sort")];
  const column = [...head.parentNode.cells].indexOf(head);
  for (const other of head.parentNode.cells) {
    if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  }
  head.setAttribute("aria-sort", order);
  const rows = [...table.tBodies[0].rows];
  const isNumeric = rows.some((row) => "v" in row.cells[column].dataset);
  const value = (row) => {
    const cell = row.cells[column];
    if (isNumeric) return "v" in cell.dataset ? Number(cell.dataset.v) : null;
    return cell.querySelector(".none") ? null : cell.textContent;
  };
  const sign = order === "descending" ? -1 : 1;
  const compare = (one, other) => {
    const [a, b] = [value(one), value(other)];
    // A missing value is last in either order.
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (isNumeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
  };
  const before = (one, other) => one.dataset.place - other.dataset.place;
  rows.sort(order === "none" ? before : (one, other) => compare(one, other) || before(one, other));
  table.tBodies[0].append(...rows);
  say(order === "none" ? "not sorted" : `sorted by ${head.textContent}, ${order}`);
}

// A table like those of the page, for what a figure shows.
function madeTable(caption, titles, rows, textColumns = 1) {
  const cell = (value, place) => {
    const [text, key] = Array.isArray(value) ? value : [value, null];
    const attributes = key === null ? {} : { "data-v": key };
    if (place === 0) return make("th", { scope: "row", ...attributes }, text);
    return make("td", { class: place < textColumns ? null : "n", ...attributes }, text);
  };
  const head = titles.map((title, place) =>
    make("th", { scope: "col", class: place < textColumns ? null : "n", "aria-sort": "none" }, make("button", { type: "button" }, title)),
  );
  const table = make(
    "table",
    {},
    make("caption", { class: "hidden" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell)))),
  );
  const region = make("div", { class: "scroll", role: "group", "aria-label": caption, tabindex: 0 }, table);
  return make("div", { class: "table", "data-table": slug(caption) }, region);
}

// Of several parts one is shown, which the reader chooses.
function readyChoice(box) {
  const parts = [...box.children].filter((part) => "choice" in part.dataset);
  if (parts.length < 2) return;
  const select = make("select", {}, ...parts.map((part, place) => make("option", { value: place }, part.dataset.choice)));
  const show = () => parts.forEach((part, place) => (part.hidden = place !== Number(select.value)));
  select.addEventListener("change", show);
  box.classList.add("chosen");
  box.prepend(make("label", { class: "choose" }, `${box.dataset.choose} `, select));
  show();
}
