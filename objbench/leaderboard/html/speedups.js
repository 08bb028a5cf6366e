// The speedup against the target: a line where it was measured, a triangle where a bound is known,
// and a band for the 95% interval, which runs off the picture where its end was not measured.

const TARGET = 0, ESTIMATE = 1, LOW = 3, HIGH = 5;

function speedupFigure(box, all, curve) {
  const drawn = new Set(curve.own.filter((own) => own.shown).map((own) => own.o));
  const shown = curve.speedups.map((own) => own.o).filter((o) => drawn.has(o));
  const words = `Speedup over ${all.objectives[all.baseline].name} against the ${curve.words} to be reached`;
  const figure = new Figure(box, all, words, curve.speedups, shown, (self, width) => paintSpeedups(self, width, curve), (self) => speedupRows(self, curve));
  figure.addControls(false);
}

function paintSpeedups(figure, width, curve) {
  const shown = curve.speedups.filter((own) => figure.shown.has(own.o));
  const claims = curve.claims.filter((claim) => claim.axis === view.axis && figure.shown.has(claim.o));
  const every = shown.flatMap((own) => own.by[view.axis]);
  const room = figure.nameRoom(width, shown);
  const box = { left: 52, right: width - room, top: 32, bottom: HEIGHT - 44, room };
  const known = [1, ...claims.map((claim) => claim.value)];
  for (const at of every) known.push(...[ESTIMATE, LOW, HIGH].map((end) => at[end]).filter((value) => value > 0));
  const y = logScale(Math.min(...known) / 1.3, Math.max(...known) * 1.3, box.bottom, box.top);
  const targets = every.length ? every.map((at) => at[TARGET]) : [0, 1];
  const [low, high] = [Math.min(...targets), Math.max(...targets)];
  const more = 0.02 * (high - low) || 0.05;
  // Losses fall: what is reached later is at the right.
  const [from, to] = curve.lower ? [box.right, box.left] : [box.left, box.right];
  const x = linearScale(low - more, high + more, from, to);
  const base = figure.name(figure.all.baseline);
  figure.axes(x, y, `${base}'s ${curve.words} (target)`, `speedup in ${figure.all.axes[view.axis]}, log scale`, box, (tick) => `${short(tick)}x`);
  figure.svg.append(draw("line", { x1: box.left, x2: box.right, y1: y.place(1), y2: y.place(1), class: "unit" }));
  const points = [];
  const ends = [];
  for (const own of shown) {
    const found = own.by[view.axis];
    if (!found.length) continue;
    figure.svg.append(paintSpeedup(figure, curve, own.o, found, x, y, box, points));
    ends.push({ o: own.o, y: y.place(found.at(-1)[ESTIMATE]) });
  }
  for (const claim of claims) figure.level(y.place(claim.value), `${figure.name(claim.o)}, ${claim.words}`, `claim ${figure.look(claim.o)}`, box);
  figure.nameEnds(ends, box);
  if (!every.length) figure.svg.append(draw("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle", class: "words" }, `not measured: the seeds share no range of ${figure.all.axes[view.axis]}`));
  return points;
}

function paintSpeedup(figure, curve, o, found, x, y, box, points) {
  const group = draw("g", { class: `series ${figure.look(o)}`, "data-o": o });
  const edge = (at, end, openSide, limit) => (at[end + 1] === openSide ? limit : y.place(at[end]));
  for (const part of runs(found, (at) => at[LOW] !== null && at[HIGH] !== null)) {
    const top = part.map((at) => [x.place(at[TARGET]), edge(at, HIGH, 1, box.top)]);
    const bottom = part.map((at) => [x.place(at[TARGET]), edge(at, LOW, -1, box.bottom)]);
    group.append(draw("path", { d: `${path([...top, ...bottom.reverse()])}Z`, class: "band" }));
  }
  for (const part of runs(found, (at) => at[ESTIMATE + 1] === 0)) {
    group.append(draw("path", { d: path(part.map((at) => [x.place(at[TARGET]), y.place(at[ESTIMATE])])), class: "mean" }));
  }
  for (const at of found) {
    const [px, py, side] = [x.place(at[TARGET]), y.place(at[ESTIMATE]), at[ESTIMATE + 1]];
    if (side) group.append(draw("path", { d: `M${px - 4} ${py}L${px + 4} ${py}L${px} ${py - 7 * side}Z`, class: "point hollow" }));
    const interval = at[LOW] === null ? [] : [`95% interval ${bound(at, LOW)} to ${bound(at, HIGH)}`];
    points.push({ x: px, y: py, o, isMain: true, words: [figure.name(o), `to ${curve.words} ${at[TARGET].toFixed(curve.digits)}`, `${bound(at, ESTIMATE)} in ${figure.all.axes[view.axis]}`, ...interval] });
  }
  return group;
}

// The stretches of neighbours of which something is true.
function runs(found, holds) {
  const parts = [[]];
  for (const at of found) {
    if (holds(at)) parts.at(-1).push(at);
    else if (parts.at(-1).length) parts.push([]);
  }
  return parts.filter((part) => part.length);
}

function bound(at, end) {
  if (at[end] === null) return "-";
  return `${{ "-1": "< ", 0: "", 1: "> " }[at[end + 1]]}${at[end].toFixed(2)}x`;
}

function speedupRows(figure, curve) {
  const titles = ["objective", `target: ${curve.words}`, `speedup in ${figure.all.axes[view.axis]}`, "low", "high"];
  const cell = (at, end) => (at[end] === null ? "-" : [bound(at, end), at[end]]);
  const rows = curve.speedups
    .filter((own) => figure.shown.has(own.o))
    .flatMap((own) => own.by[view.axis].map((at) => [figure.name(own.o), [at[TARGET].toFixed(curve.digits), at[TARGET]], cell(at, ESTIMATE), cell(at, LOW), cell(at, HIGH)]));
  return { titles, rows };
}
