"use strict";
// Elements are made one by one and text is put in as text: no string is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function button(text, press) {
  const made = make("button", { type: "button" }, text);
  made.addEventListener("click", press);
  return made;
}

// A check box or radio button with its label; `change` is called with whether it is on.
function choice(kind, words, isOn, change, name = "") {
  const input = make("input", { type: kind, name });
  input.checked = isOn;
  input.addEventListener("change", () => change(input.checked));
  return { input, label: make("label", { class: "choice" }, input, ...words) };
}

// Said to those who hear the page.
function say(text) {
  document.getElementById("said").textContent = text;
}

function slug(text) {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "table";
}

// A field of a CSV file. What a spreadsheet would take for a formula is marked as text.
function csvField(text) {
  const safe = /^[=@\t]|^[-+](?![\d.])/.test(text) && text !== "-" ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csvText(rows) {
  return rows.map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
