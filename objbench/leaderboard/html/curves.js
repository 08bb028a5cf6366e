// A score along the budget: the mean thick, single seeds thin, stuck runs dashed and in no mean.

function curveFigure(box, all, curve) {
  const shown = curve.own.filter((own) => own.shown).map((own) => own.o);
  const figure = new Figure(box, all, `${curve.words} along the budget`, curve.own, shown, (self, width) => paintCurves(self, width, curve), (self) => curveRows(self, curve));
  figure.addControls(true);
}

// What one seed, or all of them, spent at a point.
function spent(own, axis, point, seed) {
  const found = own.spend[axis][point];
  return Array.isArray(found) ? found[seed] : found;
}

function paintCurves(figure, width, curve) {
  const [size, words] = curve.units[view.axis];
  const shown = curve.own.filter((own) => figure.shown.has(own.o));
  const room = figure.nameRoom(width, shown);
  const box = { left: 52, right: width - room, top: 32, bottom: HEIGHT - 44, room };
  const spends = shown.flatMap((own) => own.spend[view.axis].flat()).map((value) => value / size);
  const scores = shown.flatMap((own) => own.scores.flat());
  scores.push(...curve.lines.filter(([, , isNeeded]) => isNeeded).map(([, value]) => value));
  if (!spends.length) [spends.push(1), scores.push(0, 1)];
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const more = 0.05 * (high - low) || 0.05;
  const most = Math.max(...spends);
  const x = view.isLog ? logScale(Math.min(...spends) / 1.12, most * 1.12, box.left, box.right) : linearScale(0, most * 1.02, box.left, box.right);
  const y = linearScale(low - more, high + more, box.bottom, box.top);
  const yWords = `${curve.words}${curve.lower ? " (lower is better)" : ""}`;
  figure.axes(x, y, `${words}${view.isLog ? ", log scale" : ""}`, yWords, box, short);
  const inside = curve.lines.filter(([, value]) => value >= y.low && value <= y.high);
  const heights = spreadOut(inside.map(([, value]) => y.place(value) - 4), 12, box.bottom);
  inside.forEach(([name, value], place) => figure.level(y.place(value), `${name} ${value.toFixed(2)}`, "reference", box, heights[place]));
  if (curve.end !== null) {
    const name = figure.name(figure.all.baseline);
    figure.svg.append(draw("line", { x1: box.left, x2: box.right, y1: y.place(curve.end), y2: y.place(curve.end), class: "end" }, draw("title", {}, `${name} at the end of its budget`)));
  }
  const points = [];
  const ends = shown.map((own) => {
    const line = paintCurve(figure, curve, own, x, y, size, words, points);
    figure.svg.append(line);
    const last = own.mean.length ? own.mean.at(-1) : own.scores.at(-1)[0];
    return { o: own.o, y: y.place(last) };
  });
  figure.nameEnds(ends, box);
  return points;
}

function paintCurve(figure, curve, own, x, y, size, words, points) {
  const group = draw("g", { class: `series ${figure.look(own.o)}`, "data-o": own.o });
  const name = figure.name(own.o);
  const at = (spend, score) => [x.place(spend / size), y.place(score)];
  const about = (title, spend, score, share) => [title, `${short(spend / size)} ${words}`, `${curve.words} ${score.toFixed(curve.digits)}`, `${short(100 * share)}% of the budget`];
  if (own.scores[0].length > 1 || own.stuck.length) {
    figure.all.seeds.forEach((seed, place) => {
      const isStuck = own.stuck[place] === true;
      const line = own.scores.map((scores, point) => at(spent(own, view.axis, point, place), scores[place]));
      group.append(draw("path", { d: path(line), class: isStuck ? "seed stuck" : "seed" }));
      const title = `${name}, seed ${seed}${isStuck ? " (stuck)" : ""}`;
      line.forEach(([px, py], point) => points.push({ x: px, y: py, o: own.o, isMain: !own.mean.length && place === 0, words: about(title, spent(own, view.axis, point, place), own.scores[point][place], own.share[point]) }));
    });
  }
  if (!own.mean.length) return group;
  const mean = own.mean.map((score, point) => at(own.at[view.axis][point], score));
  group.append(draw("path", { d: path(mean), class: "mean" }));
  const learnt = figure.all.seeds.length - own.stuck.filter((isStuck) => isStuck).length;
  const title = figure.all.seeds.length > 1 ? `${name}, mean of ${learnt} ${learnt === 1 ? "seed" : "seeds"}` : name;
  mean.forEach(([px, py], point) => {
    group.append(draw("circle", { cx: px.toFixed(1), cy: py.toFixed(1), r: 3, class: own.finished[point] ? "point" : "point hollow" }));
    points.push({ x: px, y: py, o: own.o, isMain: true, words: about(title, own.at[view.axis][point], own.mean[point], own.share[point]) });
  });
  return group;
}

// What is on screen: a row per objective and point.
function curveRows(figure, curve) {
  const seeds = figure.all.seeds;
  const several = seeds.length > 1;
  const titles = ["objective", "budget", figure.all.axes[view.axis], several ? "mean" : curve.words, ...(several ? seeds.map((seed) => `seed ${seed}`) : [])];
  const number = (value) => [value.toFixed(curve.digits), value];
  const rows = [];
  for (const own of curve.own.filter((one) => figure.shown.has(one.o))) {
    own.share.forEach((share, point) => {
      const spend = own.at[view.axis][point];
      const mean = own.mean.length ? number(own.mean[point]) : "-";
      const each = own.scores[point].map((score, place) => (own.stuck[place] ? [`${score.toFixed(curve.digits)} (stuck)`, score] : number(score)));
      rows.push([figure.name(own.o), [`${short(100 * share)}%`, share], [short(spend), spend], mean, ...(several ? each : [])]);
    });
  }
  return { titles, rows };
}
