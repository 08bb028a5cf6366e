// What the figures share: their controls, axes, names of lines, what is under the pointer, their table.

const HEIGHT = 360;
const MOST_NAMED = 12;
const NEAR = 40;

// Which spend is drawn, and how: common to all figures of the page.
const view = { axis: 0, isLog: false };

class Figure {
  // `own`: the series, each with `o`, the number of its objective; `paint`: draws, returns points.
  constructor(box, all, words, own, shown, paint, rows) {
    Object.assign(this, { box, all, words, own, paint, rows, shown: new Set(shown), before: [...shown] });
    this.plot = make("div", { class: "plot", tabindex: 0, role: "group", "aria-label": `${words}. Arrow keys go from point to point.` });
    this.tip = make("div", { class: "tip", hidden: true });
    this.table = make("details", {}, make("summary", {}, "The numbers of this figure"));
    this.controls = make("div", { class: "controls" });
    box.append(this.controls, this.plot, this.table);
    this.lit = null;
    this.table.addEventListener("toggle", () => this.fillTable());
    this.plot.addEventListener("pointermove", (event) => this.follow(event));
    this.plot.addEventListener("pointerleave", () => this.light(null));
    this.plot.addEventListener("blur", () => this.light(null));
    this.plot.addEventListener("keydown", (event) => this.step(event));
    document.addEventListener("view", () => this.update());
    new ResizeObserver(() => {
      if (this.plot.clientWidth !== this.width) this.redraw();
    }).observe(this.plot);
  }

  addControls(hasLog) {
    const name = `axis-${document.querySelectorAll(".plot").length}`;
    const radios = this.all.axes.map((words, axis) =>
      choice("radio", [words], axis === view.axis, () => changeView({ axis }), name),
    );
    this.controls.append(make("fieldset", {}, make("legend", {}, "Compute axis"), ...radios.map((one) => one.label)));
    const log = choice("checkbox", ["log scale"], view.isLog, (isLog) => changeView({ isLog }));
    if (hasLog) this.controls.append(log.label);
    document.addEventListener("view", () => {
      radios[view.axis].input.checked = true;
      log.input.checked = view.isLog;
    });
    this.addObjectives();
  }

  addObjectives() {
    // Of many, those that are drawn come first: the list is longer than what is in sight of it.
    const isLong = this.own.length > MANY_ROWS;
    const order = isLong ? [...this.own].sort((a, b) => this.shown.has(b.o) - this.shown.has(a.o)) : this.own;
    const boxes = order.map(({ o }) => {
      const swatch = draw("svg", { class: `swatch ${this.look(o)}`, viewBox: "0 0 22 8", "aria-hidden": "true" }, draw("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: "mean" }));
      const made = choice("checkbox", [swatch, this.name(o)], this.shown.has(o), (isOn) => {
        this.shown[isOn ? "add" : "delete"](o);
        this.update();
      });
      made.label.addEventListener("pointerenter", () => this.mark(o));
      made.label.addEventListener("pointerleave", () => this.mark(null));
      made.input.addEventListener("focus", () => this.mark(o));
      made.input.addEventListener("blur", () => this.mark(null));
      return { o, ...made };
    });
    const set = (wanted) => {
      this.shown = new Set(wanted);
      for (const one of boxes) one.input.checked = this.shown.has(one.o);
      this.update();
    };
    const every = boxes.map((one) => one.o);
    const tools = make("span", { class: "tools" }, button("All", () => set(every)), button("None", () => set([])));
    if (this.before.length < every.length) tools.append(button("The best", () => set(this.before)));
    if (isLong) {
      const find = make("input", { type: "search", placeholder: "Find", "aria-label": "Find an objective" });
      find.addEventListener("input", () => {
        const wanted = find.value.trim().toLowerCase();
        for (const one of boxes) one.label.hidden = !this.name(one.o).toLowerCase().includes(wanted);
      });
      tools.append(find);
    }
    const list = make("div", { class: "list" }, ...boxes.map((one) => one.label));
    this.controls.append(make("fieldset", { class: "objectives" }, make("legend", {}, "Objectives"), tools, list));
  }

  name(o) {
    return this.all.objectives[o].name;
  }

  look(o) {
    const { colour, dashes } = this.all.objectives[o];
    return `c${colour < 0 ? "base" : colour} d${dashes}`;
  }

  update() {
    this.redraw();
    this.fillTable();
  }

  redraw() {
    const width = (this.width = this.plot.clientWidth);
    if (!width) return;
    this.svg = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": this.words });
    this.points = this.paint(this, width);
    this.plot.replaceChildren(this.svg, this.tip);
    this.light(null);
  }

  fillTable() {
    for (const old of this.table.querySelectorAll(".table")) old.remove();
    if (!this.table.open) return;
    const { titles, rows } = this.rows(this);
    const made = madeTable(this.words, titles, rows);
    this.table.append(made);
    readyTable(made, this.all.study);
  }

  // The axes; returns the group in which to draw, clipped.
  axes(x, y, xWords, yWords, box, write) {
    const grid = draw("g", { class: "grid" });
    for (const tick of x.ticks) {
      const at = x.place(tick);
      grid.append(draw("line", { x1: at, x2: at, y1: box.top, y2: box.bottom }));
      grid.append(draw("text", { x: at, y: box.bottom + 16, "text-anchor": "middle" }, short(tick)));
    }
    for (const tick of y.ticks) {
      const at = y.place(tick);
      grid.append(draw("line", { x1: box.left, x2: box.right, y1: at, y2: at }));
      grid.append(draw("text", { x: box.left - 6, y: at + 4, "text-anchor": "end" }, write(tick)));
    }
    const words = draw("g", { class: "words" });
    words.append(draw("text", { x: box.left, y: 12 }, yWords));
    words.append(draw("text", { x: (box.left + box.right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, xWords));
    this.svg.append(grid, words);
  }

  // Room at the right for the names of the lines; none where they would be too many or too wide.
  nameRoom(width, shown) {
    if (width < 560 || shown.length > MOST_NAMED || !shown.length) return 12;
    return 16 + 7.8 * Math.min(24, Math.max(...shown.map(({ o }) => this.name(o).length)));
  }

  nameEnds(ends, box) {
    if (box.room < 20) return;
    const heights = spreadOut(ends.map((end) => end.y), 14, box.bottom);
    ends.forEach(({ o }, place) => {
      const name = this.name(o);
      const text = name.length > 24 ? `${name.slice(0, 23)}…` : name;
      this.svg.append(draw("text", { x: box.right + 6, y: heights[place] + 4, class: `name ${this.look(o)}`, "data-o": o }, text));
    });
  }

  // A line across, with its name.
  level(y, words, kind, box, height = null) {
    this.svg.append(draw("line", { x1: box.left, x2: box.right, y1: y, y2: y, class: kind }));
    this.svg.append(draw("text", { x: box.right - 4, y: height ?? y - 4, "text-anchor": "end", class: `${kind} label` }, words));
  }

  follow(event) {
    const area = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    let [best, least] = [null, NEAR ** 2];
    for (const point of this.points) {
      const away = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (away < least) [best, least] = [point, away];
    }
    this.light(best);
  }

  // From point to point: along a line, and from line to line.
  step(event) {
    const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1], Escape: null };
    if (!(event.key in moves)) return;
    event.preventDefault();
    if (moves[event.key] === null) return this.light(null);
    const lines = this.own.map(({ o }) => this.points.filter((point) => point.o === o && point.isMain)).filter((line) => line.length);
    if (!lines.length) return;
    const [along, across] = moves[event.key];
    let row = Math.max(0, lines.findIndex((line) => line[0].o === this.lit?.o));
    let column = lines[row].indexOf(this.lit);
    row = (row + across + lines.length) % lines.length;
    column = Math.min(Math.max(column < 0 ? 0 : column + along, 0), lines[row].length - 1);
    this.light(lines[row][column]);
    say(lines[row][column].words.join(", "));
  }

  light(point) {
    this.lit = point;
    this.mark(point === null ? null : point.o);
    this.tip.hidden = point === null;
    this.svg.querySelector(".here")?.remove();
    if (point === null) return;
    this.svg.append(draw("circle", { cx: point.x, cy: point.y, r: 7, class: "here" }));
    this.tip.replaceChildren(...point.words.map((words, place) => make(place ? "div" : "strong", {}, words)));
    const left = Math.min(point.x + 14, this.plot.clientWidth - this.tip.offsetWidth - 4);
    this.tip.style.left = `${Math.max(4, left)}px`;
    this.tip.style.top = `${Math.max(4, point.y - this.tip.offsetHeight - 12)}px`;
  }

  // One objective stands out.
  mark(o) {
    for (const node of this.svg?.querySelectorAll("[data-o]") ?? []) {
      node.classList.toggle("dim", o !== null && Number(node.dataset.o) !== o);
      node.classList.toggle("lit", o !== null && Number(node.dataset.o) === o);
    }
  }
}

function changeView(changes) {
  Object.assign(view, changes);
  document.dispatchEvent(new Event("view"));
}

function path(points) {
  return points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}
