// What happens when the page has been read.

// Half of the points within this share of the spend would crowd at the left of a linear axis.
const CROWDED = 0.3;

function isCrowded(curve) {
  const spends = curve.own.flatMap((own) => own.at[view.axis]).sort((a, b) => a - b);
  return spends.length > 0 && spends[Math.floor(spends.length / 2)] < CROWDED * spends.at(-1);
}

function start() {
  const all = JSON.parse(document.getElementById("figures").textContent);
  for (const box of document.querySelectorAll("[data-table]")) readyTable(box, all.study);
  for (const box of document.querySelectorAll("[data-choose]")) readyChoice(box);
  if (all.curves.length) view.isLog = isCrowded(all.curves[0]);
  const kinds = { curve: curveFigure, speedup: speedupFigure };
  for (const box of document.querySelectorAll("[data-figure]")) {
    kinds[box.dataset.figure](box, all, all.curves[Number(box.dataset.number)]);
  }
  // On paper, what is folded away above the details of a figure is left so; a figure is made to fit.
  window.addEventListener("beforeprint", () => document.dispatchEvent(new Event("view")));
}

start();
